// Plots: each is a figure with a canvas, a text alternative and its data as a table.
'use strict';

const plots = (() => {
  const COLOURS = 8;
  const DASHES = [[], [7, 4], [2, 3]];
  let drawn = [];

  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** The colour of a subject; after eight subjects they come again, and dash() differs. */
  const colour = subject => css(`--s${subject % COLOURS}`);
  const dash = (subject, more = 0) => DASHES[(Math.floor(subject / COLOURS) + more) % DASHES.length];

  const digits = x => (Math.abs(x) >= 100 || x === 0 ? 0 : Math.abs(x) >= 10 ? 1 : Math.abs(x) >= 1 ? 2 : 3);
  const number = x => (x === null || x === undefined ? '' : x.toLocaleString('en', { maximumFractionDigits: digits(x) }));

  /** Of three digits, for columns of a table. */
  const fixed = x => (x === null || x === undefined ? '-'
    : x.toLocaleString('en', { minimumFractionDigits: x ? digits(x) : 0, maximumFractionDigits: digits(x) }));

  /** An element; its children are elements or texts, never markup. */
  function element(tag, attributes = {}, ...children) {
    const out = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
    out.append(...children);
    return out;
  }

  /** Rows of the data: one for each x of any line. */
  function dataTable({ x, lines, formatX = number }) {
    const rows = new Map();
    lines.forEach((line, i) => line.points.forEach(p => {
      if (p.y === null) return;
      if (!rows.has(p.x)) rows.set(p.x, lines.map(() => ''));
      rows.get(p.x)[i] = fixed(p.y);
    }));
    const head = element('tr', {}, ...[x, ...lines.map(line => line.name)].map(
      text => element('th', { scope: 'col' }, text)));
    const body = [...rows].sort(([a], [b]) => a - b).map(([at, cells]) => element(
      'tr', {}, element('th', { scope: 'row' }, formatX(at)), ...cells.map(text => element('td', {}, text))));
    return element('div', { class: 'table', tabindex: '0' },
                   element('table', {}, element('thead', {}, head), element('tbody', {}, ...body)));
  }

  /** What a plot shows, in words. */
  function inWords({ title, y, lines, formatX = number, x }) {
    const parts = lines.map(line => {
      const values = line.points.map(p => p.y).filter(v => v !== null);
      return values.length === 0 ? `${line.name}: nothing`
        : `${line.name}: from ${number(Math.min(...values))} to ${number(Math.max(...values))}`;
    });
    return `${title}, ${y} by ${x}. ${parts.join('; ')}.`;
  }

  /** Marks on the x axis, e.g. where rounds begin, and texts beside points. */
  const marks = {
    id: 'marks',
    afterDatasetsDraw(chart, _, { at = [] }) {
      const { ctx, chartArea: area, scales } = chart;
      ctx.save();
      ctx.font = '11px system-ui, sans-serif';
      ctx.fillStyle = ctx.strokeStyle = css('--soft');
      let end = -Infinity; // of the last text, so that none is written over another
      for (const { x, text } of at) {
        const px = scales.x.getPixelForValue(x);
        ctx.globalAlpha = 0.5;
        ctx.setLineDash([3, 3]);
        ctx.beginPath();
        ctx.moveTo(px, area.top);
        ctx.lineTo(px, area.bottom);
        ctx.stroke();
        ctx.globalAlpha = 1;
        const width = ctx.measureText(text).width;
        if (px + 3 < end || px + 3 + width > area.right) continue;
        ctx.fillText(text, px + 3, area.top + 10);
        end = px + 9 + width;
      }
      chart.data.datasets.forEach((line, i) => chart.getDatasetMeta(i).data.forEach((p, j) => {
        const text = line.data[j].label;
        if (!text || !chart.isDatasetVisible(i)) return;
        ctx.fillStyle = line.borderColor;
        const right = p.x + 10 + ctx.measureText(text).width > area.right;
        ctx.textAlign = right ? 'right' : 'left';
        ctx.fillText(text, p.x + (right ? -8 : 8), Math.max(p.y - 8, area.top + 10));
      }));
      ctx.restore();
    },
  };

  function axis(title, more = {}) {
    return {
      title: { display: true, text: title, color: css('--soft') },
      grid: { color: css('--line'), borderColor: css('--line') },
      ...more,
      ticks: { color: css('--soft'), maxRotation: 0, autoSkipPadding: 12, ...more.ticks },
    };
  }

  /** A legend that shows dashes. */
  const asLines = chart => Chart.defaults.plugins.legend.labels.generateLabels(chart)
    .map(x => ({ ...x, pointStyle: 'line', lineWidth: 2, lineDash: chart.data.datasets[x.datasetIndex].borderDash }));

  function options(plot) {
    const { lines, x, formatX = number, xAxis = {}, at } = plot;
    return {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', axis: 'x', intersect: false },
      scales: {
        x: axis(x, { type: 'linear', ...xAxis }),
        y: yAxis(plot),
      },
      plugins: {
        marks: { at },
        legend: {
          display: lines.length > 1,
          position: 'bottom',
          labels: { color: css('--text'), usePointStyle: true, pointStyleWidth: 26, padding: 12, generateLabels: asLines },
        },
        tooltip: {
          callbacks: {
            title: items => (items.length ? `${x}: ${formatX(items[0].parsed.x)}` : ''),
            label: item => `${item.dataset.label}: ${number(item.parsed.y)}${item.raw.label ? ` (${item.raw.label})` : ''}`,
          },
        },
      },
    };
  }

  /** 1, 2 and 5 of each power of ten; over many powers the powers alone. */
  function logarithmicTicks(scale) {
    const MOST = 9;
    const LEAST = 1e-6; // zero has no place on this scale
    const powers = [];
    for (let x = 10 ** Math.floor(Math.log10(Math.max(scale.min, LEAST))); x <= scale.max; x *= 10) powers.push(x);
    const within = list => list.filter(x => x >= scale.min && x <= scale.max).map(value => ({ value }));
    const fine = within(powers.flatMap(x => [x, 2 * x, 5 * x]));
    scale.ticks = fine.length > MOST ? within(powers) : fine;
  }

  function yAxis({ y, yMax, logarithmic, room }) {
    if (logarithmic)
      return axis(y, { type: 'logarithmic', suggestedMax: yMax, afterBuildTicks: logarithmicTicks,
                       ticks: { autoSkip: false, callback: v => number(Number(v.toPrecision(3))) } });
    return axis(y, { type: 'linear', beginAtZero: true, suggestedMax: yMax,
                     grace: room ? '20%' : 0, // for the texts of marks
                     ticks: { callback: v => number(v) } });
  }

  const dataset = line => ({
    label: line.name,
    data: line.points,
    borderColor: colour(line.subject),
    backgroundColor: colour(line.subject),
    borderDash: dash(line.subject, line.dashed ? 1 : 0),
    borderWidth: 2,
    pointRadius: line.points.map(p => p.radius ?? 0),
    pointStyle: line.points.map(p => p.style ?? 'circle'),
    pointHitRadius: 8,
    spanGaps: false,
  });

  function frame(plot, table) {
    const canvas = element('canvas', { role: 'img', 'aria-label': inWords(plot) });
    const details = element('details', {}, element('summary', {}, 'Data'));
    details.addEventListener('toggle', () => { // made when wanted: there can be many rows
      if (details.open && details.children.length === 1) details.append(table());
    });
    return [canvas, element('figure', {}, element('figcaption', {}, plot.title),
                            element('div', { class: 'canvas' }, canvas), details)];
  }

  /**
   * A plot of lines in `parent`: { title, x, y, lines: [{ name, subject, points: [{ x, y }] }] }.
   * Draws none without points.
   */
  function draw(parent, plot) {
    if (!plot.lines.some(line => line.points.some(p => p.y !== null))) return;
    const [canvas, figure] = frame(plot, () => dataTable(plot));
    parent.append(figure);
    drawn.push(new Chart(canvas, {
      type: 'line', data: { datasets: plot.lines.map(dataset) }, options: options(plot), plugins: [marks],
    }));
  }

  /** Bars: { title, x, y, names, bars: [{ name, subject, values }] }, values in the order of names. */
  function drawBars(parent, { title, x, y, names, bars }) {
    if (!bars.some(bar => bar.values.some(v => v !== null))) return;
    const lines = bars.map(bar => ({ ...bar, points: bar.values.map((v, i) => ({ x: i, y: v })) }));
    const plot = { title, x, y, lines, formatX: i => names[i] };
    const [canvas, figure] = frame(plot, () => dataTable(plot));
    parent.append(figure);
    const layout = options(plot);
    layout.scales.x = axis('', { type: 'category' });
    layout.interaction = { mode: 'index', intersect: false };
    layout.plugins.tooltip.callbacks.title = items => names[items[0]?.dataIndex];
    layout.plugins.legend.labels = { color: css('--text'), boxWidth: 14, padding: 12 };
    drawn.push(new Chart(canvas, {
      type: 'bar',
      data: {
        labels: names,
        datasets: bars.map(bar => ({
          label: bar.name, data: bar.values, backgroundColor: colour(bar.subject), maxBarThickness: 56,
        })),
      },
      options: layout,
    }));
  }

  function clear() {
    drawn.forEach(chart => chart.destroy());
    drawn = [];
  }

  return { COLOURS, clear, draw, drawBars, element, fixed, number };
})();
