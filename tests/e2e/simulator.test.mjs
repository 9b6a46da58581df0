// `lang-agent simulate`: what its clients see on their sockets, and what its log says about it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect as connectTls } from 'node:tls';
import OpenAI from 'openai';
import { delay, parseEvents, run, SOON, test, until, user, within } from './harness.mjs';
import { chatRequest, open, request } from './raw.mjs';
import { startSimulator } from './simulator.mjs';

const KEY = 'sk-simulated-4711';
const hello = (more = {}) => ({ model: 'm', messages: [user('hello there')], ...more });
const ANSWER = 'This is turn 1 of our conversation. You said: "hello there".';
const WORDS = ANSWER.split(' ').length;

/** One request on a connection of its own: { client, status, headers, text, body }. */
async function ask(t, simulator, more = {}, { key = KEY, headers } = {}) {
  const client = await open(t, simulator.port);
  await client.send(chatRequest(key, hello(more), headers));
  return { client, ...await client.response() };
}

/** A request whose answer is not waited for. */
async function begin(t, simulator, more = {}, headers = {}) {
  const client = await open(t, simulator.port);
  await client.send(chatRequest(KEY, hello(more), headers));
  return client;
}

const deltasIn = text => text.split('\n').filter(line => line.includes('"content":')).length;
const lastLine = async simulator => (await simulator.keptLog()).at(-1);
const both = [{ stream: false }, { stream: true }];

// -- answers --------------------------------------------------------------------------------------

test('the official client gets plain and streamed answers', async t => {
  const simulator = await startSimulator(t);
  const client = new OpenAI({ apiKey: KEY, baseURL: simulator.url, maxRetries: 0 });
  const plain = await client.chat.completions.create(hello());
  assert.equal(plain.choices[0].message.content, ANSWER);
  assert.equal(plain.choices[0].finish_reason, 'stop');
  assert.equal(plain.usage.completion_tokens, WORDS);

  const final = await client.chat.completions.stream(
    hello({ stream_options: { include_usage: true } })).finalChatCompletion();
  assert.equal(final.choices[0].message.content, ANSWER);
  assert.equal(final.usage.completion_tokens, WORDS);
  const models = await client.models.list();
  assert.deepEqual(models.data.map(x => x.id), ['simulated']);

  const [first, second] = await simulator.keptLog();
  assert.deepEqual(
    { ...first, connection: 0, at_ms: 0, first_byte_ms: 0, ms: 0 },
    { n: 1, connection: 0, path: '/v1/chat/completions', request_id: null, key: '...4711', model: 'm',
      stream: false, fault: null, kind: null, status: 200, deltas: 0, outcome: 'complete',
      at_ms: 0, first_byte_ms: 0, ms: 0 });
  assert.equal(second.deltas, WORDS);
  assert.equal(second.outcome, 'complete');
});

test('n, max_tokens, include_usage and any prefix are honoured', async t => {
  const simulator = await startSimulator(t, { model: { length: '20' } });
  const short = await ask(t, simulator, { max_tokens: 3, n: 2 });
  assert.deepEqual(short.body.choices.map(x => x.finish_reason), ['length', 'length']);
  assert.equal(short.body.choices[1].message.content, 'This is turn ');
  assert.equal(short.body.usage.completion_tokens, 6);

  const streamed = parseEvents((await ask(t, simulator, { stream: true })).text);
  assert.ok(streamed.done);
  assert.equal(streamed.text.split(' ').length, 20);
  assert.equal(streamed.chunks[0].choices[0].delta.role, 'assistant');
  assert.ok(streamed.chunks.every(x => x.usage === undefined));
  const counted = parseEvents((await ask(
    t, simulator, { stream: true, stream_options: { include_usage: true } })).text);
  assert.deepEqual(counted.chunks.at(-1).choices, []);
  assert.equal(counted.chunks.at(-1).usage.completion_tokens, 20);

  const elsewhere = await fetch(`${simulator.origin}/some/where/chat/completions`,
                                { method: 'POST', body: JSON.stringify(hello()) });
  assert.equal(elsewhere.status, 200);
  const line = await lastLine(simulator);
  assert.equal(line.path, '/some/where/chat/completions');
  assert.equal(line.key, null);
});

