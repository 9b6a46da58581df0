// `lang-agent bench`: what it sends, what it measures, and that wrong answers are errors.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bench, descriptorLimit, freeze, refused, say, serve, serveBytes, startMockLlm } from './bench.mjs';
import { KEY, binary, makeFolder, run, startServer, test, until } from './harness.mjs';
import { startSimulator } from './simulator.mjs';
import { get } from './thread-client.mjs';

const MODEL = { first_token_delay: '20ms', token_interval: '2ms' };
const five = ['--no-check', '--concurrency', '1', '--requests', '5'];

const sum = list => list.reduce((a, b) => a + b, 0);

test('an open loop keeps its schedule, and its figures agree with each other', async t => {
  const simulator = await startSimulator(t, { model: MODEL });
  const { run, stderr, result } = await bench(t, simulator.url, [
    '--rate', '100', '--arrivals', 'constant', '--duration', '2s', '--warmup', '500ms',
    '--expect-echo', '--slo-e2e', '10s']);
  assert.equal(result.schema, 'lang-agent-bench/1');
  assert.deepEqual([run.loop, run.arrivals, run.rate, run.concurrency], ['open', 'constant', 100, null]);
  assert.equal(run.requests.scheduled, 200);
  assert.equal(run.requests.completed, 200, JSON.stringify(run.errors));
  assert.deepEqual(run.errors, {});
  assert.ok(run.latency_ms.ttft.min >= 20 && run.latency_ms.ttft.p50 < 100, 'time to first token');
  assert.ok(run.latency_ms.itl.n > 200 * 10 && run.latency_ms.itl.p50 > 1, 'time between tokens');
  assert.ok(run.latency_ms.e2e_scheduled.mean >= run.latency_ms.e2e.mean, 'from the schedule');
  assert.ok(run.throughput.output_tokens_per_s > 100 * 10);
  assert.ok(run.throughput.input_tokens_per_s > 100);
  assert.equal(run.goodput.share, 1);
  assert.equal(run.timeline.completed.length, 2);
  assert.ok(Math.abs(sum(run.timeline.completed) - 200) <= 20);
  assert.equal(run.latency_ms.e2e.cdf.at(-1)[1], run.latency_ms.e2e.max);
  assert.deepEqual(run.server.pids, [simulator.pid]);
  assert.ok(run.server.rss_peak_bytes > 1e6);
  assert.match(stderr, /model: simulated/);
});

test('a closed loop has so many users and no more', async t => {
  const simulator = await startSimulator(t, { model: MODEL });
  const { run } = await bench(t, simulator.url, ['--concurrency', '7', '--duration', '1500ms', '--warmup', '0']);
  assert.equal(run.requests.failed, 0);
  assert.ok(run.requests.completed > 7);
  assert.ok(Math.max(...run.timeline.in_flight) <= 7);
  const state = await simulator.state();
  assert.ok(state.accepted <= 7 + 5, 'connections are used again');
});

const faults = [
  [{ kind: 'cut', after: 3 }, 'cut_stream'],
  [{ kind: 'cut', after: 3, reset: true, delay: '20ms' }, 'cut_stream'],
  [{ kind: 'cut' }, 'no_answer'],
  [{ kind: 'no_done' }, 'no_done'],
  [{ kind: 'malformed', after: 2 }, 'bad_json'],
  [{ kind: 'empty' }, 'empty_answer'],
  [{ kind: 'error_in_stream', after: 2 }, /^error_in_stream ./],
  [{ kind: 'wrong_type' }, 'wrong_type'],
  [{ kind: 'rate_limit' }, 'http_429 rate_limit_exceeded'],
  [{ kind: 'server_error', status: 503 }, /^http_503/],
  [{ kind: 'expired_key' }, 'http_401 invalid_api_key'],
  [{ kind: 'stall', after: 2 }, 'timeout'],
  [{ kind: 'cut', after: 1 }, 'cut_answer', '--no-stream'],
  [{ kind: 'malformed' }, 'bad_json', '--no-stream'],
  [{ kind: 'no_done' }, 'no_finish', '--no-stream'],
  [{ kind: 'empty' }, 'empty_answer', '--no-stream'],
];

test('each kind of wrong answer is an error of its name', async t => {
  const simulator = await startSimulator(t);
  for (const [fault, wanted, ...more] of faults) {
    await simulator.setFaults([fault]);
    const { run } = await bench(t, simulator.url, [...five, '--timeout', '200ms', ...more]);
    const [[kind, count], ...others] = Object.entries(run.errors);
    const what = `${JSON.stringify(fault)} ${more}: ${JSON.stringify(run.errors)}`;
    if (wanted instanceof RegExp) assert.match(kind, wanted, what);
    else assert.equal(kind, wanted, what);
    assert.equal(count, 5, what);
    assert.deepEqual(others, [], what);
    assert.deepEqual([run.requests.completed, run.requests.failed], [0, 5], what);
    assert.equal(run.latency_ms.e2e ?? run.latency_ms.ttft, undefined, 'errors have no latency');
  }
});

