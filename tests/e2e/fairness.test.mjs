// Who waits where an upstream has fewer places than are wanted, and what the others hear.
import assert from 'node:assert/strict';
import { gate, startUpstream } from './upstream.mjs';
import { KEY, startServer, test, until, user } from './harness.mjs';

const BOB = 'client-key-bob';

/** A server in front of an upstream with one place, which is taken until `held.open()`. */
async function startNarrow(t, { alice = {}, routing = {} } = {}) {
  const held = gate();
  const upstream = await startUpstream(t);
  upstream.once(held.behaviour);
  const server = await startServer(t, {
    upstream,
    config: { server: { metrics: true }, upstream: { max_concurrency: 1 }, routing,
              tenants: [{ name: 'alice', keys: [KEY], ...alice }, { name: 'bob', keys: [BOB] }] },
  });
  const first = server.say('first', 'first');
  await upstream.request(0);
  return { server, upstream, held, first };
}

const metrics = async server => (await fetch(`${server.url}/metrics`)).text();
const waiting = (server, n) =>
  until(async () => new RegExp(`orders_waiting ${n}\\n`).test(await metrics(server)), `${n} wait`);
const bob = { key: BOB };

test('tenants that wait take turns, whoever has more waiting', async t => {
  const { server, upstream, held, first } = await startNarrow(t);
  const turns = [first];
  for (let i = 1; i <= 6; ++i) {
    turns.push(server.say(`a-${i}`, `alice ${i}`));
    await waiting(server, i);
  }
  for (let i = 1; i <= 2; ++i) {
    turns.push(server.say(`b-${i}`, `bob ${i}`, {}, bob));
    await waiting(server, 6 + i);
  }
  held.open();
  await Promise.all(turns);
  const order = upstream.requests.slice(1).map(x => x.lastText);
  assert.deepEqual(order, ['alice 1', 'bob 1', 'alice 2', 'bob 2', 'alice 3', 'alice 4', 'alice 5', 'alice 6']);
});

test('a tenant with too many waiting hears 429, and nobody else', async t => {
  const { server, held, first } = await startNarrow(t, { alice: { max_waiting: 1 } });
  const second = server.say('second', 'second');
  await waiting(server, 1);
  const refused = await server.chat({ thread_id: 'third', messages: [user('third')] });
  assert.equal(refused.status, 429);
  assert.equal(refused.error.code, 'tenant_queue_full');
  assert.equal(refused.error.type, 'rate_limit_error');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  const other = server.say('other', 'other', {}, bob);
  await waiting(server, 2);
  held.open();
  assert.deepEqual(await Promise.all([first, second, other]), ['re: first', 're: second', 're: other']);
});

test('in a full queue a flood gives way', async t => {
  const { server, held, first } = await startNarrow(t, { routing: { max_waiting: 2 } });
  const second = server.say('second', 'second');
  await waiting(server, 1);
  const third = server.chat({ thread_id: 'third', messages: [user('third')] });
  await waiting(server, 2);
  const other = server.say('other', 'other', {}, bob);
  const refused = await third;
  assert.equal(refused.status, 503);
  assert.equal(refused.error.code, 'server_is_overloaded');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  held.open();
  assert.deepEqual(await Promise.all([first, second, other]), ['re: first', 're: second', 're: other']);
});

test('a turn that waited too long hears 503 with retry-after', async t => {
  const { server, held, first } = await startNarrow(t, { routing: { wait_timeout: '300ms' } });
  const late = await server.chat({ thread_id: 'late', messages: [user('late')] });
  assert.equal(late.status, 503);
  assert.equal(late.error.code, 'queue_timeout');
  assert.equal(late.error.type, 'service_unavailable_error');
  assert.ok(Number(late.headers.get('retry-after')) >= 1);
  held.open();
  assert.equal(await first, 're: first');
});