test('what is no chat request is refused and logged', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'server_error' }] });
  const post = (path, body) => fetch(simulator.origin + path, { method: 'POST', body });
  assert.equal((await post('/v1/chat/completions', '{"model":')).status, 400);
  assert.equal((await post('/v1/completions', '{}')).status, 404);
  assert.equal((await fetch(`${simulator.url}/chat/completions`)).status, 405);
  const log = await simulator.keptLog();
  assert.deepEqual(log.map(x => [x.n, x.status, x.outcome, x.kind]),
                   [[1, 400, 'refused', null], [2, 404, 'refused', null], [3, 405, 'refused', null]]);
});

test('delays and lengths come from the model\'s distributions', async t => {
  const simulator = await startSimulator(t, {
    model: { first_token_delay: '200ms', token_interval: 'uniform(5ms, 15ms)', length: '10' } });
  for (const more of both) {
    const begun = Date.now();
    const answer = await ask(t, simulator, more);
    assert.equal(answer.status, 200);
    assert.ok(Date.now() - begun >= 200 + 9 * 5 - 5, `${Date.now() - begun} ms`);
  }
  const streamed = await lastLine(simulator);
  assert.ok(streamed.first_byte_ms >= 195 && streamed.first_byte_ms < 290, streamed.first_byte_ms);
  assert.ok(streamed.ms - streamed.first_byte_ms >= 9 * 5 - 5);

  await simulator.setModel({ length: 'uniform(10, 200)' });
  const lengths = new Set();
  for (let i = 0; i < 5; ++i) lengths.add((await ask(t, simulator)).body.usage.completion_tokens);
  assert.ok(lengths.size > 1 && [...lengths].every(x => x >= 10 && x <= 200), [...lengths].join());
});

test('above its slots the model slows down', async t => {
  const simulator = await startSimulator(t, { model: { token_interval: '10ms', length: '20', slots: 2 } });
  await ask(t, simulator, { stream: true });
  const alone = await lastLine(simulator);
  await Promise.all(Array.from({ length: 8 }, () => ask(t, simulator, { stream: true })));
  const crowded = await lastLine(simulator);
  assert.ok(alone.ms < 400, alone.ms);
  assert.ok(crowded.ms > 500, `8 answers in 2 slots: ${crowded.ms} ms`);
});

// -- faults that refuse ---------------------------------------------------------------------------

const refusals = [
  [{ kind: 'rate_limit', retry_after: '1500ms' }, 429, 'rate_limit_exceeded'],
  [{ kind: 'server_error' }, 500, null],
  [{ kind: 'server_error', status: 503, retry_after: '2s' }, 503, null],
  [{ kind: 'expired_key' }, 401, 'invalid_api_key'],
  [{ kind: 'forbidden' }, 403, 'unsupported_country_region_territory'],
  [{ kind: 'not_found_model' }, 404, 'model_not_found'],
  [{ kind: 'context_too_long' }, 400, 'context_length_exceeded'],
  [{ kind: 'bad_request' }, 400, 'invalid_value'],
];

test('refusals have a provider\'s status, error object and head', async t => {
  const simulator = await startSimulator(t);
  for (const [fault, status, code] of refusals) {
    await simulator.setFaults([{ ...fault, name: 'mine' }]);
    for (const more of both) {
      const answer = await ask(t, simulator, more);
      assert.equal(answer.status, status);
      assert.deepEqual(Object.keys(answer.body.error), ['message', 'type', 'param', 'code']);
      assert.equal(answer.body.error.code, code);
      assert.match(answer.headers['content-type'], /^application\/json/);
      if (fault.kind === 'expired_key') assert.ok(answer.body.error.message.includes(KEY));
      const line = await lastLine(simulator);
      assert.deepEqual([line.fault, line.kind, line.status, line.outcome, line.deltas],
                       ['mine', fault.kind, status, 'refused', 0]);
    }
  }
});