test('some errors among good answers are counted, and fail a run only on demand', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'rate_limit', share: 0.3 }] });
  const args = ['--no-check', '--concurrency', '4', '--requests', '100'];
  const { run } = await bench(t, simulator.url, args);
  const failed = run.errors['http_429 rate_limit_exceeded'];
  assert.ok(failed > 5 && failed < 60);
  assert.equal(run.requests.completed + failed, 100);
  assert.equal(run.latency_ms.e2e.n, run.requests.completed);
  await bench(t, simulator.url, [...args, '--fail-on-errors'], { code: 1 });
});

test('a server that stands still shows from the schedule, though few requests saw it', async t => {
  const simulator = await startSimulator(t);
  // With two connections only two requests can be on their way while it stands still.
  const { run } = await bench(t, simulator.url, [
    '--rate', '200', '--arrivals', 'constant', '--duration', '4s', '--warmup', '500ms',
    '--max-connections', '2'], {
    onStart: async () => {
      await until(async () => (await simulator.state()).requests > 200, 'the measuring has begun');
      await freeze(simulator.pid, 1000);
    },
  });
  assert.equal(run.requests.completed, 800);
  const { e2e, e2e_scheduled, queue_wait } = run.latency_ms;
  assert.ok(e2e.max > 900, 'one was on its way');
  assert.ok(e2e_scheduled.p99 > 800, `from schedule: ${e2e_scheduled.p99} ms`);
  assert.ok(queue_wait.p99 > 800, `waiting: ${queue_wait.p99} ms`);
  assert.ok(e2e.p99 < 400, `service time: ${e2e.p99} ms`);
});

test('words of another thread are an error, whatever their status', async t => {
  let before = 'nothing yet';
  const url = await serve(t, (body, response) => {
    const { content } = body.messages.at(-1);
    say(response, `You said: ${before}`);
    before = content;
  });
  const { run } = await bench(t, url, [...five, '--no-stream']);
  assert.equal(run.errors.foreign_words, 4);
  assert.equal(run.requests.completed, 1);
});

test('an echo can be demanded', async t => {
  const url = await serve(t, (_, response) => say(response, 'I will not repeat that.'));
  assert.deepEqual((await bench(t, url, [...five, '--no-stream'])).run.errors, {});
  assert.deepEqual((await bench(t, url, [...five, '--no-stream', '--expect-echo'])).run.errors, { no_echo: 5 });
});

const chunked = text => `${text.length.toString(16)}\r\n${text}\r\n`;
const EVENTS = ['{"choices":[{"delta":{"role":"assistant"}}]}', '{"choices":[{"delta":{"content":"Hel"}}]}',
                '{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}', '[DONE]'].map(x => `data: ${x}\n\n`);
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n';

test('answers are read whatever tells their end, and however they are cut', async t => {
  const all = EVENTS.join('');
  const answers = [
    { bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n${EVENTS.map(chunked).join('')}0\r\n\r\n` },
    { bytes: `HTTP/1.1 100 Continue\r\n\r\n${HEAD}content-length: ${all.length}\r\n\r\n${all}` },
    { bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n${chunked(all)}0\r\ntrailer: x\r\n\r\n` },
    { bytes: `${HEAD}\r\n${all.replaceAll('\n', '\r\n')}`, close: true },
    { bytes: `${HEAD}connection: close\r\ncontent-length: ${all.length}\r\n\r\n${all}`, close: true },
    { bytes: `${HEAD}\r\n${EVENTS[1]}`, close: true }, // no [DONE]
    { bytes: `${HEAD}content-length: 1000\r\n\r\n${all}`, close: true }, // cut
    { bytes: 'SSH-2.0-OpenSSH_9.2\r\n', close: true },
  ];
  for (const size of [1, 7, 100_000]) {
    const url = await serveBytes(t, answers, size);
    const { run } = await bench(t, url, ['--no-check', '--model', 'm', '--concurrency', '1', '--requests', '8']);
    assert.deepEqual(run.errors, { cut_stream: 1, no_answer: 1, no_done: 1 }, `pieces of ${size}`);
    assert.equal(run.requests.completed, 5);
    assert.equal(run.latency_ms.itl.n, 5 + 1, 'role-only chunks are no content');
  }
});

