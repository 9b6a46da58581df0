// What tenants and keys may use: never one too many, and nothing lost afterwards.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as dial } from 'node:net';
import OpenAI from 'openai';
import { delay, KEY, ONE_ATTEMPT, start, test, until, user } from './harness.mjs';
import { completion, gate } from './upstream.mjs';

const tenant = (limits, more = {}) => ({ tenants: [{ name: 'alice', keys: [KEY], ...limits }], ...more });

/** Plain answers with this usage. */
const using = (prompt_tokens, completion_tokens) => x =>
  x.json(completion({ content: 'ok' }, {}, {
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens } }));

const ask = (server, more = {}, options = {}) =>
  server.chat({ messages: [user('hi')], max_tokens: 10, thread_id: 't', ...more }, options);

const inThreads = (server, count, more = {}) =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(server, { thread_id: `t${i}`, ...more })));

/** A connection that sends requests one after the other; answers have a content-length. */
async function connect(server) {
  const socket = dial(server.port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', data => { text += data; }).on('error', () => {});
  const closed = once(socket, 'close');
  const whole = () => {
    const end = text.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
    return end > 0 && text.length >= end + 4 + length;
  };
  return {
    closed, close: () => socket.destroy(),
    async request(bytes) {
      text = '';
      socket.write(bytes);
      await until(whole, 'an answer');
      return text;
    },
  };
}

const statuses = answers => answers.reduce(
  (sum, x) => ({ ...sum, [x.status]: (sum[x.status] ?? 0) + 1 }), {});

test('a tenant has so many turns at once and not one more', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, tenant({ max_turns: 5 }), behaviour);
  const answers = inThreads(server, 50);
  await until(() => upstream.requests.length === 5, 'five turns run');
  await delay(100);
  assert.equal(upstream.requests.length, 5);
  open();
  assert.deepEqual(statuses(await answers), { 200: 5, 429: 45 });
  assert.deepEqual(statuses(await inThreads(server, 5)), { 200: 5 });
});

test('of these, so many streams', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, tenant({ max_turns: 10, max_streams: 2 }), behaviour);
  const streams = Array.from({ length: 4 }, (_, i) =>
    server.stream({ messages: [user('hi')], thread_id: `s${i}` }));
  await until(() => upstream.requests.length === 2, 'two streams run');
  const plain = ask(server, { thread_id: 'p' });
  await until(() => upstream.requests.length === 3, 'a plain turn runs beside them');
  open();
  assert.deepEqual(statuses(await Promise.all(streams)), { 200: 2, 429: 2 });
  assert.equal((await plain).status, 200);
});

test('requests by the minute are counted and told in headers', async t => {
  const { server } = await start(t, tenant({ requests_per_minute: 3 }));
  const first = await ask(server);
  assert.equal(first.status, 200);
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '3');
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '2');
  assert.match(first.headers.get('x-ratelimit-reset-requests'), /^(19\.\d+|20)s$/);
  assert.equal(first.headers.get('x-ratelimit-limit-tokens'), null);
  const streamed = await server.stream({ messages: [user('hi')], thread_id: 's' });
  assert.equal(streamed.headers.get('x-ratelimit-remaining-requests'), '1');
  await ask(server);
  const refused = await ask(server);
  assert.equal(refused.status, 429);
  assert.equal(refused.error.type, 'rate_limit_error');
  assert.equal(refused.error.code, 'rate_limit_exceeded');
  assert.match(refused.error.message, /requests per minute: limit 3.*try again in/);
  assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0');
  const wait = Number(refused.headers.get('retry-after-ms'));
  assert.ok(wait > 15_000 && wait <= 20_000, `${wait}`);
  assert.equal(refused.headers.get('retry-after'), String(Math.ceil(wait / 1000)));
  const models = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(models.headers.get('x-ratelimit-remaining-requests'), '0');
});

test('every answer tells what is left, whatever it says', async t => {
  const { server } = await start(
    t, tenant({ requests_per_minute: 3 }, { server: { max_body_bytes: '1KiB' } }));
  const headers = { authorization: `Bearer ${KEY}` };
  const post = (type, body) => fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST', headers: { ...headers, 'content-type': type }, body });
  const get = path => fetch(server.url + path, { headers });
  const answers = [[415, post('text/plain', 'hi')], [413, post('application/json', 'x'.repeat(2000))],
                   [400, post('application/json', '{')], [404, get('/v1/threads/none')],
                   [404, get('/v1/models/none')], [200, get('/v1/threads')]];
  for (const [status, answer] of answers) {
    const got = await answer;
    assert.equal(got.status, status);
    assert.equal(got.headers.get('x-ratelimit-limit-requests'), '3', `${status}`);
  }
});