test('when to retry is said in seconds and milliseconds', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'rate_limit', retry_after: '1500ms' }] });
  const limited = await ask(t, simulator);
  assert.equal(limited.headers['retry-after'], '2');
  assert.equal(limited.headers['retry-after-ms'], '1500');
  await simulator.setFaults([{ kind: 'rate_limit', retry_after: 'none' }]);
  assert.equal((await ask(t, simulator)).headers['retry-after'], undefined);
  await simulator.setFaults([{ kind: 'rate_limit' }]);
  assert.equal((await ask(t, simulator)).headers['retry-after'], '1');
  await simulator.setFaults([{ kind: 'server_error', delay: '300ms' }]);
  const begun = Date.now();
  const late = await ask(t, simulator);
  assert.equal(late.headers['retry-after'], undefined);
  assert.ok(Date.now() - begun >= 295);
});

// -- faults of answers ----------------------------------------------------------------------------

test('stall: silence before the first byte, until the client closes', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'stall' }] });
  for (const more of both) {
    const client = await begin(t, simulator, more);
    await delay(300);
    assert.equal(client.input.length, 0);
    assert.equal((await simulator.state()).active, 1);
    const count = simulator.log.length;
    client.destroy();
    const [line] = (await simulator.lines(count + 1)).slice(-1);
    assert.deepEqual([line.kind, line.outcome, line.status, line.deltas, line.first_byte_ms],
                     ['stall', 'client_closed', null, 0, null]);
    assert.ok(line.ms >= 295 && line.ms < 300 + SOON, line.ms);
  }
});

test('stall: silence after some deltas, or in the middle of a body', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'stall', after: 3 }] });
  const streamed = await begin(t, simulator, { stream: true });
  await streamed.until('turn ');
  await delay(200);
  assert.equal(deltasIn(streamed.input.toString()), 3);
  assert.ok(!streamed.ended);
  streamed.destroy();
  const line = (await simulator.lines(1))[0];
  assert.deepEqual([line.outcome, line.status, line.deltas], ['client_closed', 200, 3]);

  const plain = await begin(t, simulator);
  await plain.until('"choices"');
  await delay(200);
  assert.ok(!plain.ended && !plain.input.includes('"usage"'));
  plain.destroy();
  assert.equal((await simulator.lines(2))[1].status, 200);
});

test('stall: with a delay the answer goes on', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'stall', after: 2, delay: '300ms' }] });
  for (const more of both) {
    const begun = Date.now();
    const answer = await ask(t, simulator, more);
    assert.ok(Date.now() - begun >= 295);
    assert.equal(more.stream ? parseEvents(answer.text).text : answer.body.choices[0].message.content,
                 ANSWER);
    assert.equal((await lastLine(simulator)).outcome, 'complete');
  }
});

test('cut: before the head, or after deltas, with FIN or RST', async t => {
  const simulator = await startSimulator(t);
  for (const stream of [false, true]) {
    for (const after of [0, 4]) {
      for (const reset of [false, true]) {
        // Node takes an RST that comes right behind data for an end.
        await simulator.setFaults([{ kind: 'cut', after, reset, delay: '50ms' }]);
        const client = await begin(t, simulator, { stream });
        const text = (await client.end()).toString();
        const what = JSON.stringify({ stream, after, reset });
        assert.equal(client.error?.code, reset ? 'ECONNRESET' : undefined, what);
        assert.equal(text === '', after === 0, what);
        if (stream) assert.equal(deltasIn(text), after, what);
        if (stream) assert.ok(!text.endsWith('0\r\n\r\n'), what);
        else assert.ok(!text.includes('"usage"'), what);
        const line = await lastLine(simulator);
        assert.deepEqual([line.outcome, line.deltas, line.status],
                         ['cut', stream ? after : 0, after > 0 ? 200 : null], what);
      }
    }
  }
});

test('a short answer meets its fault at the latest before its end', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'cut', after: 1000 }] });
  const client = await begin(t, simulator, { stream: true });
  const text = (await client.end()).toString();
  assert.equal(deltasIn(text), WORDS);
  assert.ok(!text.includes('"stop"'));
});

