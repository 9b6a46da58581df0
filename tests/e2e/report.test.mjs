// `lang-agent bench report` and `compare --html`: the page, in a real browser without a network.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { makeFolder, run, test } from './harness.mjs';

const fixture = name => fileURLToPath(new URL(`../report/fixtures/${name}`, import.meta.url));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

const HOSTILE = '</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2"><!-- "\'&amp; \u2028'
  + 'a-name-without-an-end-'.repeat(10);

/** The page of some result files. */
async function makePage(t, files) {
  const out = join(makeFolder(t), 'report.html');
  const args = files.length > 1 ? ['compare', ...files, '--html', out] : ['report', ...files, '-o', out];
  const { code, stderr } = await run(t, ['bench', ...args]);
  assert.equal(code, 0, stderr);
  return out;
}

/** A fixture in which every name that a user may choose is hostile. */
function hostileFile(t) {
  const result = JSON.parse(readFileSync(fixture('rounds.json')));
  result.command = [HOSTILE];
  result.machine.cpu_model = HOSTILE;
  for (const one of result.runs) {
    one.target += HOSTILE;
    one.url = `javascript:${HOSTILE}`;
    one.errors = { [HOSTILE]: 3 };
    one.tenants[0].name = HOSTILE;
  }
  const file = join(makeFolder(t), 'hostile.json');
  writeFileSync(file, JSON.stringify(result));
  return file;
}

