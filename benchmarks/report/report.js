// The page: puts the data of the block #data into tables and plots. All texts are set as text.
'use strict';

(() => {
  const { element, fixed, number } = plots;
  const data = JSON.parse(document.getElementById('data').textContent);
  const { results, subjects, metrics, views } = data;
  const several = subjects.length > 1;
  const hasSweep = subjects.some(x => x.steps.length > 1);
  const byId = id => document.getElementById(id);
  let view = views[data.main_view];
  let logarithmic = hasLongTail();

  /** Whether a linear scale would press most answers to the ground. */
  function hasLongTail() {
    const MUCH = 8; // times the median
    const median = list => list.findLast(([share]) => share <= 0.5)?.[1] ?? 0;
    return ['end to end', 'end to end from schedule'].flatMap(name => view.distributions[metrics.indexOf(name)])
      .filter(list => list?.length > 0).some(list => median(list) > 0 && list.at(-1)[1] > MUCH * median(list));
  }

  // -- pieces ---------------------------------------------------------------------------------------

  const dot = subject => element('span', {
    class: subject < plots.COLOURS ? 'dot' : 'dot again', style: `--colour: var(--s${subject % plots.COLOURS})`, 'aria-hidden': 'true' });
  const named = subject => [dot(subject), subjects[subject].name];
  const header = text => element('th', { scope: 'col' }, text);
  const headers = () => subjects.map((_, i) => element('th', { scope: 'col', class: 'name' }, ...named(i)));

  /** Rows are <tr>. On a narrow screen the table scrolls by itself, also with the keyboard. */
  const table = (caption, head, rows) => element(
    'div', { class: 'table', role: 'region', tabindex: '0', 'aria-label': caption },
    element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)));

  function ratio(cell) {
    if (!cell?.verdict) return [];
    return [element('span', { class: `ratio ${cell.verdict}` }, cell.ratio)];
  }

  function figureCell(cell) {
    if (!cell) return element('td', { class: 'soft' }, '-');
    const range = cell.range ? [element('span', { class: 'range' }, cell.range)] : [];
    return element('td', {}, cell.text, ...range, ...ratio(cell));
  }

  const figure = (group, name) => view.figures.find(x => x.group === group && x.name === name);

  // -- head -----------------------------------------------------------------------------------------

  function showHead() {
    const names = subjects.map(x => x.name);
    const title = several ? `${names.slice(1).join(', ')} beside ${names[0]}` : names[0];
    byId('title').textContent = title;
    document.title = `${title} - lang-agent bench`;
    byId('warnings').append(...data.warnings.map(
      text => element('p', { class: 'warning' }, element('strong', {}, 'Not comparable: '), text)));
    const load = text => element('span', { class: 'soft' }, text);
    const common = subjects.every(x => x.load === subjects[0].load);
    byId('doubt').textContent = data.doubt;
    byId('subjects').append(...subjects.map((x, i) => element(
      'li', {}, dot(i), element('strong', {}, x.name), ...(common ? [] : [' ', load(x.load)]))));
    if (common) byId('subjects').append(element('li', {}, load(subjects[0].load)));
  }

  function showOrigin() {
    byId('origin-list').append(...results.map(x => {
      const rows = [['Result', x.label], ['Started', x.started], ['Machine', x.machine],
                    ['Version', x.version], ['Command', element('code', {}, x.command)]];
      return element('dl', { class: 'origin' }, ...rows.filter(([, text]) => text !== '').flatMap(
        ([name, text]) => [element('dt', {}, name), element('dd', {}, text)]));
    }), element('dl', { class: 'origin' }, ...subjects.flatMap((x, i) => [
      element('dt', {}, ...named(i)), element('dd', {}, x.url)])));
  }

  function offerControls() {
    byId('choice').hidden = views.length < 2;
    const select = byId('view');
    select.append(...views.map((x, i) => element('option', { value: i }, x.name)));
    select.value = data.main_view;
    select.addEventListener('change', () => {
      view = views[select.value];
      show();
    });
    byId('logarithmic').checked = logarithmic;
    byId('logarithmic').addEventListener('change', event => {
      logarithmic = event.target.checked;
      show();
    });
    byId('controls').hidden = false;
  }

  // -- tables ---------------------------------------------------------------------------------------

  const GLANCE = [
    ['throughput', 'requests/s', 'Throughput, requests/s'],
    ['TTFT, ms', 'p50', 'First token p50, ms'],
    ['TTFT, ms', 'p99', 'First token p99, ms'],
    ['end to end, ms', 'p50', 'End to end p50, ms'],
    ['end to end, ms', 'p99', 'End to end p99, ms'],
    ['end to end from schedule, ms', 'p99', 'From schedule p99, ms'],
    ['goodput', 'requests/s', 'Goodput, requests/s'],
    ['throughput', 'failed, %', 'Failed, %'],
    ['server', 'CPU us/request', 'Server CPU, us/request'],
    ['server', 'RSS peak, MiB', 'Server memory peak, MiB'],
  ];

  function showGlance() {
    const tiles = GLANCE.map(([group, name, title]) => [figure(group, name), title]).filter(([found]) => found);
    byId('glance').replaceChildren(...tiles.map(([found, title]) => element(
      'div', { class: 'tile' }, element('h3', {}, title), ...found.cells.map((cell, i) => element(
        'p', {}, several ? dot(i) : '', element('span', { class: 'number' }, cell ? cell.text : '-'), ...ratio(cell))))));
  }

  function showLatencyTable() {
    const shown = metrics.map(name => [name, view.figures.filter(x => x.group === `${name}, ms`)])
      .filter(([, figures]) => figures.length > 0);
    const columns = [...new Set(shown.flatMap(([, figures]) => figures.map(x => x.name)))];
    const row = (name, figures, head, i) => element(
      'tr', {}, element('th', { scope: 'row', class: 'name' }, ...head),
      ...columns.map(column => figureCell(figures.find(x => x.name === column)?.cells[i] ?? null)));
    const rows = shown.flatMap(([name, figures]) => (several
      ? [element('tr', {}, element('th', { class: 'group', colspan: columns.length + 1, scope: 'rowgroup' }, name)),
         ...subjects.map((_, i) => row(name, figures, named(i), i))]
      : [row(name, figures, [name], 0)]));
    byId('latency-table').replaceChildren(
      table('Latency in milliseconds', ['ms', ...columns].map(header), rows));
  }

  function showFigures() {
    const latencies = new Set(metrics.map(name => `${name}, ms`));
    const rows = [];
    let group;
    for (const x of view.figures) {
      if (latencies.has(x.group)) continue;
      if (x.group !== group)
        rows.push(element('tr', {}, element('th', { class: 'group', colspan: subjects.length + 2, scope: 'rowgroup' }, x.group)));
      group = x.group;
      rows.push(element('tr', {}, element('th', { scope: 'row', class: 'name' }, x.name),
                        element('td', { class: 'soft' }, x.better), ...x.cells.map(figureCell)));
    }
    byId('figures-table').replaceChildren(
      table('Figures', [header(''), header('better'), ...headers()], rows));
    const objectives = [...new Set(view.objectives.filter(Boolean))];
    if (objectives.length > 0)
      byId('figures-table').append(element('p', { class: 'note' }, `Goodput counts requests within ${objectives.join('; or ')}.`));
  }

  function showErrors() {
    const count = (name, cells) => element('tr', {}, element('th', { scope: 'row', class: 'name' }, name),
                                           ...cells.map(n => element('td', {}, n === undefined ? '-' : number(n))));
    const rows = ['scheduled', 'started', 'completed', 'failed', 'abandoned', 'unfinished'].map(
      name => count(name, view.requests.map(x => x[name])));
    const kinds = [...new Set(view.errors.flatMap(list => list.map(x => x.kind)))];
    rows.push(element('tr', {}, element('th', { class: 'group', colspan: subjects.length + 1, scope: 'rowgroup' },
                                        kinds.length > 0 ? 'Errors by kind' : 'No errors')));
    rows.push(...kinds.map(kind => count(kind, view.errors.map(list => list.find(x => x.kind === kind)?.count ?? 0))));
    byId('errors-table').replaceChildren(
      table('Requests and errors', [header('requests'), ...headers()], rows));
  }

  function showTenants() {
    byId('tenants').hidden = !view.tenants.some(list => list.length > 1);
    const row = (x, i) => element(
      'tr', {}, element('th', { scope: 'row', class: 'name' }, x.name),
      ...(several ? [element('td', { class: 'target' }, ...named(i))] : []),
      ...[x.completed, x.failed, x.abandoned].map(n => element('td', {}, number(n))),
      ...[x.e2e_p50, x.e2e_p99].map(n => element('td', {}, fixed(n))));
    const names = [...new Set(view.tenants.flatMap(list => list.map(x => x.name)))];
    const rows = names.flatMap(name => view.tenants.flatMap(
      (list, i) => list.filter(x => x.name === name).map(x => row(x, i))));
    const columns = ['tenant', ...(several ? ['target'] : []), 'completed', 'failed', 'abandoned', 'end to end p50, ms', 'p99, ms'];
    byId('tenants-table').replaceChildren(table('Tenants', columns.map(header), rows));
  }

  // -- plots ----------------------------------------------------------------------------------------

  /** A line's name, short enough for a legend. */
  function lineName(i, what) {
    const { name } = subjects[i];
    const short = name.length > 28 ? `${name.slice(0, 27)}\u2026` : name;
    return several ? `${short} ${what}`.trim() : what || short;
  }

  // As HdrHistogram draws it: each "nine" has the same width, and the maximum comes after the last.
  const SHARES = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
  const nine = share => -Math.log10(1 - share);
  const percent = share => `${Number((100 * share).toPrecision(7))} %`;

  /** The x axis of lines of [share, ms], which end at the maximum. */
  function ninesAxis(lists) {
    const end = 0.3 + Math.max(...lists.flat().map(([share]) => (share < 1 ? nine(share) : 0)));
    const name = x => (x >= end ? 'max' : percent(1 - 10 ** -x));
    return {
      place: share => (share < 1 ? nine(share) : end),
      name,
      scale: {
        min: 0,
        max: end,
        afterBuildTicks: axis => {
          axis.ticks = [...SHARES.map(nine).filter(x => x < end), end].map(value => ({ value }));
        },
        ticks: { callback: name, autoSkip: false },
      },
    };
  }

  function drawDistribution(parent, metric, yMax) {
    const lists = view.distributions[metric];
    const x = ninesAxis(lists.filter(Boolean));
    const title = metrics[metric][0].toUpperCase() + metrics[metric].slice(1);
    plots.draw(parent, {
      title, x: 'share of requests', y: 'ms', yMax, logarithmic, formatX: x.name, xAxis: x.scale,
      lines: lists.flatMap((list, i) => (list ? [{
        name: lineName(i, ''), subject: i, points: list.map(([share, y]) => ({ x: x.place(share), y })),
      }] : [])),
    });
  }

  const PAIRS = [['end to end', 'end to end from schedule'], ['TTFT', 'TTFT from schedule'], ['ITL'], ['TPOT'], ['queue wait']];

  /** Each latency; those that belong together have the same scale. */
  function showDistributions() {
    const parent = byId('latency-plots');
    parent.replaceChildren();
    for (const pair of PAIRS) {
      const places = pair.map(name => metrics.indexOf(name));
      const points = places.flatMap(i => view.distributions[i]).filter(Boolean).flat();
      const yMax = Math.max(0, ...points.map(([, ms]) => ms));
      places.forEach(i => drawDistribution(parent, i, yMax));
    }
    byId('latency').hidden = parent.children.length === 0;
  }

  /** Between gaps there is no line to be seen, so that a lone point needs a dot. */
  const isLone = (values, i) => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;

  function timelineLines(name, more = {}) {
    return subjects.map(({ timeline: { seconds, [name]: values } }, i) => ({
      name: lineName(i, more.what), subject: i, dashed: more.dashed,
      points: values.map((y, j) => ({ x: seconds[j], y, radius: isLone(values, j) ? 3 : 0 })),
    })).filter(line => line.points.some(p => p.y !== null));
  }

  function showTimeline() {
    const longest = subjects.map(x => x.timeline.parts).reduce((a, b) => (b.length > a.length ? b : a));
    byId('timeline-note').textContent = longest.length > 1
      ? 'Runs of a target are laid end to end; dashed lines mark where one begins.' : '';
    const at = longest.length > 1 ? longest.map(x => ({ x: x.start, text: x.name })) : [];
    const parent = byId('timeline-plots');
    parent.replaceChildren();
    const draw = (title, y, lines) => plots.draw(parent, { title, x: 'seconds', y, lines, at, room: at.length > 0 });
    const failed = timelineLines('failed', { what: 'failed', dashed: true }).filter(line => line.points.some(p => p.y > 0));
    draw('Throughput', 'requests/s', [...timelineLines('completed', { what: 'completed' }), ...failed]);
    draw('Output', 'tokens/s', timelineLines('output_tokens', { what: '' }));
    draw('In flight', 'requests', timelineLines('in_flight', { what: '' }));
    draw('End to end', 'ms', [...timelineLines('e2e_p99', { what: 'p99' }), ...timelineLines('e2e_p50', { what: 'p50', dashed: true })]);
    draw('First token, p50', 'ms', timelineLines('ttft_p50', { what: '' }));
    byId('timeline').hidden = parent.children.length === 0;
  }

  function sweepLine(i, y, what, more = {}) {
    return {
      name: lineName(i, what), subject: i, dashed: more.dashed,
      points: subjects[i].steps.filter(x => x.requests_per_s !== null).map(x => ({
        x: x.requests_per_s, y: x[y], radius: x.knee ? 8 : 3, style: x.knee ? 'rectRot' : 'circle',
        label: x.knee && !more.dashed ? `knee, ${x.load}` : undefined,
      })),
    };
  }

  function showSweep() {
    byId('sweep').hidden = !hasSweep;
    if (!hasSweep) return;
    byId('sweep-note').textContent = results.filter(x => x.why_knee).map(
      x => `Knee${results.length > 1 ? ` of ${x.label}` : ''}: ${x.why_knee}.`).join(' ');
    const parent = byId('sweep-plots');
    parent.replaceChildren();
    const both = metric => subjects.flatMap((_, i) => [
      sweepLine(i, `${metric}_p99`, 'p99'), sweepLine(i, `${metric}_p50`, 'p50', { dashed: true })]);
    const draw = (title, y, lines) => plots.draw(parent, {
      title, x: 'requests/s completed', y, lines: lines.filter(line => line.points.some(p => p.y !== null)), logarithmic });
    draw('End to end by throughput', 'ms', both('e2e'));
    draw('End to end from schedule by throughput', 'ms', both('e2e_scheduled'));
    draw('First token by throughput', 'ms', both('ttft'));
    showSweepTable();
  }

  function showSweepTable() {
    const columns = [['requests_per_s', 'requests/s'], ['output_tokens_per_s', 'tokens/s'], ['goodput_per_s', 'goodput'],
                     ['ttft_p50', 'TTFT p50'], ['ttft_p99', 'p99'], ['e2e_p50', 'end to end p50'], ['e2e_p99', 'p99'],
                     ['e2e_scheduled_p99', 'p99 from schedule'],
                     ['failed_percent', 'failed, %']];
    const rows = subjects.flatMap((x, i) => x.steps.map(step => {
      const mark = [step.knee ? 'knee' : '', step.best ? 'best' : ''].filter(Boolean).join(', ');
      return element('tr', step.knee ? { class: 'marked' } : {},
                     element('th', { scope: 'row', class: 'name' }, ...(several ? [...named(i), ', '] : []), step.load),
                     ...columns.map(([key]) => element('td', {}, fixed(step[key]))),
                     element('td', { class: 'mark' }, mark));
    }));
    byId('sweep-table').replaceChildren(
      table('Steps of the sweep', [header('load'), ...columns.map(([, name]) => header(name)), header('')], rows));
  }

  function serverBars(names) {
    return subjects.map((x, i) => ({
      name: lineName(i, ''), subject: i, values: names.map(name => figure('server', name)?.cells[i]?.value ?? null),
    }));
  }

  function showServer() {
    const parent = byId('server-plots');
    parent.replaceChildren();
    const bars = (title, y, names, labels) => plots.drawBars(parent, { title, x: 'figure', y, names: labels, bars: serverBars(names) });
    if (hasSweep)
      plots.draw(parent, { title: 'CPU by throughput', x: 'requests/s completed', y: 'us/request',
                           lines: subjects.map((_, i) => sweepLine(i, 'cpu_us_per_request', '')) });
    else
      bars('CPU per request', 'us', ['CPU us/request'], ['per request']);
    bars('CPU per token', 'us', ['CPU us/token'], ['per token']);
    bars('Memory (RSS)', 'MiB', ['RSS at start, MiB', 'RSS peak, MiB', 'RSS at end, MiB'], ['at start', 'peak', 'at end']);
    byId('server').hidden = parent.children.length === 0;
  }

  function show() {
    plots.clear();
    showGlance();
    showSweep();
    showDistributions();
    showLatencyTable();
    showTimeline();
    showFigures();
    showErrors();
    showTenants();
    showServer();
  }

  showHead();
  showOrigin();
  offerControls();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  show();
})();