test('malformed: one event, or the body, is no JSON', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'malformed', after: 2 }] });
  const streamed = await ask(t, simulator, { stream: true });
  const events = streamed.text.split('\n\n').filter(Boolean).map(x => x.replace(/^data: /, ''));
  assert.equal(events.at(-1), '[DONE]');
  const broken = events.slice(0, -1).map(x => { try { JSON.parse(x); return false; } catch { return true; } });
  assert.equal(broken.indexOf(true), 2);
  assert.equal(broken.filter(Boolean).length, 1);
  const line = await lastLine(simulator);
  assert.deepEqual([line.outcome, line.deltas], ['malformed', WORDS - 1]);

  const plain = await ask(t, simulator);
  assert.equal(plain.status, 200);
  assert.throws(() => JSON.parse(plain.text));
  assert.equal((await lastLine(simulator)).outcome, 'malformed');
});

test('slow_head: the head comes in drips, the rest at once', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'slow_head', delay: '20ms' }] });
  for (const more of both) {
    const client = await begin(t, simulator, more);
    await client.until('HTTP/1.1');
    assert.ok(client.input.length < 60, `${client.input.length} bytes`);
    const answer = await client.response();
    assert.equal(answer.status, 200);
    const line = await lastLine(simulator);
    assert.equal(line.outcome, 'complete');
    assert.ok(line.ms >= 200 && line.first_byte_ms < 50, JSON.stringify(line));
  }
});

test('wrong_type, error_in_stream, no_done and empty are a 200 without an answer', async t => {
  const simulator = await startSimulator(t);
  const see = async (fault, stream) => {
    await simulator.setFaults([fault]);
    const answer = await ask(t, simulator, { stream });
    assert.equal(answer.status, 200);
    const line = await lastLine(simulator);
    assert.deepEqual([line.kind, line.outcome, line.status], [fault.kind, fault.kind, 200]);
    return { ...answer, line };
  };
  for (const stream of [false, true]) {
    const page = await see({ kind: 'wrong_type' }, stream);
    assert.match(page.headers['content-type'], /^text\/html/);
    assert.match(page.text, /<html>/);
  }
  assert.equal((await see({ kind: 'error_in_stream' }, false)).body.error.type, 'server_error');
  const first = parseEvents((await see({ kind: 'error_in_stream' }, true)).text);
  assert.deepEqual([first.chunks.length, first.error.type, first.done], [1, 'server_error', false]);
  const later = await see({ kind: 'error_in_stream', after: 3 }, true);
  assert.equal(parseEvents(later.text).chunks.length, 4);
  assert.equal(later.line.deltas, 3);

  assert.equal((await see({ kind: 'no_done' }, false)).body.choices[0].finish_reason, null);
  const endless = parseEvents((await see({ kind: 'no_done' }, true)).text);
  assert.deepEqual([endless.text, endless.done], [ANSWER, false]);
  assert.ok(endless.chunks.every(x => x.choices[0].finish_reason === null));
  assert.equal((await see({ kind: 'no_done', after: 2 }, true)).line.deltas, 2);

  assert.deepEqual((await see({ kind: 'empty' }, false)).body.choices, []);
  const empty = parseEvents((await see({ kind: 'empty' }, true)).text);
  assert.deepEqual([empty.chunks, empty.done], [[], true]);
});

test('slow: all delays times the factor', async t => {
  const simulator = await startSimulator(t, {
    model: { first_token_delay: '20ms', token_interval: '2ms', length: '11' },
    faults: [{ kind: 'slow', factor: 10, limit: 1 }] });
  await ask(t, simulator, { stream: true });
  await ask(t, simulator, { stream: true });
  const [slow, normal] = await simulator.keptLog();
  assert.deepEqual([slow.kind, slow.outcome, normal.kind], ['slow', 'complete', null]);
  assert.ok(slow.first_byte_ms >= 195 && slow.ms >= 395, JSON.stringify(slow));
  assert.ok(normal.ms < 200, JSON.stringify(normal));
});

// -- TLS ------------------------------------------------------------------------------------------

function tlsConnection(t, simulator) {
  const socket = connectTls({ port: simulator.port, host: '127.0.0.1', servername: 'localhost',
                              ca: readFileSync(simulator.tls.cert) });
  t.after(() => socket.destroy());
  return socket;
}