test('a server that remembers is measured with threads of the run', async t => {
  const server = await startServer(t);
  const url = `${server.url}/v1`;
  const { run } = await bench(t, url, ['--key', KEY, '--history', 'server', '--turns', '3', '--expect-echo',
                                       '--concurrency', '3', '--requests', '18']);
  assert.deepEqual(run.errors, {});
  assert.equal(run.requests.completed, 18);
  assert.deepEqual([run.turns, run.history], [3, 'server']);
  assert.deepEqual(run.server.pids, [server.pid]);
  const turns = (await get(server, '/v1/threads?limit=100')).data.map(x => x.turns);
  assert.equal(sum(turns), 18 + 1, 'the load, and the check before it');
  assert.equal(Math.max(...turns), 3, `${turns}`);
});

test('a client that keeps the history resends it', async t => {
  const seen = [];
  const url = await serve(t, (body, response) => {
    seen.push(body.messages.map(x => x.role[0]).join(''));
    say(response, `re: ${body.messages.at(-1).content}`);
  });
  await bench(t, url, [...five.slice(0, 3), '--requests', '3', '--no-stream', '--turns', '3']);
  assert.deepEqual(seen, ['u', 'uau', 'uauau']);
});

test('nobody shares one thread by accident', async t => {
  const server = await startServer(t);
  const { code, stderr } = await refused(t, ['--target', `${server.url}/v1`, '--key', KEY]);
  assert.equal(code, 1);
  assert.match(stderr, /keeps histories[^]*--history server/);
});

test('tenants ask with their keys and by their weights, and no key is written down', async t => {
  const simulator = await startSimulator(t);
  const { run, stdout } = await bench(t, simulator.url, [
    '--tenant', 'gold:3=sk-gold-1111', '--tenant', 'free=@FREE_KEY', '--concurrency', '4',
    '--requests', '200', '--no-check', '--header', 'X-Secret: hush'], { env: { FREE_KEY: 'sk-free-2222' } });
  const [gold, free] = run.tenants;
  assert.deepEqual([gold.name, free.name], ['gold', 'free']);
  assert.equal(gold.completed + free.completed, 200);
  assert.ok(gold.completed > 120 && gold.completed < 180, `gold had ${gold.completed}`);
  const log = await simulator.keptLog();
  assert.equal(log.filter(x => x.key === '...1111').length, gold.completed);
  assert.doesNotMatch(stdout, /sk-|hush/);
});

test('a trace is replayed at its times, the turns of a thread in their order', async t => {
  const seen = [];
  const began = Date.now();
  const url = await serve(t, (body, response) => {
    seen.push({ ms: Date.now() - began, text: body.messages.at(-1).content.replace(/^~\S+~ /, ''),
                max: body.max_tokens, turns: body.messages.length });
    setTimeout(() => say(response, 'ok'), 150);
  });
  const file = join(makeFolder(t), 'trace.jsonl');
  writeFileSync(file, [
    { at: 0.2, thread: 'a', prompt: 'two' },
    { at: 0.1, thread: 'a', prompt: 'one', max_tokens: 5 },
    { at: 0.6, prompt_words: 4 },
  ].map(x => `${JSON.stringify(x)}\n`).join(''));
  const { run } = await bench(t, url, ['--trace', file, '--no-stream', '--no-check']);
  assert.deepEqual([run.requests.scheduled, run.requests.completed], [3, 3]);
  assert.deepEqual(seen.slice(0, 2).map(x => [x.text, x.turns, x.max]), [['one', 1, 5], ['two', 3, undefined]]);
  assert.equal(seen[2].text.split(' ').length, 4);
  assert.ok(seen[1].ms - seen[0].ms >= 140, 'a turn waits for the one before');
  assert.ok(seen[2].ms - seen[0].ms >= 300, 'the last one comes at its time'); // 500, but for a late first
  // The second turn was due 100 ms after the first, but had to wait 50 ms for its end.
  assert.ok(run.latency_ms.e2e_scheduled.max >= 195, `${run.latency_ms.e2e_scheduled.max}`);
});

test('clients that leave are no errors, and the server sees them leave', async t => {
  const simulator = await startSimulator(t, { model: { first_token_delay: '10ms', token_interval: '20ms', length: '50' } });
  const { run } = await bench(t, simulator.url, [
    '--no-check', '--concurrency', '10', '--requests', '40', '--abandon', '0.5', '--abandon-after', '200ms']);
  assert.deepEqual(run.errors, {});
  assert.ok(run.requests.abandoned > 5 && run.requests.abandoned < 35, `${run.requests.abandoned} left`);
  assert.equal(run.requests.abandoned + run.requests.completed, 40);
  const left = await until(async () => {
    const { by_outcome } = await simulator.state();
    return by_outcome.client_closed === run.requests.abandoned && by_outcome;
  }, 'the simulator has seen them leave');
  assert.equal(left.complete, run.requests.completed);
});

