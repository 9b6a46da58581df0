// Streams: their shape, that nothing is held back, and that a slow reader costs no memory.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { delay, KEY, parseEvents, SOON, start, test, until, user, within } from './harness.mjs';
import { chatRequest, open } from './raw.mjs';
import { chunk, completion, event, streamEvents, usageChunk, words } from './upstream.mjs';

const ask = (more = {}) => ({ model: 'm', stream: true, messages: [user('hi')], ...more });
const TEXT = 'Grüße aus Köln 🌷 und 東京.';

test('every chunk has the shape of the contract', async t => {
  const { server } = await start(t, {}, x => x.answer(TEXT));
  const answer = await server.stream({ messages: [user('hi')] });
  assert.equal(answer.status, 200);
  assert.equal(answer.done, true);
  assert.equal(answer.text, TEXT);
  const [first] = answer.chunks;
  assert.match(first.id, /^chatcmpl-/);
  for (const x of answer.chunks) {
    assert.equal(x.id, first.id);
    assert.equal(x.created, first.created);
    assert.equal(x.object, 'chat.completion.chunk');
    assert.equal(x.model, 'm');
    assert.equal(x.choices.length, 1);
    const [choice] = x.choices;
    assert.equal(choice.index, 0);
    assert.ok('logprobs' in choice && 'finish_reason' in choice && 'delta' in choice);
    assert.ok(!('usage' in x), 'no usage unless it is asked for');
  }
  assert.equal(first.choices[0].delta.role, 'assistant');
  assert.ok(answer.chunks.slice(1).every(x => !('role' in x.choices[0].delta)));
  assert.deepEqual(answer.chunks.map(x => x.choices[0].finish_reason).filter(Boolean), ['stop']);
  assert.equal(answer.chunks.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(answer.raw.endsWith('data: [DONE]\n\n'));
});

test('usage comes in a last chunk without choices when it is asked for', async t => {
  const { server, upstream } = await start(t);
  const asked = { messages: [user('hi')], stream_options: { include_usage: true } };
  const answer = await server.stream(asked);
  const last = answer.chunks.at(-1);
  assert.deepEqual(last.choices, []);
  assert.equal(last.usage.prompt_tokens, 11);
  assert.equal(last.usage.completion_tokens, 7);
  assert.equal(last.usage.total_tokens, 18);
  assert.ok(answer.chunks.slice(0, -1).every(x => x.usage === null));
  // An upstream that tells no usage: the client gets numbers all the same.
  upstream.once(x => x.answer('without usage', { usage: null }));
  const bare = (await server.stream(asked)).chunks.at(-1);
  assert.deepEqual(bare.choices, []);
  assert.ok(Number.isInteger(bare.usage.total_tokens) && bare.usage.total_tokens > 0);
});

test('each delta reaches the client before the upstream sends the next one', async t => {
  const steps = words('one two three four five ');
  const arrived = steps.map(() => {
    const gate = {};
    gate.promise = new Promise(resolve => { gate.open = resolve; });
    return gate;
  });
  const { server } = await start(t, {}, async x => {
    await x.begin();
    for (const [i, content] of steps.entries()) {
      await x.piece(event(chunk({ content })));
      await arrived[i].promise;
    }
    await x.piece(event(chunk({}, { finish_reason: 'stop' })) + event('[DONE]'));
    await x.end();
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  for (const [i, content] of steps.entries()) {
    await client.until(JSON.stringify(content), 5_000);
    arrived[i].open();
  }
  const answer = await client.response();
  assert.equal(parseEvents(answer.text).text, steps.join(''));
});

test('nothing is sent before the first byte of the upstream', async t => {
  const { server, upstream } = await start(t, {}, () => {});
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  const request = await upstream.request();
  await delay(200); // too short a wait can only miss a fault, never invent one
  assert.equal(client.input.length, 0);
  await request.answer('now');
  assert.equal(parseEvents((await client.response()).text).text, 'now');
});

test('headers of streams and of plain answers', async t => {
  const { server } = await start(t);
  for (const stream of [true, false]) {
    const answer = await server.post(ask({ stream, thread_id: 'a b' }),
                                     { headers: { 'x-request-id': 'mine-42' } });
    await answer.text();
    const header = name => answer.headers.get(name);
    assert.equal(header('x-request-id'), 'mine-42');
    assert.match(header('openai-processing-ms'), /^\d+$/);
    assert.ok(header('x-thread-id').includes('a'));
    assert.match(header('content-type'), stream ? /^text\/event-stream/ : /^application\/json/);
    if (stream) {
      assert.equal(header('cache-control'), 'no-cache, no-transform');
      assert.equal(header('x-accel-buffering'), 'no');
    }
  }
  // What would be a forged header or log line is not echoed.
  for (const id of ['a b"c', 'x'.repeat(2000), 'ü'.normalize('NFC')]) {
    const answer = await server.post(ask(), { headers: { 'x-request-id': id } });
    await answer.text();
    assert.notEqual(answer.headers.get('x-request-id'), id);
    assert.ok(answer.headers.get('x-request-id'));
  }
});

const body = streamEvents(TEXT).join('');
const sendAll = async (x, bytes) => { await x.begin(); await x.piece(bytes); await x.end(); };

/** Ways in which real upstreams write the same answer. */
const forms = {
  'one chunk': x => sendAll(x, body),
  'CRLF': x => sendAll(x, streamEvents(TEXT, { end: '\r\n' }).join('')),
  'comments and other fields': x => sendAll(x, ': ping\n\n' + body.replaceAll(
    'data: ', ': keep-alive\nid: 7\nretry: 10\nevent: message\ndata: ')),
  'no space after the colon': x => sendAll(x, body.replaceAll('data: ', 'data:')),
  'a byte order mark first': x => sendAll(x, `\ufeff${body}`),
  'cut between any two bytes': async x => {
    await x.begin();
    for (const byte of Buffer.from(body)) await x.piece([byte]);
    await x.end();
  },
  'segments of three bytes, cut inside characters': async x => {
    await x.begin();
    const bytes = Buffer.from(body);
    for (let i = 0; i < bytes.length; i += 3) {
      await x.piece(bytes.subarray(i, i + 3));
      if (i % 60 === 0) await new Promise(setImmediate); // so that the kernel sends what is there
    }
    await x.end();
  },
  'sized': x => x.send(200, body, {}, 'text/event-stream'),
  'until the connection closes': async x => {
    await x.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${body}`);
    x.socket.end();
  },
  'HTTP/1.0': async x => {
    await x.write(`HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${body}`);
    x.socket.end();
  },
  'no [DONE]': x => sendAll(x, streamEvents(TEXT, { done: false }).join('')),
  'no [DONE], and the connection is cut': async x => {
    await x.begin();
    await x.piece(streamEvents(TEXT, { done: false }).join(''));
    x.cut();
  },
  'no usage': x => sendAll(x, streamEvents(TEXT, { usage: null }).join('')),
  'usage in the last chunk with a choice': x => sendAll(x, [
    ...words(TEXT).map(content => chunk({ content })),
    { ...chunk({}, { finish_reason: 'stop' }), usage: { prompt_tokens: 1, completion_tokens: 2,
                                                        total_tokens: 3 } }, '[DONE]',
  ].map(y => event(y)).join('')),
  'usage without choices': x => sendAll(x, [
    ...words(TEXT).map(content => chunk({ content })), chunk({}, { finish_reason: 'stop' }),
    { ...usageChunk(), choices: undefined }, '[DONE]'].map(y => event(y)).join('')),
  'role in every chunk': x => sendAll(x, [
    ...words(TEXT).map(content => chunk({ role: 'assistant', content })),
    chunk({}, { finish_reason: 'stop' }), '[DONE]'].map(y => event(y)).join('')),
};

for (const [name, behaviour] of Object.entries(forms))
  test(`upstream form: ${name}`, async t => {
    const { server, upstream } = await start(t, {}, behaviour);
    const answer = await server.stream({ messages: [user('hi')], thread_id: 1 });
    assert.equal(answer.error, undefined);
    assert.equal(answer.text, TEXT);
    assert.equal(answer.done, true);
    assert.ok(answer.chunks.every(x => x.id === answer.chunks[0].id && x.choices.length === 1));
    assert.equal(answer.chunks.filter(x => x.choices[0].delta.role).length, 1);
    await server.stream({ messages: [user('next')], thread_id: 1 });
    assert.deepEqual(upstream.requests[1].transcript,
                     ['user: hi', `assistant: ${TEXT}`, 'user: next']);
  });

test('streams of several choices and of reasoning arrive unharmed', async t => {
  const { server } = await start(t, {}, async x => {
    await x.begin();
    for (const part of [
      chunk({ role: 'assistant', content: 'a1' }), chunk({ content: 'b1' }, { index: 1 }),
      chunk({ reasoning_content: 'hm' }), chunk({ content: 'b2' }, { index: 1 }),
      chunk({ content: 'a2' }), chunk({}, { index: 1, finish_reason: 'length' }),
      chunk({}, { finish_reason: 'stop' }), '[DONE]'])
      await x.piece(event(part));
    await x.end();
  });
  const { chunks, done } = await server.stream({ messages: [user('hi')], n: 2 });
  const choices = [0, 1].map(i => chunks.flatMap(x => x.choices).filter(x => x.index === i));
  const text = i => choices[i].map(x => x.delta.content ?? '').join('');
  assert.deepEqual([text(0), text(1)], ['a1a2', 'b1b2']);
  assert.equal(choices[0].map(x => x.delta.reasoning_content ?? '').join(''), 'hm');
  assert.deepEqual(choices.map(x => x.at(-1).finish_reason), ['stop', 'length']);
  assert.equal(done, true);
});

test('a slow reader stops its upstream in bounded memory, then gets everything', async t => {
  const piece = '~'.repeat(64 * 1024); // a byte that nothing else in a stream has
  const total = 80 * 1024 * 1024;
  let written = 0;
  const { server } = await start(t, { upstream: { max_answer_bytes: '128MiB' } }, async x => {
    await x.begin();
    for (; written < total; written += piece.length)
      await x.piece(event(chunk({ content: piece })));
    await x.piece(event(chunk({}, { finish_reason: 'stop' })) + event('[DONE]'));
    await x.end();
  });
  const before = server.rss();
  // The socket reads nothing until it is told to.
  const socket = connect(server.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(chatRequest(KEY, ask()));
  let last = -1;
  let since = Date.now();
  await until(() => {
    if (written !== last) [last, since] = [written, Date.now()];
    return written > 0 && Date.now() - since > 1_000;
  }, 'the upstream is stopped', 20_000);
  // Two hops of kernel buffers take up to 20 MiB; what the server itself holds is far less.
  assert.ok(written < 40 * 1024 * 1024, `the upstream could write ${written} bytes`);
  assert.ok(server.rss() - before < 48 * 1024 * 1024, `RSS grew by ${server.rss() - before}`);

  let count = 0;
  let tail = '';
  socket.on('data', data => {
    for (const byte of data) if (byte === 0x7e) ++count;
    tail = (tail + data.subarray(-64).toString('latin1')).slice(-64);
  });
  socket.resume();
  await until(() => tail.includes('[DONE]'), 'the rest arrives', 20_000);
  assert.equal(count, total, 'every byte of the text arrives');
});

for (const stream of [true, false]) {
  const kind = stream ? 'a stream' : 'a plain request';
  test(`a client that leaves ${kind} before the first token frees the upstream`, async t => {
    const { server, upstream } = await start(t, {}, () => {});
    const client = await open(t, server.port);
    await client.send(chatRequest(KEY, ask({ stream })));
    const request = await upstream.request();
    client.destroy();
    await within(SOON, request.closed, 'the upstream connection closes');
    await until(() => server.logLines(/status=499/).length === 1, 'the request is logged');
    upstream.behave(x => x.answer('fine'));
    assert.equal(await server.say(3, 'next'), 'fine');
    assert.deepEqual(upstream.requests[1].transcript, ['user: next']);
  });
}

test('a client that leaves in the middle of a plain answer frees the upstream', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    const json = JSON.stringify(completion({ content: 'long' }));
    await x.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${
      json.length}\r\n\r\n${json.slice(0, 40)}`);
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask({ stream: false })));
  const request = await upstream.request();
  client.destroy();
  await within(SOON, request.closed, 'the upstream connection closes');
});

test('an endless stream ends within a second of its client', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    await x.begin();
    while (x.connection.open) {
      await x.piece(event(chunk({ content: 'more ' })));
      await delay(5);
    }
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  await client.until('more ');
  client.destroy();
  await within(SOON, upstream.requests[0].closed, 'the upstream connection closes');
});