test('with a certificate it serves https', async t => {
  const simulator = await startSimulator(t, { tls: true, model: { token_interval: '1ms' } });
  assert.match(simulator.url, /^https:/);
  for (const stream of [false, true]) {
    const socket = tlsConnection(t, simulator);
    let text = '';
    socket.setEncoding('utf8').on('data', data => { text += data; });
    socket.write(chatRequest(KEY, hello({ stream }), { connection: 'close' }));
    await until(() => text.includes('there') && text.includes('"stop"'), 'the answer');
    assert.match(text, /^HTTP\/1.1 200 OK/);
  }
  await simulator.setFaults([{ kind: 'stall' }]);
  const socket = tlsConnection(t, simulator);
  socket.write(chatRequest(KEY, hello()));
  await until(async () => (await simulator.state()).active === 1, 'the stall');
  socket.destroy();
  const line = await within(SOON, simulator.logged(x => x.kind === 'stall'), 'the end is noticed');
  assert.equal(line.outcome, 'client_closed');
});

test('tls_failure: no handshake, or on a plain listener no connection', async t => {
  const secure = await startSimulator(t, { tls: true, faults: [{ kind: 'tls_failure', limit: 1 }] });
  const error = await new Promise(resolve => tlsConnection(t, secure).on('error', resolve));
  assert.equal(error.code, 'ERR_SSL_WRONG_VERSION_NUMBER');
  const good = tlsConnection(t, secure);
  await new Promise(resolve => good.once('secureConnect', resolve));

  const plain = await startSimulator(t, { faults: [{ kind: 'tls_failure', limit: 1 }] });
  const client = await begin(t, plain);
  assert.equal((await client.end()).length, 0);
  assert.equal((await ask(t, plain)).status, 200);
  for (const simulator of [secure, plain]) {
    const line = await simulator.logged(x => x.kind === 'tls_failure');
    assert.deepEqual([line.n, line.connection, line.outcome, line.status],
                     [null, 1, 'tls_failure', null]);
  }
});

// -- clients that leave ---------------------------------------------------------------------------

const stages = [
  ['before the first token', { first_token_delay: '30s' }, [], ''],
  ['between tokens', { token_interval: '30s' }, [], 'This '],
  ['before a refusal', {}, [{ kind: 'rate_limit', delay: '30s' }], ''],
  ['in a slow head', {}, [{ kind: 'slow_head', delay: '30s' }], 'HTTP/1.1'],
  ['in a stall before the head', {}, [{ kind: 'stall' }], ''],
  ['in a stall after deltas', {}, [{ kind: 'stall', after: 2 }], 'is '],
  ['before a cut', {}, [{ kind: 'cut', after: 1, delay: '30s' }], 'This '],
];

for (const [stage, model, faults, seen] of stages) {
  test(`a client that leaves ${stage} is noticed within a second`, async t => {
    const simulator = await startSimulator(t, { model, faults });
    const client = await begin(t, simulator, { stream: true });
    if (seen) await client.until(seen);
    await until(async () => (await simulator.state()).active === 1, 'the answer begins');
    await delay(100);
    client.destroy();
    const [line] = await within(SOON, simulator.lines(1), 'the client is missed');
    assert.equal(line.outcome, 'client_closed');
    assert.equal(line.kind, faults[0]?.kind ?? null);
    assert.equal((await simulator.state()).active, 0);
  });
}

test('a client that reads nothing and leaves is noticed, too', async t => {
  const simulator = await startSimulator(t, { model: { length: '300000' } });
  const client = await open(t, simulator.port);
  client.socket.pause();
  await client.send(chatRequest(KEY, hello({ stream: true })));
  await delay(500);
  assert.equal((await simulator.state()).active, 1);
  client.destroy();
  const [line] = await within(SOON, simulator.lines(1), 'the client is missed');
  assert.equal(line.outcome, 'client_closed');
  assert.ok(line.deltas < 300_000);
});

// -- rules ----------------------------------------------------------------------------------------

async function outcomes(t, simulator, count, options) {
  const out = [];
  for (let i = 0; i < count; ++i) out.push((await ask(t, simulator, {}, options)).status);
  return out;
}

