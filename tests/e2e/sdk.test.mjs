// The official client library, unmodified, against the real server.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { KEY, ONE_ATTEMPT, SOON, start, startServer, test, user, within } from './harness.mjs';
import { chunk, completion, event, usageChunk } from './upstream.mjs';

const clientOf = (server, options = {}) =>
  new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 0, ...options });

const hello = (more = {}) => ({ model: 'm', messages: [user('hello')], ...more });

const weather = { id: 'call_1', type: 'function',
                  function: { name: 'weather', arguments: '{"city":"Köln"}' } };
const tools = [{ type: 'function', function: {
  name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

test('a plain completion has every field of the contract', async t => {
  const { server, upstream } = await start(t);
  const answer = await clientOf(server).chat.completions.create(hello());
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, 'm');
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 600);
  assert.deepEqual(answer.choices, [{
    index: 0, finish_reason: 'stop', logprobs: null,
    message: { role: 'assistant', content: 're: hello', refusal: null },
  }]);
  assert.equal(answer.usage.total_tokens, 18);
  const { body } = upstream.requests[0];
  assert.equal(body.temperature, 0.7);
  assert.equal(body.max_tokens, 500);
  assert.ok(answer._request_id);
});

test('a stream gives the deltas, the finish reason and the usage', async t => {
  const { server } = await start(t);
  const stream = await clientOf(server).chat.completions.create(
    hello({ stream: true, stream_options: { include_usage: true } }));
  const chunks = [];
  for await (const x of stream) chunks.push(x);
  assert.equal(chunks.map(x => x.choices[0]?.delta.content ?? '').join(''), 're: hello');
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.total_tokens, 18);
});

test('the SDK\'s own stream helper assembles the answer', async t => {
  const { server } = await start(t);
  const runner = clientOf(server).chat.completions.stream(hello());
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, 're: hello');
  assert.equal(final.choices[0].finish_reason, 'stop');
});

test('a tool result alone continues a stored tool call', async t => {
  const { server, upstream } = await start(t);
  const client = clientOf(server);
  upstream.once(x => x.json(completion({ tool_calls: [weather] }, { finish_reason: 'tool_calls' })));
  const first = await client.chat.completions.create(hello({ tools, thread_id: 'tools' }));
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  assert.equal(first.choices[0].message.content, null);
  assert.deepEqual(first.choices[0].message.tool_calls, [weather]);
  assert.deepEqual(upstream.requests[0].body.tools, tools);

  const second = await client.chat.completions.create({
    model: 'm', thread_id: 'tools', tools,
    messages: [{ role: 'tool', tool_call_id: 'call_1', content: '21 °C' }],
  });
  assert.equal(second.choices[0].message.content, 're: 21 °C');
  const { messages } = upstream.requests[1].body;
  assert.deepEqual(messages.map(x => x.role), ['user', 'assistant', 'tool']);
  assert.deepEqual(messages[1].tool_calls, [weather]);
  assert.equal(messages[2].tool_call_id, 'call_1');
});

test('a streamed tool call arrives in pieces and is stored whole', async t => {
  const { server, upstream } = await start(t);
  const piece = more => chunk({ tool_calls: [{ index: 0, ...more }] });
  upstream.once(async x => {
    await x.begin();
    for (const part of [
      chunk({ role: 'assistant', content: null }),
      piece({ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } }),
      piece({ function: { arguments: '{"city":' } }),
      piece({ function: { arguments: '"Köln"}' } }),
      chunk({}, { finish_reason: 'tool_calls' }),
      '[DONE]',
    ]) await x.piece(event(part));
    await x.end();
  });
  const runner = clientOf(server).chat.completions.stream(hello({ tools, thread_id: 's' }));
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].finish_reason, 'tool_calls');
  assert.equal(final.choices[0].message.tool_calls[0].function.arguments, '{"city":"Köln"}');
  await clientOf(server).chat.completions.create({
    model: 'm', thread_id: 's', messages: [{ role: 'tool', tool_call_id: 'call_1', content: 'ok' }],
  });
  assert.deepEqual(upstream.requests[1].body.messages[1].tool_calls, [weather]);
});

test('structured output, n and logprobs travel both ways', async t => {
  const { server, upstream } = await start(t);
  const response_format = { type: 'json_schema', json_schema: {
    name: 'city', strict: true, schema: { type: 'object', properties: { a: { type: 'integer' } },
                                          required: ['a'], additionalProperties: false } } };
  const logprobs = { content: [{ token: '{', logprob: -0.5, bytes: [123], top_logprobs: [] }],
                     refusal: null };
  upstream.once(x => {
    const body = completion({ content: '{"a":1}' }, { logprobs });
    body.choices.push({ ...body.choices[0], index: 1,
                        message: { ...body.choices[0].message, content: '{"a":2}' } });
    return x.json(body);
  });
  const answer = await clientOf(server).chat.completions.create(
    hello({ response_format, n: 2, logprobs: true, stop: ['x', 'y'] }));
  assert.deepEqual(answer.choices.map(x => x.message.content), ['{"a":1}', '{"a":2}']);
  assert.deepEqual(answer.choices.map(x => x.index), [0, 1]);
  assert.deepEqual(answer.choices[0].logprobs, logprobs);
  const { body } = upstream.requests[0];
  assert.deepEqual(body.response_format, response_format);
  assert.equal(body.n, 2);
  assert.equal(body.logprobs, true);
  assert.deepEqual(body.stop, ['x', 'y']);
});

