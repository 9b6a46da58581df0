// Requests behind one another on one connection, turns among them.
import assert from 'node:assert/strict';
import { delay, KEY, SOON, start, test, until, user, within } from './harness.mjs';
import { chatRequest, open } from './raw.mjs';

const turn = (thread, text) =>
  chatRequest(KEY, { model: 'm', thread_id: thread, messages: [user(text)] });

test('turns that are pipelined while others run are neither lost nor doubled', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    await delay(20); // so that more arrives while a turn runs
    x.answer('fine');
  });
  const client = await open(t, server.port);
  await client.send(turn('a', 'one') + turn('b', 'two'));
  for (let i = 0; i < 2; ++i) assert.equal((await client.response()).status, 200);
  for (const thread of ['c', 'd', 'e']) await client.send(turn(thread, `to ${thread}`));
  for (let i = 0; i < 3; ++i) assert.equal((await client.response()).status, 200);
  assert.deepEqual(upstream.requests.map(x => x.transcript.at(-1)),
                   ['user: one', 'user: two', 'user: to c', 'user: to d', 'user: to e']);
});

test('empty lines between requests mean nothing', async t => {
  const { server } = await start(t, {}, x => x.answer('fine'));
  const client = await open(t, server.port);
  await client.send(`${turn(1, 'one')}\r\n\r\n${turn(1, 'two')}`);
  for (let i = 0; i < 2; ++i) assert.equal((await client.response()).status, 200);
});

test('a stateless turn whose client leaves frees its upstream, too', async t => {
  const { server, upstream } = await start(t, { threads: { default_thread: 'none' } }, () => {});
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, { model: 'm', messages: [user('hi')] }));
  const request = await upstream.request();
  client.destroy();
  await within(SOON, request.closed, 'the upstream connection closes');
  await until(() => server.logLines(/status=499/).length === 1, 'the request is logged');
});

test('one connection too many does not disturb the others', async t => {
  const { server } = await start(t, { server: { max_connections: 2 } }, x => x.answer('fine'));
  const first = await open(t, server.port);
  const second = await open(t, server.port);
  for (const client of [first, second]) {
    await client.send(turn(1, 'hi'));
    assert.equal((await client.response()).status, 200);
  }
  const third = await open(t, server.port);
  await third.send(turn(1, 'hi'));
  assert.equal((await third.response()).status, 503);
  await first.send(turn(1, 'again'));
  assert.equal((await first.response()).status, 200);
});