test('which requests a share hits follows from the seed', async t => {
  const faults = [{ kind: 'rate_limit', share: 0.5 }];
  const pattern = async seed => outcomes(t, await startSimulator(t, { config: { seed }, faults }), 40);
  const first = await pattern(7);
  assert.deepEqual(await pattern(7), first);
  assert.notDeepEqual(await pattern(8), first);
  const hits = first.filter(x => x === 429).length;
  assert.ok(hits > 8 && hits < 32, `${hits} of 40`);
});

test('rules look at key and model, have a limit, and are tried in order', async t => {
  const simulator = await startSimulator(t, { faults: [
    { name: 'a', kind: 'rate_limit', key: 'sk-a', limit: 2 },
    { name: 'b', kind: 'server_error', model: 'broken' },
    { name: 'c', kind: 'forbidden', key: 'sk-a', model: 'm' },
  ] });
  assert.deepEqual(await outcomes(t, simulator, 4, { key: 'sk-a' }), [429, 429, 403, 403]);
  assert.deepEqual(await outcomes(t, simulator, 2, { key: 'sk-b' }), [200, 200]);
  assert.equal((await ask(t, simulator, { model: 'broken' }, { key: 'sk-b' })).status, 500);
  assert.deepEqual((await simulator.faults()).map(x => x.hits), [2, 1, 2]);
  assert.deepEqual((await simulator.state()).by_fault, { a: 2, b: 1, c: 2 });
});

// -- control --------------------------------------------------------------------------------------

test('faults and model change at run time, for requests that come later', async t => {
  const simulator = await startSimulator(t, { model: { token_interval: '50ms', length: '10' } });
  const running = begin(t, simulator, { stream: true });
  const client = await running;
  await client.until('This ');
  await simulator.setFaults('[[faults]]\nkind = "server_error"\nstatus = 502\n');
  await simulator.setModel({ names: ['x', 'y'] });
  assert.equal((await ask(t, simulator)).status, 502);
  assert.equal(deltasIn((await client.response()).text), 10);
  const models = await (await fetch(`${simulator.url}/models`)).json();
  assert.deepEqual(models.data.map(x => x.id), ['x', 'y']);

  const bad = await simulator.control('PUT', 'faults', '[[faults]]\nkind = "nonsense"\n');
  assert.equal(bad.status, 400);
  assert.match(JSON.parse(bad.text).error.message, /faults:2: faults\[0\]\.kind is "nonsense"/);
  assert.equal((await simulator.control('PUT', 'model', 'speed = 1')).status, 400);
  assert.equal((await simulator.control('DELETE', 'model')).status, 405);
  assert.equal((await simulator.control('GET', 'nothing')).status, 404);
  assert.equal((await simulator.control('GET', 'log?since=x')).status, 400);
  assert.equal((await ask(t, simulator)).status, 502, 'the old faults stay');
  await simulator.setFaults();
  assert.equal((await ask(t, simulator)).status, 200);
});

test('state and log say what went on', async t => {
  const simulator = await startSimulator(t, { faults: [{ name: 'once', kind: 'cut', limit: 1 }] });
  await (await begin(t, simulator, {}, { 'x-request-id': 'req-77' })).end();
  await ask(t, simulator);
  const state = await simulator.state();
  assert.equal(state.active, 0);
  assert.equal(state.requests, 2);
  assert.ok(state.connections >= 1 && state.accepted >= 3);
  assert.deepEqual(state.by_outcome, { complete: 1, cut: 1 });
  const log = await simulator.keptLog();
  assert.deepEqual(log.map(x => [x.n, x.request_id, x.fault]), [[1, 'req-77', 'once'], [2, null, null]]);
  assert.deepEqual(await simulator.keptLog(2), log.slice(1));
  assert.deepEqual(await simulator.lines(2), log, 'the same on standard output');
});

test('--quiet prints nothing; SIGTERM ends it at once, whatever runs', async t => {
  const simulator = await startSimulator(t, { faults: [{ kind: 'stall' }], args: ['--quiet', '--threads', '2'] });
  const clients = await Promise.all(Array.from({ length: 20 }, () => begin(t, simulator)));
  await until(async () => (await simulator.state()).active === 20, 'all stall');
  clients[0].destroy();
  await until(async () => (await simulator.keptLog()).length === 1, 'one has left');
  await within(SOON, simulator.stop(), 'it ends');
  assert.deepEqual(simulator.exit, { code: 0, signal: null });
  assert.deepEqual(simulator.log, []);
});

