// Threads that nobody uses are deleted after their tenant's ttl.
import assert from 'node:assert/strict';
import { delay, KEY, start, test, until } from './harness.mjs';
import { call, get, historyOf, threadPath } from './thread-client.mjs';
import { gate } from './upstream.mjs';

const alice = (ttl = '1500ms') => ({ name: 'alice', keys: [KEY], ttl });
const bob = { name: 'bob', keys: ['bob-key'] };

const gone = (server, id) => until(async () =>
  (await call(server, 'GET', threadPath(id))).status === 404, `${id} is gone`, 10_000);

test('an idle thread goes, an active one stays, and other tenants keep theirs', async t => {
  const { server, upstream } = await start(t, { tenants: [alice(), bob] });
  await server.say('active', 'one');
  await server.say('idle', 'forget me');
  await server.say('idle', 'keep me', {}, { key: 'bob-key' });
  let turns = 1;
  let idle = true;
  const watching = gone(server, 'idle').then(() => { idle = false; });
  while (idle) {
    await server.say('active', 'more');
    ++turns;
    await delay(100);
  }
  await watching;
  assert.equal((await historyOf(server, 'active')).length, 2 * turns);
  assert.deepEqual(await historyOf(server, 'idle', { key: 'bob-key' }),
                   ['user: keep me', 'assistant: re: keep me']);
  const { data } = await get(server, '/v1/threads');
  assert.deepEqual(data.map(x => x.id), ['active']);
  // The id begins anew, although the conversation was in memory.
  await server.say('idle', 'fresh');
  assert.deepEqual(upstream.requests.at(-1).transcript, ['user: fresh']);
});

test('reading a thread does not keep it; a turn that runs does', async t => {
  const { server, upstream } = await start(t, { tenants: [alice('400ms')] });
  await server.say('running', 'one');
  await server.say('read', 'one');
  const held = gate();
  upstream.once(held.behaviour);
  const turn = server.say('running', 'two');
  await upstream.request(2);
  await gone(server, 'read');
  await delay(500); // for `running`, too, the time is over
  held.open();
  assert.equal(await turn, 're: two');
  assert.equal((await historyOf(server, 'running')).length, 4);
});

test('the time goes on while the server is away', async t => {
  const { server } = await start(t, { tenants: [alice('700ms'), bob] });
  await server.say('old', 'one');
  await server.say('old', 'one', {}, { key: 'bob-key' });
  await server.stop();
  await delay(800);
  const again = await server.restart();
  await gone(again, 'old');
  assert.equal((await historyOf(again, 'old', { key: 'bob-key' })).length, 2);
});

test('many threads expire together', async t => {
  const { server } = await start(t, { tenants: [alice('500ms')] });
  await Promise.all(Array.from({ length: 600 }, (_, i) => server.say(`t${i}`, 'x')));
  await until(async () => (await get(server, '/v1/threads')).data.length === 0, 'all are gone');
  await server.say('new', 'x');
  assert.equal((await historyOf(server, 'new')).length, 2);
});
