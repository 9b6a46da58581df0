// What a thread remembers, in which order, and what it must never remember.
import assert from 'node:assert/strict';
import { assistant, KEY, SOON, start, test, user, within } from './harness.mjs';
import { completion, event, chunk } from './upstream.mjs';

const system = content => ({ role: 'system', content });

test('history grows turn by turn, plain and streamed', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'one');
  await server.stream({ thread_id: 1, messages: [user('two')] });
  await server.say(1, 'three');
  assert.deepEqual(upstream.requests[2].transcript, [
    'user: one', 'assistant: re: one', 'user: two', 'assistant: re: two', 'user: three']);
});

test('a client that resends everything does not double its history', async t => {
  const { server, upstream } = await start(t);
  const messages = [];
  for (const text of ['one', 'two', 'three', 'four']) {
    messages.push(user(text));
    const answer = await server.chat({ thread_id: 1, messages });
    messages.push(answer.body.choices[0].message);
  }
  assert.deepEqual(upstream.requests[3].body.messages.length, 7);
  await server.say(1, 'five');
  assert.equal(upstream.requests[4].body.messages.length, 9);
});

test('an edited message replaces what followed it', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'one');
  await server.say(1, 'two');
  await server.say(1, 'three');
  const edited = [user('one'), assistant('re: one'), user('two, edited')];
  await server.chat({ thread_id: 1, messages: edited });
  assert.deepEqual(upstream.requests[3].transcript,
                   ['user: one', 'assistant: re: one', 'user: two, edited']);
  await server.say(1, 'four');
  assert.deepEqual(upstream.requests[4].transcript, [
    'user: one', 'assistant: re: one', 'user: two, edited', 'assistant: re: two, edited',
    'user: four']);
});

test('a regenerated answer replaces the old one', async t => {
  const { server, upstream } = await start(t, {}, x => x.answer(`answer ${x.number}`));
  await server.say(1, 'one');
  await server.say(1, 'two');
  const again = [user('one'), assistant('answer 0'), user('two')];
  assert.equal((await server.chat({ thread_id: 1, messages: again })).text, 'answer 2');
  await server.say(1, 'three');
  assert.deepEqual(upstream.requests[3].transcript, [
    'user: one', 'assistant: answer 0', 'user: two', 'assistant: answer 2', 'user: three']);
});

test('instructions are remembered, replaced and never pile up', async t => {
  const { server, upstream } = await start(t);
  const say = messages => server.chat({ thread_id: 1, messages });
  await say([system('be brief'), user('one')]);
  await say([user('two')]);
  await say([{ role: 'developer', content: 'be long' }, user('three')]);
  await say([user('four')]);
  const instructions = upstream.requests.map(x => x.transcript.filter(y => !/^(user|assis)/.test(y)));
  assert.deepEqual(instructions, [['system: be brief'], ['system: be brief'],
                                  ['developer: be long'], ['developer: be long']]);
  assert.equal(upstream.requests[3].body.messages[0].role, 'developer');
  assert.equal(upstream.requests[3].body.messages.length, 8);
});

test('parameters are not remembered from turn to turn', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'one', { temperature: 0, top_p: 0.5, unknown_field: { deep: [1] } });
  await server.say(1, 'two', { max_completion_tokens: 9 });
  const [first, second] = upstream.requests.map(x => x.body);
  assert.equal(first.temperature, 0);
  assert.deepEqual(first.unknown_field, { deep: [1] });
  assert.equal(second.temperature, 0.7);
  assert.ok(!('top_p' in second) && !('unknown_field' in second) && !('max_tokens' in second));
});

test('tenants with the same thread id never meet', async t => {
  const { server, upstream } = await start(t, {
    tenants: [{ name: 'alice', keys: [KEY, 'alice-2'] }, { name: 'bob', keys: ['bob-key'] }] });
  await server.say('shared', 'alice secret');
  await server.say('shared', 'bob speaks', {}, { key: 'bob-key' });
  await server.say('shared', 'alice again', {}, { key: 'alice-2' });
  assert.deepEqual(upstream.requests[1].transcript, ['user: bob speaks']);
  assert.deepEqual(upstream.requests[2].transcript,
                   ['user: alice secret', 'assistant: re: alice secret', 'user: alice again']);
});

test('thread ids: default, spellings and extremes', async t => {
  const { server, upstream } = await start(t);
  // Bodies as text: JavaScript numbers do not hold all of int64.
  const turn = async (id, text) => {
    const field = id === undefined ? '' : `"thread_id":${id},`;
    const answer = await server.post(
      `{${field}"model":"m","messages":[{"role":"user","content":"${text}"}]}`);
    assert.equal(answer.status, 200, await answer.text());
    return answer.headers.get('x-thread-id');
  };
  const same = [[undefined, '3', 'null', '"3"'], ['42', '"42"'], ['-7', '"-7"'],
                ['9223372036854775807', '"9223372036854775807"'], ['9223372036854775806'],
                ['-9223372036854775808', '"-9223372036854775808"'], ['0'], ['"a b"'], ['"日本"'],
                ['"none"'], [`"${'x'.repeat(128)}"`]];
  for (const [group, ids] of same.entries()) {
    const headers = new Set();
    for (const [i, id] of ids.entries()) {
      headers.add(await turn(id, `group ${group}`));
      const transcript = upstream.requests.at(-1).transcript;
      assert.equal(transcript.length, 2 * i + 1, `thread ${id} has the history of its group only`);
      assert.ok(transcript.every(x => x.includes(`group ${group}`)), `thread ${id}`);
    }
    assert.equal(headers.size, 1, 'the same thread has one name');
  }
  assert.equal(await turn('9223372036854775807', 'name'), '9223372036854775807');
  assert.equal(await turn(undefined, 'name'), '3');
  assert.ok(upstream.requests.every(x => !x.raw.includes('thread_id')));
});