test('HEAD has no body', async t => {
  const simulator = await startSimulator(t);
  for (const path of ['/simulator/state', '/v1/chat/completions', '/nowhere']) {
    const client = await open(t, simulator.port);
    await client.send(request('HEAD', path, { connection: 'close' }));
    assert.ok((await client.response({ bodiless: true })).status >= 400);
    assert.equal((await client.end()).length, 0, path);
  }
});

test('whatever a request holds, its line is short JSON', async t => {
  const simulator = await startSimulator(t);
  const client = await open(t, simulator.port);
  await client.send(Buffer.concat([Buffer.from('GET /'), Buffer.from([0xff, 0xc3]),
                                   Buffer.from(`${'\u00e9'.repeat(5000)} HTTP/1.1\r\nx-request-id: `),
                                   Buffer.from([0xe9]), Buffer.from('\r\n\r\n')]));
  const answer = await client.response();
  if (answer.status === 404) assert.match(answer.body.error.message, /\ufffd/);
  const line = await lastLine(simulator);
  if (line) assert.equal(line.path.length, 200);
  const { body } = await ask(t, simulator, { model: 'm'.repeat(250) });
  assert.equal(body.model.length, 250);
  assert.equal((await lastLine(simulator)).model, 'm'.repeat(200));
});

test('times beyond all measure end in no overflow', async t => {
  const simulator = await startSimulator(t, {
    model: { first_token_delay: 'lognormal(1h, 1000000)', token_interval: '277h', length: '1000000' } });
  for (let i = 0; i < 4; ++i) await begin(t, simulator);
  await until(async () => (await simulator.state()).requests === 4, 'the requests have come');
});

test('SIGTERM ends it although nobody reads its log', async t => {
  const simulator = await startSimulator(t);
  simulator.child.stdout.pause();
  for (let i = 0; i < 600; ++i)
    await ask(t, simulator, { model: 'm'.repeat(400) }, { headers: { 'x-request-id': 'r'.repeat(400) } });
  const began = Date.now();
  simulator.child.kill('SIGTERM');
  const [code] = await within(5000, once(simulator.child, 'exit'), 'the end');
  assert.equal(code, 0);
  const took = Date.now() - began;
  assert.ok(took > 900 && took < 1000 + SOON, `${took} ms`);
  simulator.child.stdout.destroy();
  await simulator.ended;
});

test('mistakes on the command line and in the file are named', async t => {
  const bad = await run(t, ['simulate'], { config: 'seed = 1\nmodell = 2\n' });
  assert.notEqual(bad.code, 0);
  assert.match(bad.stderr, /test\.toml:2: modell is not a known key; did you mean "model"\?/);
  assert.notEqual((await run(t, ['simulate', '--tls-cert', 'x.pem'])).code, 0);
  assert.match((await run(t, ['simulate', '--listen', 'nowhere'])).stderr, /cannot listen/);
  assert.match((await run(t, ['simulate', '--help'])).stdout, /Examples:/);
});

// -- load -----------------------------------------------------------------------------------------

test('1,000 streams at once', async t => {
  const simulator = await startSimulator(t, {
    model: { first_token_delay: '300ms', token_interval: '20ms', length: '30' }, args: ['--quiet'] });
  const agent = new Agent({ maxSockets: Infinity });
  t.after(() => agent.destroy());
  const stream = () => new Promise((resolve, reject) => {
    const asked = httpRequest(`${simulator.url}/chat/completions`, { method: 'POST', agent }, async response => {
      let text = '';
      for await (const piece of response.setEncoding('utf8')) text += piece;
      resolve(text);
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(hello({ stream: true })));
  });
  let most = 0;
  const watch = setInterval(async () => { most = Math.max(most, (await simulator.state()).active); }, 50);
  const texts = await Promise.all(Array.from({ length: 1000 }, stream)).finally(() => clearInterval(watch));
  for (const text of texts) assert.ok(text.endsWith('data: [DONE]\n\n'));
  assert.ok(most > 500, `${most} at once`);
  const state = await simulator.state();
  assert.deepEqual(state.by_outcome, { complete: 1000 });
});
