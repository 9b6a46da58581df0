// A prompt that is too long for the model is asked once more with about half of the context.
import assert from 'node:assert/strict';
import { start, test, user } from './harness.mjs';
import { historyOf } from './thread-client.mjs';

const system = content => ({ role: 'system', content });

const refusals = {
  'OpenAI\'s code': { message: 'This model\'s maximum context length is 8192 tokens. However, your '
    + 'messages resulted in 9000 tokens.', type: 'invalid_request_error', param: 'messages',
  code: 'context_length_exceeded' },
  'vLLM\'s words': { object: 'error', message: 'This model\'s maximum context length is 4096 tokens. '
    + 'However, you requested 5000 tokens (4500 in the messages, 500 in the completion). Please '
    + 'reduce the length of the messages or completion.', type: 'BadRequestError', param: null,
  code: 400 },
};

/** Refuses prompts of more than `limit` messages. */
const narrow = (limit, error) => x => (x.body.messages.length > limit
  ? x.json(error.object ? error : { error }, 400) : x.answer(`re: ${x.lastText}`));

/** A thread with ten turns of equal size, made while the upstream took everything. */
async function longThread(t, config) {
  const { server, upstream } = await start(t, config);
  await server.chat({ thread_id: 1, messages: [system('rules'), user('turn 0')] });
  for (let n = 1; n < 10; ++n) await server.say(1, `turn ${n}`);
  upstream.requests.length = 0;
  return { server, upstream };
}

for (const [name, error] of Object.entries(refusals))
  for (const stream of [false, true])
    test(`the turn succeeds with less context (${name}, ${stream ? 'stream' : 'plain'})`, async t => {
      const { server, upstream } = await longThread(t);
      upstream.behave(narrow(14, error));
      const body = { thread_id: 1, messages: [user('last')] };
      const answer = stream ? await server.stream(body) : await server.chat(body);
      assert.equal(answer.status, 200, answer.raw);
      assert.equal(answer.text, 're: last');
      assert.deepEqual(upstream.requests.length, 2, 'exactly one retry');
      const [whole, half] = upstream.requests.map(x => x.transcript);
      assert.equal(whole.length, 22);
      assert.ok(half.length <= 14 && half.length >= 8, `about half: ${half.length}`);
      assert.equal(half[0], 'system: rules');
      assert.match(half[1], /^user: /, 'whole turns');
      assert.deepEqual(half.slice(1), whole.slice(1 - half.length), 'the newest');
      const [used, total] = answer.headers.get('x-context-messages').split('/').map(Number);
      assert.ok(used < total && [half.length, half.length - 1].includes(used), `${used}/${total}`);
      assert.ok([21, 22].includes(total));
      // All of it is still stored.
      assert.equal((await historyOf(server, 1)).length, 22);
    });

test('it is tried once only; then the client hears what the upstream says', async t => {
  const { server, upstream } = await longThread(t);
  upstream.behave(narrow(2, refusals['OpenAI\'s code']));
  const answer = await server.chat({ thread_id: 1, messages: [user('last')] });
  assert.equal(answer.status, 400);
  assert.equal(answer.error.code, 'context_length_exceeded');
  assert.match(answer.error.message, /maximum context length/);
  assert.equal(upstream.requests.length, 2);
  assert.equal((await historyOf(server, 1)).length, 20, 'nothing is stored');
});

test('a prompt that cannot be shortened is not asked for again', async t => {
  const { server, upstream } = await start(t, {}, narrow(0, refusals['OpenAI\'s code']));
  const answer = await server.chat({ thread_id: 1, messages: [user('all there is')] });
  assert.equal(answer.error.code, 'context_length_exceeded');
  assert.equal(upstream.requests.length, 1);
});

test('threads.retry_with_less_context = false passes the error on', async t => {
  const { server, upstream } = await longThread(t, { threads: { retry_with_less_context: false } });
  upstream.behave(narrow(14, refusals['vLLM\'s words']));
  const answer = await server.chat({ thread_id: 1, messages: [user('last')] });
  assert.equal(answer.status, 400);
  assert.match(answer.error.message, /maximum context length/);
  assert.equal(upstream.requests.length, 1);
});

test('other errors of the upstream are not asked for again', async t => {
  const { server, upstream } = await longThread(t);
  upstream.behave(x => x.json({ error: { message: 'messages: too many images', code: 'odd' } }, 400));
  assert.equal((await server.chat({ thread_id: 1, messages: [user('last')] })).error.code, 'odd');
  assert.equal(upstream.requests.length, 1);
});
