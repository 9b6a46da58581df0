// Fifty tenants use the same thread ids, keys of retries and request ids, at random and at once:
// nobody ever sees a byte of anybody else.
import assert from 'node:assert/strict';
import { start, test, user } from './harness.mjs';

const SECONDS = Number(process.env.ISOLATION_SECONDS ?? 10);
const TENANTS = 50;
const WORKERS = 24;
const ids = ['1', '2', 'shared', 'a/b', 'ünï'];

/** Everything that a tenant says has its number. */
const markOf = n => `secret-of-${n}-`;
const marksIn = text => [...new Set([...text.matchAll(/secret-of-(\d+)-/g)].map(x => Number(x[1])))];

/** A generator of whole numbers below `n`, the same for the same seed (mulberry32). */
function random(seed) {
  let a = seed;
  return n => {
    a = (a + 0x6d2b79f5) | 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

/** One tenant's calls: the body of each answer. */
class Tenant {
  constructor(server, n) {
    this.server = server;
    this.n = n;
    this.key = `key-of-${n}`;
    this.count = 0;
  }

  get word() {
    return `${markOf(this.n)}${++this.count}`;
  }

  async call(method, path, { body, headers = {}, type = 'application/json' } = {}) {
    const response = await fetch(`${this.server.url}${path}`, {
      method, body,
      headers: { authorization: `Bearer ${this.key}`, ...(body ? { 'content-type': type } : {}), ...headers },
    });
    return response.text();
  }

  chat(id, more = {}, headers = {}) {
    return this.call('POST', '/v1/chat/completions', {
      headers, body: JSON.stringify({ model: 'm', thread_id: id, messages: [user(this.word)], ...more }) });
  }
}

const path = id => `/v1/threads/${encodeURIComponent(id)}`;
const calls = [
  (x, id) => x.chat(id),
  (x, id) => x.chat(id),
  (x, id) => x.chat(id, { stream: true }),
  (x, id) => x.chat(id, {}, { 'x-request-id': 'the-same' }),
  (x, id) => x.chat(id, { messages: [user(markOf(x.n))] }, { 'idempotency-key': 'the-same' }),
  (x, id) => x.chat(id, { messages: [user('hello, as everybody says')] }, { 'x-stainless-retry-count': '1' }),
  (x, id) => x.chat(id, { messages: [{ role: 'nobody', content: x.word }] }), // refused
  (x, id) => x.chat(id, { model: x.word, n: 'x' }),
  x => x.call('GET', '/v1/threads?limit=100'),
  (x, id) => x.call('GET', path(id)),
  (x, id) => x.call('GET', `${path(id)}/messages?superseded=true`),
  (x, id) => x.call('PATCH', path(id), { body: JSON.stringify({ metadata: { word: x.word } }) }),
  (x, id) => x.call('POST', `${path(id)}/fork`, { body: JSON.stringify({ id: `fork-${x.count % 3}` }) }),
  (x, id) => x.call('DELETE', path(id)),
  async (x, id) => {
    const lines = await x.call('GET', `${path(id)}/export`);
    if (lines.includes('"thread.end"'))
      await x.call('DELETE', path(id));
    return lines + await x.call('POST', '/v1/threads/import', { body: lines, type: 'application/jsonl' });
  },
];

test(`fifty tenants for ${SECONDS} s: no byte of one is ever seen by another`,
     { timeout: SECONDS * 1000 + 60_000 }, async t => {
  const foreign = [];
  const tenants = Array.from({ length: TENANTS }, (_, n) => ({ name: `tenant-${n}`, keys: [`key-of-${n}`] }));
  const { server, upstream } = await start(
    t, { tenants, log: { content: true },
         // Conversations leave memory and come back all the time.
         threads: { idle_after: '100ms', max_active_bytes: '200KiB' } },
    x => {
      if (marksIn(x.raw).length > 1) foreign.push(`a prompt: ${x.raw}`);
      return x.number % 20 === 7 ? x.json({ error: { message: x.lastText } }, 400) : x.answer(`re: ${x.lastText}`);
    });
  const end = Date.now() + SECONDS * 1000;
  let answers = 0;
  const worker = async seed => {
    const next = random(seed);
    const own = Array.from({ length: TENANTS }, (_, n) => new Tenant(server, n));
    while (Date.now() < end && foreign.length === 0) {
      const tenant = own[next(TENANTS)];
      const call = calls[next(calls.length)];
      const text = await call(tenant, ids[next(ids.length)]);
      answers += 1;
      if (marksIn(text).some(n => n !== tenant.n)) foreign.push(`an answer to ${tenant.n}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, i) => worker(i + 1)));
  assert.deepEqual(foreign, []);
  assert.ok(answers > 50 * SECONDS, `${answers} answers`);
  assert.ok(upstream.requests.length > answers / 4, 'most of them were turns');

  for (const line of server.log.split('\n')) {
    const marks = marksIn(line);
    assert.ok(marks.length <= 1, line);
    const owner = / tenant="tenant-(\d+)"/.exec(line);
    if (owner && marks.length > 0) assert.equal(Number(owner[1]), marks[0], line);
  }
  for (let n = 0; n < TENANTS; ++n) {
    const tenant = new Tenant(server, n);
    const list = JSON.parse(await tenant.call('GET', '/v1/threads?limit=100')).data;
    for (const { id } of list) {
      const messages = await tenant.call('GET', `${path(id)}/messages?limit=100&superseded=true`);
      assert.ok(marksIn(messages).every(x => x === n), `thread ${id} of ${n}`);
    }
  }
});