test('what is no thread id gets a 400 that names it', async t => {
  const { server, upstream } = await start(t);
  for (const id of ['1.5', '1.0', '1e3', 'true', '[]', '[1]', '{}', '""', '9223372036854775808',
                    '-9223372036854775809', '1e400', `"${'x'.repeat(129)}"`, '"a\\u0000b"',
                    '"a\\nb"', '"\\u007f"']) {
    const answer = await server.post(
      `{"thread_id":${id},"model":"m","messages":[{"role":"user","content":"x"}]}`);
    const { error } = await answer.json();
    assert.equal(answer.status, 400, `thread_id ${id}`);
    assert.equal(error.param, id === '1e400' ? error.param : 'thread_id', `thread_id ${id}`);
    assert.equal(error.type, 'invalid_request_error');
  }
  assert.equal(upstream.requests.length, 0);
});

test('default_thread = "none" makes requests without thread_id stateless', async t => {
  const { server, upstream } = await start(t, { threads: { default_thread: 'none' } });
  const anonymous = await server.chat({ messages: [user('one')] });
  assert.equal(anonymous.headers.get('x-thread-id'), null);
  await server.chat({ messages: [user('two')], thread_id: null });
  await server.say(3, 'three');
  await server.say(3, 'four');
  assert.deepEqual(upstream.requests.map(x => x.body.messages.length), [1, 1, 1, 3]);
});

test('failed, cut and cancelled turns leave no trace', async t => {
  const { server, upstream } = await start(t, { retry: { max_attempts: 1 } });
  await server.say(1, 'kept');
  const failing = [
    x => x.json({ error: { message: 'boom' } }, 500),
    async x => { await x.begin(); await x.piece(event(chunk({ content: 'half' }))); x.cut(); },
    x => x.cut(),
    x => x.json({ error: { message: 'no', code: 'bad' } }, 400),
  ];
  for (const behaviour of failing) {
    upstream.once(behaviour);
    await server.post({ model: 'm', stream: true, thread_id: 1,
                        messages: [system('lost'), user('lost')] }).then(x => x.text());
  }
  // Cancelled by the client, in the middle of a stream.
  upstream.once(async x => { await x.begin(); await x.piece(event(chunk({ content: 'half' }))); });
  const abort = new AbortController();
  const response = await server.post({ model: 'm', stream: true, thread_id: 1,
                                       messages: [user('lost')] }, { signal: abort.signal });
  assert.equal(response.status, 200);
  abort.abort();
  await within(SOON, upstream.requests.at(-1).closed, 'the cancelled turn ends upstream');
  await server.say(1, 'next');
  assert.deepEqual(upstream.requests.at(-1).transcript,
                   ['user: kept', 'assistant: re: kept', 'user: next']);
});

test('200 turns and 4 MiB of history go upstream whole', async t => {
  const big = 'ü'.repeat(105 * 1024); // 210 KiB
  const { server, upstream } = await start(t, {}, x => x.answer(
    x.number < 190 ? `answer ${x.number}` : `${x.number} ${big}`));
  for (let i = 0; i < 190; ++i) await server.say('long', `turn ${i}`);
  for (let i = 190; i < 200; ++i) await server.say('long', `turn ${i} ${big}`);
  const answer = await server.chat({ thread_id: 'long', messages: [user('last')] });
  assert.equal(answer.status, 200);
  const { messages } = upstream.requests[200].body;
  assert.equal(messages.length, 401);
  for (let i = 0; i < 200; ++i) {
    assert.equal(messages[2 * i].content, i < 190 ? `turn ${i}` : `turn ${i} ${big}`);
    assert.equal(messages[2 * i + 1].content, i < 190 ? `answer ${i}` : `${i} ${big}`);
  }
  assert.ok(upstream.requests[200].raw.length > 2 * 1024 * 1024); // characters of two bytes each
});

test('unanswered tool calls are left out of later prompts', async t => {
  const { server, upstream } = await start(t);
  const call = id => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
  upstream.once(x => x.json(completion({ tool_calls: [call('c1'), call('c2')] },
                                       { finish_reason: 'tool_calls' })));
  await server.say(1, 'use the tool');
  await server.say(1, 'never mind');
  const { messages } = upstream.requests[1].body;
  assert.ok(!upstream.requests[1].raw.includes('tool_calls'), 'no call without its answer');
  assert.deepEqual([messages[0].content, messages.at(-1).content], ['use the tool', 'never mind']);
  // An assistant message without calls and without text is refused by providers.
  assert.ok(messages.every(x => x.role !== 'assistant' || x.content));
});

test('the context budget keeps the newest messages, instructions and pairs', async t => {
  const { server, upstream } = await start(t, { threads: { max_context_messages: 5 } });
  await server.chat({ thread_id: 1, messages: [system('rules'), user('one')] });
  await server.say(1, 'two');
  await server.say(1, 'three');
  const last = await server.chat({ thread_id: 1, messages: [user('four')] });
  const seen = upstream.requests[3].transcript;
  assert.equal(seen[0], 'system: rules');
  assert.deepEqual(seen.slice(-3), ['user: three', 'assistant: re: three', 'user: four']);
  assert.ok(seen.length <= 6 && !seen.includes('user: one'));
  assert.equal(last.status, 200);
});