test('slow readers take their time', async t => {
  const simulator = await startSimulator(t, { model: { length: '40' } });
  const args = ['--no-check', '--concurrency', '2', '--requests', '4'];
  const fast = await bench(t, simulator.url, args);
  const slow = await bench(t, simulator.url, [...args, '--slow', '1', '--slow-rate', '8000']);
  assert.deepEqual(slow.run.errors, {});
  assert.ok(fast.run.latency_ms.e2e.p50 < 200);
  assert.ok(slow.run.latency_ms.e2e.min > 500, `${slow.run.latency_ms.e2e.min} ms`);
});

test("somebody else's server is measured like ours", async t => {
  const mock = await startMockLlm(t);
  for (const more of [[], ['--no-stream', '--turns', '2']]) {
    const { run } = await bench(t, mock.url, ['--concurrency', '4', '--requests', '20', '--expect-echo', ...more]);
    assert.deepEqual(run.errors, {});
    assert.equal(run.requests.completed, 20);
    assert.deepEqual(run.server.pids, [mock.pid]);
    assert.equal('ttft' in run.latency_ms, more.length === 0);
  }
});

test('a sweep finds the knee of a model with four slots', async t => {
  const simulator = await startSimulator(t, { model: { first_token_delay: '30ms', token_interval: '10ms', length: '10', slots: 4 } });
  const { result } = await bench(t, simulator.url, ['--concurrency', '1..1024', '--duration', '1s', '--warmup', '0']);
  const { sweep, runs } = result;
  assert.deepEqual(runs.map(x => x.step), runs.map((_, i) => i + 1));
  const knee = runs[sweep.knee_step - 1];
  assert.ok([2, 4, 8].includes(knee.concurrency), JSON.stringify(sweep)); // 4 on a quiet machine
  assert.ok(runs.at(-1).latency_ms.e2e.p50 > 1.8 * knee.latency_ms.e2e.p50);
  assert.ok(runs.length < 9, 'it ends when more brings nothing');
  assert.match(sweep.why, /beyond it p99 grew/);
});

test('two targets take turns', async t => {
  const [a, b] = [await startSimulator(t), await startSimulator(t, { model: MODEL })];
  const { runs } = await bench(t, [`old=${a.url}`, `new=${b.url}`],
                               ['--concurrency', '2', '--requests', '10', '--rounds', '2']);
  assert.deepEqual(runs.map(x => [x.target, x.round]), [['old', 1], ['new', 1], ['new', 2], ['old', 2]]);
  assert.ok(runs[1].latency_ms.ttft.p50 > runs[0].latency_ms.ttft.p50);
});

test('Ctrl-C ends the load and gives what was measured', async t => {
  const simulator = await startSimulator(t);
  const { run } = await bench(t, simulator.url, ['--rate', '50', '--duration', '60s', '--warmup', '0'], {
    onStart: async child => {
      await until(async () => (await simulator.state()).requests > 20, 'some requests');
      child.kill('SIGINT');
    },
  });
  assert.equal(run.interrupted, true);
  assert.ok(run.requests.completed > 10);
  assert.ok(run.seconds < 30);
});

test('targets may have TLS, names and IPv6', async t => {
  const secure = await startSimulator(t, { tls: true });
  const url = secure.url.replace('127.0.0.1', 'localhost');
  const trusted = await bench(t, url, ['--concurrency', '2', '--requests', '20', '--model', 'm', '--ca-file', secure.tls.cert]);
  assert.equal(trusted.run.requests.completed, 20);
  const { code, stderr } = await refused(t, ['--target', url, '--model', 'm']);
  assert.equal(code, 1);
  assert.match(stderr, /certificate[^]*--ca-file/);
  const six = await startSimulator(t, { config: { listen: '[::1]:0' } });
  assert.equal((await bench(t, six.url, five)).run.requests.completed, 5);
});