test('the headers that other origins may see name the limits', async t => {
  const { server } = await start(t, tenant({ requests_per_minute: 3 }));
  assert.match((await ask(server)).headers.get('access-control-expose-headers'),
               /x-ratelimit-remaining-tokens.*retry-after-ms/);
});

test('what is refused or fails before an upstream is asked does not count', async t => {
  const { server } = await start(t, tenant({ requests_per_minute: 2, max_turns: 10 }));
  for (let i = 0; i < 5; ++i)
    assert.equal((await server.chat({ messages: 'no list' })).status, 400);
  const stray = { messages: [{ role: 'tool', tool_call_id: 'nobody', content: 'x' }] };
  assert.equal((await ask(server, stray)).status, 400);
  assert.deepEqual(statuses([await ask(server), await ask(server), await ask(server)]),
                   { 200: 2, 429: 1 });
});

test('tokens are held for the whole answer and given back when it is shorter', async t => {
  const held = gate();
  const { server, upstream } = await start(t, tenant({ tokens_per_minute: 1000 }), held.behaviour);
  const long = ask(server, { max_tokens: 800 });
  await upstream.request(0);
  const refused = await ask(server, { max_tokens: 300, thread_id: 'u' });
  assert.equal(refused.status, 429);
  assert.match(refused.error.message, /tokens per minute/);
  held.open();
  assert.equal((await long).status, 200);
  upstream.behave(using(20, 30));
  const after = await ask(server, { max_tokens: 300, thread_id: 'u' });
  assert.equal(after.status, 200, 'what was not used is there again');
});

test('the history of a thread counts, although the client did not send it', async t => {
  const { server } = await start(t, tenant({ tokens_per_minute: 1000 }), using(1, 1));
  const long = 'word '.repeat(700); // 875 tokens
  assert.equal((await ask(server, { messages: [user(long)] })).status, 200);
  const again = await ask(server, { messages: [user(long)] });
  assert.equal(again.status, 429);
  assert.match(again.error.message, /too large/);
  assert.equal(again.headers.get('x-should-retry'), 'false');
  assert.equal((await ask(server, { thread_id: 'short' })).status, 200);
});

test('a budget is used up by what answers really took', async t => {
  const { server } = await start(t, tenant({ tokens_per_day: 100 }), using(30, 20));
  assert.equal((await ask(server)).status, 200);
  assert.equal((await ask(server)).status, 200);
  const refused = await ask(server);
  assert.equal(refused.status, 429);
  assert.equal(refused.error.type, 'insufficient_quota');
  assert.equal(refused.error.code, 'insufficient_quota');
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  const sdk = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1` });
  const began = Date.now();
  await assert.rejects(sdk.chat.completions.create({ model: 'm', messages: [user('hi')] }),
                       error => error.code === 'insufficient_quota');
  assert.ok(Date.now() - began < 5000, 'the SDK does not wait for tomorrow');
});

for (const end of ['stop', 'kill'])
  test(`what was used of a budget is known after a restart (${end})`, async t => {
    const config = tenant({ tokens_per_day: 100, key_limits: { tokens_per_day: 80 } });
    const { server, upstream } = await start(t, config, using(30, 20));
    assert.equal((await ask(server)).status, 200);
    if (end === 'kill') await server.kill();
    const again = await server.restart();
    const refused = await ask(again, { max_tokens: 40 });
    assert.match(refused.error.message, /quota of your API key: 80 tokens/);
    assert.equal((await ask(again)).status, 200);
    assert.equal((await ask(again)).error.code, 'insufficient_quota');
    assert.equal(upstream.requests.length, 2);
  });

test('what a cut-off turn has used counts after a restart too', async t => {
  const { server, upstream } = await start(t, tenant({ tokens_per_day: 1000 }), async x => {
    await x.begin();
    await x.piece(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(1200) } }] })}\n\n`);
  });
  const controller = new AbortController();
  const response = await server.post(
    { model: 'm', stream: true, max_tokens: 500, messages: [user('hi')] }, { signal: controller.signal });
  await response.body.getReader().read();
  controller.abort();
  await (await upstream.request(0)).closed;
  await until(() => server.logLines(/status=499/).length === 1, 'the turn has ended');
  await delay(1500); // what no turn stored is written within a second
  await server.kill();
  const again = await server.restart();
  upstream.behave(using(1, 1));
  assert.equal((await ask(again, { max_tokens: 720 })).error.code, 'insufficient_quota');
  assert.equal((await ask(again, { max_tokens: 600 })).status, 200);
});

