// The config file changes while the server runs.
import assert from 'node:assert/strict';
import { delay, KEY, start, startServer, test, until, user } from './harness.mjs';
import { gate } from './upstream.mjs';

const alice = { name: 'alice', keys: [KEY] };
const bob = { name: 'bob', keys: ['bob-key'] };

const ask = (server, key = KEY, thread_id = 't') =>
  server.chat({ messages: [user('hi')], thread_id }, { key });

const reloaded = (server, count) => until(
  () => server.logLines(/config reloaded/).length === count, `${count} reloads`);
const kept = (server, count) => until(
  () => server.logLines(/config not reloaded/).length === count, `${count} refused reloads`);

test('a new tenant is there and an old one is gone, without a restart', async t => {
  const { server } = await start(t, { tenants: [alice] });
  assert.equal((await ask(server, 'bob-key')).status, 401);
  server.rewrite({ tenants: [bob] });
  await reloaded(server, 1);
  assert.equal((await ask(server, 'bob-key')).status, 200);
  assert.equal((await ask(server)).status, 401);
});

test('SIGHUP reads the file again', async t => {
  const { server } = await start(t, { tenants: [alice] });
  server.signal('SIGHUP');
  server.signalled = false;
  await reloaded(server, 1);
  assert.equal((await ask(server)).status, 200);
});

test('a config with an error changes nothing and the log names it', async t => {
  const { server } = await start(t, { tenants: [alice] });
  server.rewrite({ tenants: [bob, { ...bob, keys: ['other'] }] });
  await kept(server, 1);
  assert.match(server.log, /two tenants are called/);
  server.rewrite('this is no TOML');
  await kept(server, 2);
  server.rewrite({ tenants: [{ ...alice, max_turn: 3 }] });
  await kept(server, 3);
  assert.match(server.log, /max_turn.*did you mean/);
  assert.equal((await ask(server)).status, 200);
  server.rewrite({ tenants: [alice, bob] });
  await reloaded(server, 1);
  assert.equal((await ask(server, 'bob-key')).status, 200);
});

test('what waits for the next start is said', async t => {
  const { server } = await start(t, { tenants: [alice] });
  server.rewrite({ tenants: [alice, bob] });
  await reloaded(server, 1);
  assert.doesNotMatch(server.log, /wait for the next start/);
  server.rewrite({ tenants: [alice], routing: { max_waiting: 5 } });
  await reloaded(server, 2);
  assert.match(server.log, /wait for the next start/);
});

test('new limits count what is used', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, { tenants: [alice] }, behaviour);
  const running = [ask(server, KEY, 'a'), ask(server, KEY, 'b')];
  await upstream.request(1);
  server.rewrite({ tenants: [{ ...alice, max_turns: 2 }] });
  await reloaded(server, 1);
  assert.equal((await ask(server, KEY, 'c')).status, 429);
  open();
  for (const x of await Promise.all(running)) assert.equal(x.status, 200);
  assert.equal((await ask(server, KEY, 'c')).status, 200);
});

test('a turn that runs when its key goes is answered', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(t, { tenants: [alice] }, behaviour);
  const running = ask(server);
  await upstream.request(0);
  server.rewrite({ tenants: [bob] });
  await reloaded(server, 1);
  open();
  assert.equal((await running).status, 200);
});

test('a time to live comes and goes', async t => {
  const server = await startServer(t, { config: { tenants: [alice] } });
  await ask(server);
  server.rewrite({ tenants: [{ ...alice, ttl: '1s' }] });
  await reloaded(server, 1);
  const thread = () => fetch(`${server.url}/v1/threads/t`, { headers: { authorization: `Bearer ${KEY}` } });
  await until(async () => (await thread()).status === 404, 'the thread is deleted');
  server.rewrite({ tenants: [alice] });
  await reloaded(server, 2);
  await ask(server);
  await delay(1500);
  assert.equal((await thread()).status, 200);
});

test('keys rotate under load without one failed request', async t => {
  const { server } = await start(t, { tenants: [{ ...alice, keys: ['key-0'] }] });
  let newest = 0; // any key from the one before it on is good
  let stop = false;
  let answered = 0;
  const worker = async n => {
    while (!stop) {
      const answer = await ask(server, `key-${newest}`, `t${n}`);
      assert.equal(answer.status, 200, answer.raw);
      answered += 1;
    }
  };
  const workers = Array.from({ length: 8 }, (_, n) => worker(n));
  for (let i = 1; i <= 20; ++i) {
    server.rewrite({ tenants: [{ ...alice, keys: [`key-${i - 1}`, `key-${i}`] }] });
    await reloaded(server, i);
    newest = i;
    await delay(50); // requests with the key before are on their way
  }
  stop = true;
  await Promise.all(workers);
  assert.ok(answered > 100, `${answered} answers`);
});