test('the results come as tables, as a file and as a page', async t => {
  const simulator = await startSimulator(t);
  const { code, stdout, cwd } = await run(t, ['bench', '--target', simulator.url, '--requests', '20',
                                             '--json', 'result.json', '--html', 'result.html']);
  assert.equal(code, 0);
  assert.match(stdout, /p99/);
  const file = join(cwd, 'result.json');
  assert.equal(JSON.parse(readFileSync(file)).runs[0].requests.completed, 20);
  assert.ok(existsSync(join(cwd, 'result.html')));
  assert.equal((await run(t, ['bench', 'report', file])).stdout, stdout);
  const compared = await run(t, ['bench', 'compare', file, file]);
  assert.equal(compared.code, 0, compared.stderr);
  assert.match(compared.stdout, /1\.00/);
});

test('what cannot be measured is told with what to do', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'expired_key', key: 'wrong' }] });
  const cases = [
    [1, /nothing listens at 127.0.0.1:1 [^]*start the server/, '--target', 'http://127.0.0.1:1/v1'],
    [1, /no address[^]*--target/, '--target', 'http://no-such-host.invalid/v1'],
    [1, /http_401[^]*refuses the key/, '--target', simulator.url, '--key', 'wrong'],
    [1, /http_404[^]*\/v1/, '--target', (await startServer(t)).url, '--key', KEY],
    [2, /--target is missing/],
    [2, /--target must look like/, '--target', 'nonsense'],
    [2, /exclude each other/, '--target', simulator.url, '--rate', '1', '--concurrency', '1'],
    [2, /--rate must be/, '--target', simulator.url, '--rate', '0'],
    [2, /--duration must be/, '--target', simulator.url, '--duration', '5'],
    [2, /--prompt-words must be/, '--target', simulator.url, '--prompt-words', 'many'],
    [2, /--extra-body/, '--target', simulator.url, '--extra-body', '[]'],
    [2, /NO_SUCH_KEY is not set/, '--target', simulator.url, '--key-env', 'NO_SUCH_KEY'],
    [2, /a sweep has one target/, '--target', simulator.url, '--rate', '1,2', '--rounds', '2'],
    [2, /cannot read the trace/, '--target', simulator.url, '--trace', 'missing.jsonl'],
  ];
  for (const [code, pattern, ...args] of cases) {
    const out = await refused(t, args);
    assert.match(out.stderr, pattern, args.join(' '));
    assert.equal(out.code, code, `${args.join(' ')}: ${out.stderr}`);
  }
  assert.match((await run(t, ['bench', '--help'])).stdout, /Examples:[^]*--rate 5\.\.640/);
});

// In a network of its own, with few ports: 300 connections at once from 101 ports.
const FEW_PORTS = `
ip link set lo up && echo '40000 40100' > /proc/sys/net/ipv4/ip_local_port_range || exit 1
"$0" simulate --config "$1" --listen 127.0.0.1:8490 --quiet 2>/dev/null &
until "$0" bench --target http://127.0.0.1:8490/v1 --requests 1 >/dev/null 2>&1; do sleep 0.05; done
"$0" bench --target http://127.0.0.1:8490/v1 --no-check --concurrency 300 --requests 600 --quiet --json -
kill $!`;
const namespaces = spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

test('a loopback target may need more ports than an address has',
     { skip: !namespaces && 'networks of our own (unshare, ip) are not allowed here' }, async t => {
  const config = join(makeFolder(t), 'simulator.toml');
  writeFileSync(config, '[model]\nfirst_token_delay = "200ms"\n');
  const child = spawnSync('unshare', ['-rn', 'sh', '-c', FEW_PORTS, binary, config],
                          { encoding: 'utf8', timeout: 30_000 });
  assert.equal(child.status, 0, child.stderr);
  const [run] = JSON.parse(child.stdout).runs;
  assert.deepEqual(run.errors, {});
  assert.equal(run.requests.completed, 600);
});

const STREAMS = 10_000;
const limited = descriptorLimit() < STREAMS + 200 && `only ${descriptorLimit()} descriptors are allowed`;

test('ten thousand streams at once are held', { timeout: 120_000, skip: limited }, async t => {
  const simulator = await startSimulator(t, {
    args: ['--quiet'], model: { first_token_delay: '1s', token_interval: '1s', length: '6' } });
  const { run } = await bench(t, simulator.url, [
    '--concurrency', String(STREAMS), '--ramp', '4s', '--warmup', '2s', '--duration', '4s',
    '--no-check', '--model', 'simulated'], { limit: 100_000 });
  assert.deepEqual(run.errors, {});
  assert.equal(run.requests.unfinished, 0);
  assert.ok(Math.min(...run.timeline.in_flight) >= STREAMS - 1, `${run.timeline.in_flight}`);
  t.diagnostic(`the generator used ${(100 * run.client.cpu_seconds / run.seconds).toFixed(0)} % of a processor `
               + `for ${Math.round(run.throughput.output_tokens_per_s)} tokens/s`);
});