test('parsed structured output of the SDK works', async t => {
  const { server, upstream } = await start(t);
  upstream.behave(x => x.json(completion({ content: '{"a":1}' })));
  const answer = await clientOf(server).chat.completions.parse(hello({
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } },
  }));
  assert.equal(answer.choices[0].message.content, '{"a":1}');
});

test('breaking out of a stream closes the upstream connection within a second', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    await x.begin();
    await x.piece(event(chunk({ content: 'first ' })));
  });
  const stream = await clientOf(server).chat.completions.create(hello({ stream: true }));
  for await (const x of stream) if (x.choices[0]?.delta.content) break;
  await within(SOON, upstream.requests[0].closed, 'upstream connection closes after the abort');
});

test('the SDK retries a 429 and a 500, and shows what remains', async t => {
  const { server, upstream } = await start(t);
  const limited = x => x.json({ error: { message: 'slow', type: 'rate_limit_error', param: null,
                                         code: 'rate_limit_exceeded' } }, 429, { 'retry-after': '0' });
  upstream.once(limited);
  upstream.once(x => x.json({ error: { message: 'boom' } }, 500));
  const answer = await clientOf(server, { maxRetries: 2 }).chat.completions.create(hello());
  assert.equal(answer.choices[0].message.content, 're: hello');
  assert.equal(upstream.requests.length, 3);
  // The failed attempts left nothing behind.
  assert.deepEqual(upstream.requests[2].transcript, ['user: hello']);
});

test('errors arrive as the SDK\'s classes with all their fields', async t => {
  const { server, upstream } = await start(t, ONE_ATTEMPT);
  const client = clientOf(server);
  const failing = async (body, using = client) => {
    try {
      await using.chat.completions.create(body);
    } catch (error) {
      return error;
    }
    return assert.fail('no error');
  };
  const noKey = await failing(hello(), clientOf(server, { apiKey: 'wrong' }));
  assert.ok(noKey instanceof OpenAI.AuthenticationError);
  assert.equal(noKey.code, 'invalid_api_key');

  const hot = await failing(hello({ temperature: 3 }));
  assert.ok(hot instanceof OpenAI.BadRequestError);
  assert.equal(hot.param, 'temperature');
  assert.equal(hot.type, 'invalid_request_error');
  assert.equal(upstream.requests.length, 0);

  upstream.once(x => x.json({ error: { message: 'boom' } }, 500));
  const broken = await failing(hello());
  assert.ok(broken instanceof OpenAI.InternalServerError);
  assert.equal(broken.status, 502);
  assert.ok(broken.requestID);

  // Last: the key has to wait then.
  upstream.once(x => x.json({ error: { message: 'slow down', type: 'requests', param: null,
                                       code: 'rate_limit_exceeded' } }, 429, { 'retry-after': '7' }));
  const limited = await failing(hello());
  assert.ok(limited instanceof OpenAI.RateLimitError);
  assert.equal(limited.code, 'rate_limit_exceeded');
  assert.equal(limited.headers.get('retry-after'), '7');
});

test('an error inside a stream throws after the deltas that came', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    await x.begin();
    await x.piece(event(chunk({ content: 'half ' })));
  });
  const seen = [];
  await assert.rejects(async () => {
    const stream = await clientOf(server).chat.completions.create(hello({ stream: true }));
    for await (const x of stream) {
      seen.push(x.choices[0].delta.content ?? '');
      if (seen.join('') === 'half ') upstream.requests[0].cut();
    }
  }, error => error instanceof OpenAI.APIError && error.code === 'upstream_cut');
  assert.equal(seen.join(''), 'half ');
});

test('models are listed and found', async t => {
  const server = await startServer(t, { config: { upstream: { models: ['a-1', 'b/2'] } } });
  const client = clientOf(server);
  const names = [];
  for await (const model of client.models.list()) {
    assert.equal(model.object, 'model');
    names.push(model.id);
  }
  assert.deepEqual(names, ['a-1', 'b/2']);
  assert.equal((await client.models.retrieve('a-1')).id, 'a-1');
  assert.equal((await client.models.retrieve('b/2')).id, 'b/2');
  await assert.rejects(client.models.retrieve('nope'), error =>
    error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
});

test('thread_id in the body keeps a conversation, with a usage chunk and in plain', async t => {
  const { server, upstream } = await start(t);
  const client = clientOf(server);
  await client.chat.completions.create(hello({ thread_id: 7 }));
  const stream = await client.chat.completions.create(
    { model: 'm', messages: [user('again')], thread_id: 7, stream: true });
  for await (const _ of stream);
  assert.deepEqual(upstream.requests[1].transcript,
                   ['user: hello', 'assistant: re: hello', 'user: again']);
  assert.ok(upstream.requests.every(x => !('thread_id' in x.body)));
});

test('usage in a stream is not sent when nobody asked', async t => {
  const { server } = await start(t, {}, async x => {
    await x.begin();
    for (const part of [chunk({ content: 'x' }), chunk({}, { finish_reason: 'stop' }), usageChunk(),
                        '[DONE]'])
      await x.piece(event(part));
    await x.end();
  });
  const stream = await clientOf(server).chat.completions.create(hello({ stream: true }));
  for await (const x of stream) {
    assert.equal(x.choices.length, 1);
    assert.ok(!x.usage);
  }
});
