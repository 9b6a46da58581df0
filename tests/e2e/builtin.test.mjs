// The model inside the process: what it remembers, and that tests can rely on it.
import assert from 'node:assert/strict';
import { startServer, test, user } from './harness.mjs';
import { words } from './upstream.mjs';

const builtin = (options = {}) => ({ config: { upstream: { builtin: options } } });

test('it mentions what it was told earlier, and counts the turns', async t => {
  const server = await startServer(t, builtin());
  const first = await server.say(1, 'My name is Ada.');
  assert.match(first, /\b1\b/);
  assert.ok(first.includes('My name is Ada.'));
  const second = await server.say(1, 'What is my name?');
  assert.match(second, /\b2\b/);
  assert.ok(second.includes('Ada'), second);
  const third = await server.say(1, 'And now?');
  assert.match(third, /\b3\b/);
  assert.ok(third.includes('Ada') && third.includes('What is my name?'));
  // Another thread was told nothing.
  assert.ok(!(await server.say(2, 'Who am I?')).includes('Ada'));
});

test('it streams word by word and reports usage', async t => {
  const server = await startServer(t, builtin());
  const answer = await server.stream({ thread_id: 'a', messages: [user('Grüße, 東京!')],
                                       stream_options: { include_usage: true } });
  const pieces = answer.chunks.map(x => x.choices[0]?.delta.content).filter(Boolean);
  assert.deepEqual(pieces, words(answer.text));
  assert.ok(pieces.length > 3);
  const { usage } = answer.chunks.at(-1);
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  // The plain form says the same.
  const plain = await server.chat({ thread_id: 'b', messages: [user('Grüße, 東京!')] });
  assert.equal(plain.text, answer.text);
  assert.equal(plain.body.choices[0].finish_reason, 'stop');
});

test('max_tokens ends an answer with finish_reason length', async t => {
  const server = await startServer(t, builtin({ words: 50 }));
  for (const limit of ['max_tokens', 'max_completion_tokens']) {
    const plain = await server.chat({ messages: [user('x')], thread_id: limit, [limit]: 3 });
    assert.equal(plain.body.choices[0].finish_reason, 'length');
    assert.equal(words(plain.text).length, 3);
    assert.equal(plain.body.usage.completion_tokens, 3);
    const streamed = await server.stream({ messages: [user('x')], thread_id: limit, [limit]: 3 });
    assert.equal(streamed.chunks.at(-1).choices[0].finish_reason, 'length');
    assert.equal(words(streamed.text).length, 3);
  }
});

test('the same seed says the same, another one something else', async t => {
  const say = async seed => {
    const server = await startServer(t, builtin({ seed, words: 40 }));
    return [await server.say(1, 'one'), await server.say(1, 'two')].join('\n');
  };
  const [first, again, other] = await Promise.all([say(7), say(7), say(8)]);
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test('the configured length and delays are kept', async t => {
  const server = await startServer(t, builtin({
    words: 10, first_token_delay: '200ms', token_interval: '20ms' }));
  const begin = performance.now();
  const response = await server.post({ model: 'm', stream: true, messages: [user('x')] });
  const reader = response.body.getReader();
  await reader.read();
  // Timers may be a little early by the clock of another process.
  assert.ok(performance.now() - begin >= 190, 'the first token is delayed');
  while (!(await reader.read()).done);
  assert.ok(performance.now() - begin >= 370, 'and each of the others');

  const plainBegin = performance.now();
  const plain = await server.say(2, 'x');
  assert.equal(words(plain).length, 10);
  assert.ok(performance.now() - plainBegin >= 370, 'a plain answer takes as long');
});

test('n choices', async t => {
  const server = await startServer(t, builtin());
  const plain = await server.chat({ messages: [user('x')], n: 3, thread_id: 1 });
  assert.deepEqual(plain.body.choices.map(x => x.index), [0, 1, 2]);
  const streamed = await server.stream({ messages: [user('x')], n: 2, thread_id: 2 });
  const seen = streamed.chunks.flatMap(x => x.choices);
  assert.deepEqual([...new Set(seen.map(x => x.index))].sort(), [0, 1]);
  assert.equal(seen.filter(x => x.finish_reason === 'stop').length, 2);
});