test('what a turn has used that the end of the server cuts off counts, too', async t => {
  const { server, upstream } = await start(
    t, tenant({ tokens_per_day: 1000 }, { server: { drain_timeout: '200ms' } }), async x => {
      await x.begin();
      await x.piece(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(1200) } }] })}\n\n`);
    });
  const response = await server.post({ model: 'm', stream: true, max_tokens: 500, messages: [user('hi')] });
  await response.body.getReader().read();
  await server.stop();
  const again = await server.restart();
  upstream.behave(using(1, 1));
  assert.equal((await ask(again, { max_tokens: 720 })).error.code, 'insufficient_quota');
  assert.equal((await ask(again, { max_tokens: 600 })).status, 200);
});

test('a tenant stores as many threads as it may', async t => {
  const { server, upstream } = await start(t, tenant({ max_threads: 2 }));
  assert.deepEqual(statuses(await inThreads(server, 2)), { 200: 2 });
  const refused = await ask(server, { thread_id: 'third' });
  assert.equal(refused.status, 403);
  assert.equal(refused.error.code, 'thread_limit_reached');
  assert.equal(upstream.requests.length, 2, 'the upstream was not asked for nothing');
  assert.equal((await ask(server, { thread_id: 't0' })).status, 200, 'those that are there go on');
  await fetch(`${server.url}/v1/threads/t0`, { method: 'DELETE', headers: { authorization: `Bearer ${KEY}` } });
  assert.equal((await ask(server, { thread_id: 'third' })).status, 200);
});

test('money is spent by the prices of the models', async t => {
  const prices = [{ models: ['cheap'], prompt: 1, completion: 1 },
                  { models: ['*'], prompt: 100, completion: 200 }];
  const { server } = await start(t, tenant({ cost_per_month: 0.01 }, { prices }), using(40, 20));
  assert.equal((await ask(server, { model: 'dear', max_tokens: 20 })).status, 200); // 0.008
  const refused = await ask(server, { model: 'dear', max_tokens: 20 });
  assert.equal(refused.error.code, 'insufficient_quota');
  assert.match(refused.error.message, /0\.01 for this month/);
  assert.equal((await ask(server, { model: 'cheap' })).status, 200);
});

test('a tenant has its share of connections and no more', async t => {
  const { server } = await start(t, { tenants: [
    { name: 'alice', keys: [KEY], max_connections: 3 }, { name: 'bob', keys: ['bob-key'] }] });
  const get = (socket, key) => socket.request(
    `GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
  const places = await Promise.all([1, 2, 3].map(() => connect(server)));
  for (const x of places) assert.match(await get(x, KEY), /^HTTP\/1.1 200/);
  for (const x of places) assert.match(await get(x, KEY), /^HTTP\/1.1 200/, 'again and again');
  const fourth = await connect(server);
  const refused = await get(fourth, KEY);
  assert.match(refused, /^HTTP\/1.1 429[^]*connection: close[^]*"connection_limit_reached"/);
  await fourth.closed;
  const other = await connect(server);
  assert.match(await get(other, 'bob-key'), /^HTTP\/1.1 200/);
  places.pop().close();
  await until(async () => {
    const next = await connect(server);
    return /^HTTP\/1.1 200/.test(await get(next, KEY));
  }, 'a place is there again');
});

test('each key has limits of its own', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, { tenants: [
    { name: 'alice', keys: [KEY, 'second'], max_turns: 3, key_limits: { max_turns: 2 } }] }, behaviour);
  const first = inThreads(server, 3);
  await until(() => upstream.requests.length === 2, 'two turns run');
  const second = [ask(server, { thread_id: 'x' }, { key: 'second' }),
                  ask(server, { thread_id: 'y' }, { key: 'second' })];
  await until(() => upstream.requests.length === 3, 'a third one with the other key');
  open();
  assert.deepEqual(statuses(await first), { 200: 2, 429: 1 });
  assert.deepEqual(statuses(await Promise.all(second)), { 200: 1, 429: 1 });
});