/** Opens a page; what it says on the console, throws or asks for goes to `problems`. */
async function open(t, file, { viewport = WIDE, colorScheme = 'light' } = {}) {
  assert.ok(executablePath, 'there is no Chromium: run scripts/setup --tests');
  // As root, which CI often is, Chromium refuses to start with its sandbox.
  const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid() !== 0 });
  t.after(() => browser.close());
  const context = await browser.newContext({ offline: true, viewport, colorScheme });
  const page = await context.newPage();
  page.problems = [];
  page.on('console', message => page.problems.push(`console: ${message.text()}`));
  page.on('pageerror', error => page.problems.push(`thrown: ${error.message}`));
  page.on('dialog', dialog => page.problems.push(`dialog: ${dialog.message()}`));
  page.on('request', request => {
    if (request.url() !== pathToFileURL(file).href && !request.url().startsWith('data:'))
      page.problems.push(`asked for ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  return page;
}

/** Of each plot: its title, its text alternative, and how many colours its pixels have. */
const plotsOf = page => page.$$eval('figure', figures => figures.map(figure => {
  const canvas = figure.querySelector('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return {
    title: figure.querySelector('figcaption').textContent,
    text: canvas.getAttribute('aria-label'),
    colours: new Set(new Uint32Array(data.buffer)).size,
  };
}));

/** The texts of a table's rows. */
const rowsOf = (page, id) => page.$$eval(`#${id} tbody tr`, rows => rows.map(
  row => [...row.cells].map(cell => cell.innerText.replaceAll(/\s+/g, ' ').trim())));

const wider = page => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

test('two targets are drawn beside each other with their ratios', async t => {
  const page = await open(t, await makePage(t, [fixture('rounds.json')]));
  const plots = await plotsOf(page);
  assert.deepEqual(plots.map(x => x.title), [
    'End to end', 'End to end from schedule', 'TTFT', 'TTFT from schedule', 'ITL', 'TPOT', 'Queue wait',
    'Throughput', 'Output', 'In flight', 'End to end', 'First token, p50', 'CPU per request', 'CPU per token', 'Memory (RSS)']);
  for (const { title, text, colours } of plots) {
    assert.ok(colours > 20, `${title} is blank`);
    assert.match(text, /old.*: from [\d.]+ to [\d.,]+.*new/s);
  }
  assert.equal(await page.title(), 'new beside old - lang-agent bench');
  const figures = await rowsOf(page, 'figures-table');
  const cpu = figures.find(([name]) => name === 'CPU us/request');
  assert.match(cpu.at(-1), /^3\d\d 3\d\d-3\d\d 0\.\d\dx better$/);
  const errors = await rowsOf(page, 'errors-table');
  assert.deepEqual(errors.find(([name]) => name.startsWith('http_429')), ['http_429 rate_limit_exceeded', '6', '6']);
  assert.equal((await rowsOf(page, 'tenants-table')).length, 4);
  assert.equal((await rowsOf(page, 'latency-table')).length, 7 * 3);
  assert.equal(await page.isVisible('#sweep'), false);
  assert.deepEqual(page.problems, []);
});

test('a sweep has its curve, its knee and a choice of steps', async t => {
  const page = await open(t, await makePage(t, [fixture('sweep.json')]));
  const plots = await plotsOf(page);
  assert.ok(plots.some(x => x.title === 'End to end by throughput'));
  assert.ok(plots.every(x => x.colours > 20));
  const steps = await rowsOf(page, 'sweep-table');
  assert.equal(steps.length, 6);
  assert.equal(steps[3].at(-1), 'knee');
  assert.match(await page.textContent('#sweep-note'), /beyond it p99 grew/);
  const throughput = async () => (await rowsOf(page, 'figures-table')).find(([name]) => name === 'requests/s').at(-1);
  assert.equal(await throughput(), steps[3][1]);
  await page.selectOption('#view', { label: '50 requests/s' });
  assert.equal(await throughput(), steps[0][1]);
  assert.deepEqual(page.problems, []);
});

test('data of a plot can be read as a table, and its scale changed', async t => {
  const page = await open(t, await makePage(t, [fixture('rounds.json')]));
  const figure = page.locator('figure').first();
  await figure.locator('summary').click();
  await figure.locator('tbody tr').first().waitFor();
  assert.equal(await figure.locator('tbody tr').count(), 10);
  assert.deepEqual(await figure.locator('thead th').allInnerTexts(), ['share of requests', 'old', 'new']);
  const before = await figure.locator('canvas').screenshot();
  await page.setChecked('#logarithmic', !await page.isChecked('#logarithmic'));
  assert.notDeepEqual(await page.locator('figure canvas').first().screenshot(), before);
  assert.ok((await plotsOf(page)).every(x => x.colours > 20));
  assert.deepEqual(page.problems, []);
});

test('a result with hardly anything in it is a page all the same', async t => {
  const zero = { n: 1, min: 0, p50: 0, p99: 0, max: 0, cdf: [[0, 0], [1, 0]] };
  const document = { schema: 'lang-agent-bench/1', runs: [
    { target: 'nothing' }, { target: 'zeros', latency_ms: { e2e: zero }, timeline: { completed: [0, null] } }] };
  const file = join(makeFolder(t), 'small.json');
  writeFileSync(file, JSON.stringify(document));
  const page = await open(t, await makePage(t, [file]));
  assert.deepEqual((await plotsOf(page)).map(x => x.title), ['End to end', 'Throughput']);
  await page.check('#logarithmic');
  assert.equal(await page.isVisible('#server'), false);
  assert.deepEqual(page.problems, []);
});

test('hostile names are texts and nothing else', async t => {
  const page = await open(t, await makePage(t, [hostileFile(t), fixture('rounds.json')]), { viewport: PHONE });
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.locator('script').count(), 4);
  const shown = HOSTILE.replace('\u2028', ' ').replaceAll(/\s+/g, ' ').trim();
  assert.ok((await page.innerText('#subjects')).replaceAll(/\s+/g, ' ').includes(shown));
  assert.ok((await rowsOf(page, 'errors-table')).some(([kind]) => kind === shown));
  assert.ok((await rowsOf(page, 'tenants-table')).some(([name]) => name === shown));
  assert.ok((await plotsOf(page)).every(x => x.colours > 20));
  assert.ok(await wider(page) <= 0);
  assert.deepEqual(page.problems, []);
});

for (const colorScheme of ['light', 'dark'])
  test(`a phone shows the page without scrolling sideways (${colorScheme})`, async t => {
    for (const files of [['rounds.json'], ['sweep.json', 'rounds.json']]) {
      const file = await makePage(t, files.map(fixture));
      const page = await open(t, file, { viewport: PHONE, colorScheme });
      assert.ok(await wider(page) <= 0);
      assert.ok((await plotsOf(page)).every(x => x.colours > 20));
      assert.deepEqual(page.problems, []);
    }
  });

test('what is no result is refused with what to do', async t => {
  const file = join(makeFolder(t), 'other.json');
  writeFileSync(file, '{"schema": "lang-agent-bench/9"}');
  const { code, stderr } = await run(t, ['bench', 'report', file, '-o', join(makeFolder(t), 'out.html')]);
  assert.notEqual(code, 0);
  assert.match(stderr, /other(\.json)? is of schema lang-agent-bench\/9.*run the benchmark again/);
});
