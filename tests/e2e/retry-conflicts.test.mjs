// Which requests are no repeats of earlier ones, and keys that were used for something else.
import assert from 'node:assert/strict';
import { delay, start, test, user } from './harness.mjs';
import { hello, isReplay, logged, ONE_TURN, oneAttempt, RETRY, tenants, ways, withKey } from './retries.mjs';
import { call, historyOf, threadPath } from './thread-client.mjs';
import { gate } from './upstream.mjs';

for (const [name, headers] of [['no header', {}], ['a count of 0', { 'x-stainless-retry-count': '0' }],
                               ['another key', undefined]])
  test(`the same body twice is two turns: ${name}`, async t => {
    const { server, upstream } = await start(t);
    for (const n of [1, 2]) await server.chat(hello(), { headers: headers ?? withKey(`key-${n}`) });
    assert.equal(upstream.requests.length, 2);
    assert.deepEqual(await historyOf(server, 't'), [...ONE_TURN, ...ONE_TURN]);
  });

test('a retry with another body, on another thread or of another tenant is its own turn', async t => {
  const { server, upstream } = await start(t, { tenants });
  await server.chat(hello());
  const others = [server.chat(hello({ seed: 1 }), { headers: RETRY }),
                  server.chat(hello({ thread_id: 'u' }), { headers: RETRY }),
                  server.chat(hello(), { headers: RETRY, key: 'bob-key' })];
  for (const answer of await Promise.all(others)) assert.ok(!isReplay(answer));
  assert.equal(upstream.requests.length, 4);
});

test('a retry that was never seen before is a turn; odd counts are none', async t => {
  const { server, upstream } = await start(t);
  assert.equal((await server.chat(hello(), { headers: RETRY })).text, 're: hello');
  let turns = 1;
  for (const count of ['', 'x', '-1', '99999999999999999999', '0x1', '1.5']) {
    const answer = await server.chat(hello(), { headers: { 'x-stainless-retry-count': count } });
    assert.equal(answer.status, 200, count);
    if (!isReplay(answer)) ++turns;
  }
  assert.equal(upstream.requests.length, turns);
  assert.equal((await historyOf(server, 't')).length, 2 * turns);
});

for (const [name, { first, again }] of Object.entries(ways)) {
  test(`a failed turn is run again (${name})`, async t => {
    const { server, upstream } = await start(t, oneAttempt);
    upstream.once(x => x.json({ error: { message: 'boom' } }, 500));
    assert.equal((await server.chat(hello(), { headers: first })).status, 502);
    const repeat = await server.chat(hello(), { headers: again });
    assert.equal(repeat.text, 're: hello');
    assert.ok(!isReplay(repeat));
    assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
  });

  test(`a failed turn is run again though the same was said before (${name})`, async t => {
    const { server, upstream } = await start(t, oneAttempt);
    await server.say('t', 'hello');
    upstream.once(x => x.json({ error: { message: 'boom' } }, 500));
    assert.equal((await server.chat(hello(), { headers: first })).status, 502);
    const repeat = await server.chat(hello(), { headers: again });
    assert.equal(repeat.status, 200, repeat.raw);
    assert.ok(!isReplay(repeat), 'the answer is not that to the first hello');
    assert.equal(upstream.requests.length, 3);
    assert.equal((await historyOf(server, 't')).length, 4);
    assert.ok(isReplay(await server.chat(hello(), { headers: again })));
  });

  test(`after replay_window a repeat is a turn (${name})`, async t => {
    const { server, upstream } = await start(t, { threads: { replay_window: '150ms' } });
    await server.chat(hello(), { headers: first });
    await delay(200);
    const repeat = await server.chat(hello(), { headers: again });
    assert.equal(repeat.status, 200, repeat.raw);
    assert.ok(!isReplay(repeat));
    assert.equal(upstream.requests.length, 2);
    assert.equal((await historyOf(server, 't')).length, 4);
  });

  test(`replay_window = "0" makes every request a turn (${name})`, async t => {
    const { server, upstream } = await start(t, { threads: { replay_window: '0' } });
    for (const headers of [first, again, again])
      assert.equal((await server.chat(hello(), { headers })).status, 200);
    assert.equal(upstream.requests.length, 3);
  });

  test(`nothing of a deleted thread is repeated (${name})`, async t => {
    const { server, upstream } = await start(t);
    await server.chat(hello(), { headers: first });
    assert.equal((await call(server, 'DELETE', threadPath('t'))).status, 200);
    const repeat = await server.chat(hello(), { headers: again });
    assert.equal(repeat.status, 200, repeat.raw);
    assert.ok(!isReplay(repeat));
    assert.deepEqual(upstream.requests[1].transcript, ['user: hello']);
  });
}

// -- conflicts ------------------------------------------------------------------------------------

function assertConflict(answer) {
  assert.equal(answer.status, 409, answer.raw);
  assert.equal(answer.error.code, 'idempotency_key_conflict');
  assert.equal(answer.error.type, 'invalid_request_error');
}

test('an Idempotency-Key for another body is a conflict, running and stored', async t => {
  const held = gate();
  const { server, upstream } = await start(t, logged, held.behaviour);
  const options = { headers: withKey('k') };
  const original = server.chat(hello(), options);
  await upstream.request(0);
  assertConflict(await server.chat(hello({ seed: 1 }), options));
  held.open();
  await original;
  assertConflict(await server.chat(hello({ seed: 1 }), options));
  assertConflict(await server.chat(hello({ thread_id: 'u' }), options));
  assertConflict(await server.chat(hello({ stream: true }), options));
  const again = await server.restart();
  assertConflict(await again.chat(hello({ thread_id: 'u' }), options));
  assert.ok(isReplay(await again.chat(hello(), options)));
  assert.equal(upstream.requests.length, 1);
  assert.equal(await historyOf(again, 'u'), undefined);
});

test('two threads run with one key: the one that is stored first has it', async t => {
  const held = gate();
  const { server, upstream } = await start(t);
  upstream.once(held.behaviour);
  const late = server.chat(hello({ thread_id: 'late' }), { headers: withKey('k') });
  await upstream.request(0);
  assert.equal((await server.chat(hello(), { headers: withKey('k') })).status, 200);
  held.open();
  assertConflict(await late);
  assert.equal(await historyOf(server, 'late'), undefined);
});

test('keys of different tenants are different keys', async t => {
  const { server, upstream } = await start(t, { tenants });
  await server.chat(hello(), { headers: withKey('k') });
  const theirs = await server.chat(hello({ messages: [user('mine')] }),
                                   { headers: withKey('k'), key: 'bob-key' });
  assert.equal(theirs.text, 're: mine');
  assert.ok(!isReplay(theirs));
  assert.equal(upstream.requests.length, 2);
});

test('a key that is none is refused before anything happens', async t => {
  const { server, upstream } = await start(t);
  for (const key of ['two words', 'x'.repeat(256), 'a\tb']) {
    const answer = await server.chat(hello(), { headers: withKey(key) });
    assert.equal(answer.status, 400, key);
    assert.match(answer.error.message, /Idempotency-Key/);
  }
  assert.equal((await server.chat(hello(), { headers: withKey('x'.repeat(255)) })).status, 200);
  assert.equal(upstream.requests.length, 1);
});