test('a tenant uses the models that it may use', async t => {
  const { server } = await start(t, { tenants: [
    { name: 'alice', keys: [KEY], models: ['small-*'] }, { name: 'bob', keys: ['bob-key'] }],
    upstream: { models: ['small-1', 'large'] } });
  assert.equal((await ask(server, { model: 'small-1' })).status, 200);
  const refused = await ask(server, { model: 'large' });
  assert.equal(refused.status, 404);
  assert.equal(refused.error.code, 'model_not_found');
  assert.equal((await ask(server, { model: 'large' }, { key: 'bob-key' })).status, 200);
  const models = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.deepEqual((await models.json()).data.map(x => x.id), ['small-1']);
});

test('threads behave as their tenant wants', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, { tenants: [
    { name: 'alice', keys: [KEY], on_busy: 'reject', default_thread: 'inbox' },
    { name: 'bob', keys: ['bob-key'], default_thread: 'none' }] }, behaviour);
  const running = ask(server, { thread_id: undefined });
  await upstream.request(0);
  const refused = await ask(server, { thread_id: 'inbox' });
  assert.equal(refused.status, 409);
  assert.equal(refused.error.code, 'thread_busy');
  open();
  assert.equal((await running).headers.get('x-thread-id'), 'inbox');
  const stateless = await ask(server, { thread_id: undefined }, { key: 'bob-key' });
  assert.equal(stateless.headers.get('x-thread-id'), null);
});

// Ends of a turn that are no answer: whatever it held has to come back.
const ends = {
  'the upstream fails': { behaviour: x => x.json({ error: { message: 'no' } }, 500) },
  'the upstream breaks off': { behaviour: async x => {
    await x.begin();
    await x.piece('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
    x.cut();
  } },
  'the client leaves': { behaviour: () => {}, leaves: true },
};

for (const [what, { behaviour, leaves }] of Object.entries(ends))
  test(`when ${what}, places and tokens come back`, async t => {
    const { server, upstream } = await start(
      t, { ...ONE_ATTEMPT, ...tenant({ max_turns: 4, max_streams: 4, tokens_per_minute: 4000 }) },
      behaviour);
    for (let round = 0; round < 3; ++round) {
      const before = upstream.requests.length;
      const controller = new AbortController();
      const all = Array.from({ length: 4 }, (_, i) => server.post(
        { model: 'm', stream: true, max_tokens: 900, thread_id: `t${i}`, messages: [user('hi')] },
        { signal: controller.signal }).then(x => x.text(), () => {}));
      await until(() => upstream.requests.length === before + 4, 'all of them run');
      if (leaves) controller.abort();
      await Promise.all(all);
      if (leaves) await Promise.all(upstream.requests.slice(before).map(x => x.closed));
    }
    upstream.behave(x => x.answer('ok'));
    const answers = await until(async () => {
      const got = await inThreads(server, 4, { max_tokens: 900 });
      return got.every(x => x.status === 200) && got;
    }, 'all places are there again', 5000);
    assert.equal(answers.length, 4);
  });

test('ten thousand attempts against small limits never get one too many', { timeout: 120_000 }, async t => {
  let running = 0;
  let most = 0;
  const { server, upstream } = await start(
    t, tenant({ max_turns: 7, max_streams: 3 }, { threads: { default_thread: 'none' } }), async x => {
      most = Math.max(most, ++running);
      await delay(1 + x.number % 5);
      running -= 1; // before its answer: the place may be taken again from then on
      await x.answer('ok');
    });
  const outcomes = {};
  let left = 10_000;
  const worker = async n => {
    while (left-- > 0) {
      const stream = (left + n) % 3 === 0;
      const response = await server.post({ model: 'm', stream, messages: [user('hi')] });
      await response.text();
      outcomes[response.status] = (outcomes[response.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, n) => worker(n)));
  assert.ok(most <= 7, `${most} at once`);
  assert.deepEqual(Object.keys(outcomes).sort(), ['200', '429']);
  assert.equal(outcomes[200], upstream.requests.length);
  assert.equal(outcomes[200] + outcomes[429], 10_000);
  // Not one place is lost.
  const held = gate();
  upstream.behave(held.behaviour);
  const before = upstream.requests.length;
  const last = inThreads(server, 8);
  await until(() => upstream.requests.length === before + 7, 'seven turns run');
  held.open();
  assert.deepEqual(statuses(await last), { 200: 7, 429: 1 });
});
