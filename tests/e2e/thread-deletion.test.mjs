// A deleted thread is gone at once and for good, whatever runs on it.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { KEY, start, test, until, user, within } from './harness.mjs';
import { assertIntact, call, historyOf, messagesOf, threadPath } from './thread-client.mjs';
import { chunk, event } from './upstream.mjs';

const remove = (server, id) => call(server, 'DELETE', threadPath(id));

test('a deleted thread is gone, and its id begins anew', async t => {
  const { server, upstream } = await start(t);
  await server.chat({ thread_id: 't', messages: [{ role: 'system', content: 'rules' }, user('one')] });
  await call(server, 'PATCH', threadPath('t'), { body: { metadata: { a: 'b' } } });
  assert.deepEqual((await remove(server, 't')).body,
                   { id: 't', object: 'thread.deleted', deleted: true });
  assert.equal(await historyOf(server, 't'), undefined);
  assert.equal((await remove(server, 't')).status, 404);
  await server.say('t', 'fresh');
  assert.deepEqual(upstream.requests[1].transcript, ['user: fresh']);
  const { body } = await call(server, 'GET', threadPath('t'));
  assert.deepEqual([body.metadata, body.instructions, body.turns], [{}, [], 1]);
  assert.deepEqual((await messagesOf(server, 't', { superseded: 'true' })).map(x => x.id),
                   ['msg_1', 'msg_2']);
});

for (const stream of [false, true])
  test(`deletion ends the running turn and the waiting ones (${stream ? 'stream' : 'plain'})`,
       async t => {
    const { server, upstream } = await start(t, { log: { content: true } });
    await server.say('t', 'one');
    upstream.once(async x => {
      if (!stream) return;
      await x.begin();
      await x.piece(event(chunk({ role: 'assistant', content: 'half' })));
    });
    const body = { thread_id: 't', messages: [user('running')] };
    const running = stream ? server.stream(body) : server.chat(body);
    const asked = await upstream.request(1);
    const waiting = server.chat({ thread_id: 't', messages: [user('waiting')] });
    await until(() => server.log.includes('waiting'), 'the second turn waits');
    assert.equal((await remove(server, 't')).status, 200);

    const [ended, never] = await Promise.all([running, waiting]);
    assert.equal(ended.error.code, 'thread_changed');
    assert.equal(never.error.code, 'thread_changed');
    assert.equal(never.status, 409);
    if (stream) assert.equal(ended.done, false);
    else assert.equal(ended.status, 409);
    await within(3_000, asked.closed, 'the upstream connection closes');
    assert.equal(upstream.requests.length, 2, 'the waiting turn never went upstream');
    assert.equal(await historyOf(server, 't'), undefined);
    const again = await server.restart();
    assert.equal(await historyOf(again, 't'), undefined);
    await again.say('t', 'fresh');
    assert.deepEqual(upstream.requests.at(-1).transcript, ['user: fresh']);
  });

test('a thread that is only being made can be deleted', async t => {
  const { server, upstream } = await start(t);
  upstream.once(() => {});
  const first = server.chat({ thread_id: 't', messages: [user('first')] });
  const asked = await upstream.request(0);
  assert.equal((await remove(server, 't')).status, 200);
  assert.equal((await first).error.code, 'thread_changed');
  await within(3_000, asked.closed, 'the upstream connection closes');
  assert.equal(await historyOf(server, 't'), undefined);
});

test('the retries of an SDK do not undo a deletion', async t => {
  const { server, upstream } = await start(t);
  await server.say('t', 'one');
  upstream.once(() => {});
  const sdk = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 3 });
  const running = sdk.chat.completions.create(
    { model: 'm', thread_id: 't', messages: [user('two')] }).then(() => 'answered', x => x.code);
  await upstream.request(1);
  assert.equal((await remove(server, 't')).status, 200);
  assert.equal(await running, 'thread_changed');
  assert.equal(upstream.requests.length, 2);
  assert.equal(await historyOf(server, 't'), undefined);
});

test('turns and deletions at once: what is there is whole, and nothing comes back', async t => {
  const { server } = await start(t);
  const outcomes = new Map();
  const turns = async client => {
    for (let i = 0; i < 40; ++i) {
      const answer = await server.chat({ thread_id: 't', messages: [user(`${client}.${i}`)] });
      const outcome = answer.status === 200 ? 200 : answer.error.code;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  const deletions = async () => {
    for (let i = 0; i < 40; ++i) assert.ok([200, 404].includes((await remove(server, 't')).status));
  };
  await Promise.all([turns('a'), turns('b'), turns('c'), deletions()]);
  assert.ok([...outcomes.keys()].every(x => x === 200 || x === 'thread_changed'),
            JSON.stringify([...outcomes]));
  await server.say('t', 'last');
  const history = await historyOf(server, 't');
  for (let i = 0; i < history.length; i += 2)
    assert.equal(history[i + 1], history[i].replace('user: ', 'assistant: re: '));
  await remove(server, 't');
  await server.kill();
  const again = await server.restart();
  assert.equal(await historyOf(again, 't'), undefined);
  await again.stop();
  assertIntact(t, server.dataDir);
});

test('many long threads are deleted at once, and their space is used again', async t => {
  const { server } = await start(t, { store: { durability: 'os' } });
  const text = 'x'.repeat(20_000);
  for (let round = 0; round < 3; ++round) {
    const ids = Array.from({ length: 40 }, (_, i) => `${round}-${i}`);
    await Promise.all(ids.map(id => server.say(id, text)));
    for (const id of ids) assert.equal((await remove(server, id)).status, 200);
    assert.deepEqual((await call(server, 'GET', '/v1/threads')).body.data, []);
  }
  const again = await server.restart();
  assert.deepEqual((await call(again, 'GET', '/v1/threads')).body.data, []);
  assert.equal(await again.say('0-0', 'fresh'), 're: fresh');
  assert.equal((await historyOf(again, '0-0')).length, 2);
});
