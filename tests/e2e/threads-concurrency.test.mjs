// Many turns at once: one thread is a queue, different threads never meet.
import assert from 'node:assert/strict';
import { start, test, until, user } from './harness.mjs';
import { gate } from './upstream.mjs';

test('200 requests at once on one thread make one linear history', async t => {
  const { server, upstream } = await start(t);
  const texts = Array.from({ length: 200 }, (_, i) => `turn ${i}.`);
  const answers = await Promise.all(texts.map((text, i) => i % 2
    ? server.say('busy', text)
    : server.stream({ thread_id: 'busy', messages: [user(text)] }).then(x => x.text)));
  assert.deepEqual(answers, texts.map(x => `re: ${x}`));
  assert.equal(upstream.requests.length, 200);
  let history = [];
  for (const request of upstream.requests) {
    const seen = request.transcript;
    assert.deepEqual(seen.slice(0, -1), history, 'each turn saw exactly the turns before it');
    history = [...seen, `assistant: re: ${request.lastText}`];
  }
  assert.equal(new Set(history).size, 400);
});

test('turns of one thread run in the order of arrival', async t => {
  const { server, upstream } = await start(t, { log: { content: true } });
  const held = gate();
  upstream.once(held.behaviour);
  const turns = [];
  for (let i = 0; i < 12; ++i) {
    turns.push(server.say(1, `arrival-${i};`));
    // The log tells that this one has arrived before the next one starts.
    await until(() => server.log.includes(`arrival-${i};`), `request ${i} has arrived`);
  }
  held.open();
  await Promise.all(turns);
  assert.deepEqual(upstream.requests.map(x => x.lastText),
                   turns.map((_, i) => `arrival-${i};`));
});

test('200 threads at once never see each other', async t => {
  const { server, upstream } = await start(t);
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    for (const word of ['a', 'b', 'c'])
      assert.equal(await server.say(i, `${word} of ${i};`), `re: ${word} of ${i};`);
  }));
  for (const request of upstream.requests) {
    const thread = / of (\d+);/.exec(request.lastText)[1];
    assert.ok(request.transcript.every(x => x.endsWith(` of ${thread};`)));
  }
  assert.equal(upstream.requests.filter(x => x.body.messages.length === 5).length, 200);
});

test('a busy thread does not hold up another one', async t => {
  const { server, upstream } = await start(t);
  const held = gate();
  upstream.once(held.behaviour);
  const slow = server.say('slow', 'wait');
  await upstream.request(0);
  assert.equal(await server.say('quick', 'go'), 're: go');
  held.open();
  assert.equal(await slow, 're: wait');
});

test('a turn whose client leaves while it waits never goes upstream', async t => {
  const { server, upstream } = await start(t, { log: { content: true } });
  const held = gate();
  upstream.once(held.behaviour);
  const first = server.say(1, 'first');
  await upstream.request(0);
  const abort = new AbortController();
  const waiting = server.say(1, 'waiting', {}, { signal: abort.signal });
  await until(() => server.log.includes('waiting'), 'the second turn waits');
  const third = server.say(1, 'third');
  abort.abort();
  await assert.rejects(waiting);
  await until(() => server.logLines(/status=499/).length === 1, 'the server noticed');
  held.open();
  await Promise.all([first, third]);
  assert.deepEqual(upstream.requests.map(x => x.lastText), ['first', 'third']);
});

test('on_busy = "reject" answers 409 while a turn runs', async t => {
  const { server, upstream } = await start(t, { threads: { on_busy: 'reject' } });
  const held = gate();
  upstream.once(held.behaviour);
  const first = server.say(1, 'first');
  await upstream.request(0);
  const busy = await server.chat({ thread_id: 1, messages: [user('second')] });
  assert.equal(busy.status, 409);
  assert.equal(busy.error.code, 'thread_busy');
  held.open();
  await first;
  await server.say(1, 'third');
  assert.deepEqual(upstream.requests[1].transcript,
                   ['user: first', 'assistant: re: first', 'user: third']);
});

test('a full queue answers 429 with retry-after, and goes on', async t => {
  const { server, upstream } = await start(t, { threads: { max_waiting: 2 }, log: { content: true } });
  const held = gate();
  upstream.once(held.behaviour);
  const turns = [server.say(1, 'turn-0;')];
  await upstream.request(0);
  for (const i of [1, 2]) {
    turns.push(server.say(1, `turn-${i};`));
    await until(() => server.log.includes(`turn-${i};`), 'the turn waits');
  }
  const full = await server.chat({ thread_id: 1, messages: [user('too many')] });
  assert.equal(full.status, 429);
  assert.equal(full.error.code, 'thread_queue_full');
  assert.equal(full.error.type, 'rate_limit_error');
  assert.ok(Number(full.headers.get('retry-after')) >= 1);
  held.open();
  assert.deepEqual(await Promise.all(turns), ['re: turn-0;', 're: turn-1;', 're: turn-2;']);
});

test('on_disconnect = "finish" stores the turn of a client that left', async t => {
  const { server, upstream } = await start(t, { threads: { on_disconnect: 'finish' } });
  for (const stream of [false, true]) {
    const held = gate();
    upstream.once(held.behaviour);
    const abort = new AbortController();
    const left = server.chat({ thread_id: `s${stream}`, stream, messages: [user('stay')] },
                             { signal: abort.signal });
    const request = await upstream.request(upstream.requests.length);
    abort.abort();
    await assert.rejects(left);
    held.open();
    // The next turn waits for the first one, so it tells whether that was stored.
    await server.say(`s${stream}`, 'next');
    assert.equal(request.failed, undefined);
    assert.deepEqual(upstream.requests.at(-1).transcript,
                     ['user: stay', 'assistant: re: stay', 'user: next']);
  }
});
