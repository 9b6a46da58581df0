// What is sent while an answer is silent, so that nothing between client and server gives up.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { delay, KEY, parseEvents, SOON, start, test, until, user, within } from './harness.mjs';
import { chatRequest, open, request } from './raw.mjs';
import { chunk, event, gate, streamEvents } from './upstream.mjs';

const COMMENT = ': keep-alive\n\n';
const SILENT = { server: { sse_keepalive: '200ms' } };
const PATIENT = { server: { json_keepalive: '200ms' } };

const ask = (more = {}) => ({ model: 'm', stream: true, messages: [user('hi')], ...more });
const comments = text => text.split(COMMENT).length - 1;

/** Waits for so many comments, or spaces, on a raw connection. */
const silences = (client, count, sign = COMMENT) =>
  until(() => client.input.toString('latin1').split(sign).length > count, 'keep-alive comes', 5_000);

/** A chunk that is one space: what plain answers begin with. */
const SPACE = '1\r\n \r\n';

test('a stream that has not begun is kept alive by comments', async t => {
  const held = gate();
  const { server } = await start(t, SILENT, held.behaviour);
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask({ thread_id: 5 })));
  await silences(client, 3);
  held.open();
  const answer = await client.response();
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^text\/event-stream/);
  assert.equal(answer.headers['x-accel-buffering'], 'no');
  assert.equal(answer.headers['x-thread-id'], '5');
  assert.equal(answer.headers['x-context-messages'], undefined);
  assert.ok(answer.text.startsWith(COMMENT.repeat(3)));
  const { text, done } = parseEvents(answer.text);
  assert.deepEqual([text, done], ['re: hi', true]);
  await until(() => server.logLines(/status=200.* upstream=main/).length === 1, 'its origin is logged');
});

test('a stream that pauses is kept alive between its deltas', async t => {
  const held = gate();
  // On a busy machine, too, the first delta comes in this time.
  const { server } = await start(t, { server: { sse_keepalive: '1s' } }, async x => {
    await x.begin();
    await x.piece(event(chunk({ content: 'one ' })));
    await held.opened;
    await x.piece(event(chunk({ content: 'two' })) + event(chunk({}, { finish_reason: 'stop' }))
                  + event('[DONE]'));
    await x.end();
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  await client.until('"one "');
  await silences(client, 2);
  held.open();
  const answer = await client.response();
  assert.ok(answer.headers['x-context-messages'], 'the head came with the first delta');
  assert.ok(answer.text.startsWith('data: '));
  assert.ok(comments(answer.text) >= 2);
  assert.deepEqual([parseEvents(answer.text).text, parseEvents(answer.text).done], ['one two', true]);
});

test('a stream that talks has no comments', async t => {
  const { server } = await start(t, { server: { sse_keepalive: '2s' } }, async x => {
    await x.begin();
    for (let i = 0; i < 40; ++i) {
      await x.piece(event(chunk({ content: `${i} ` })));
      await delay(100);
    }
    await x.piece(event(chunk({}, { finish_reason: 'stop' })) + event('[DONE]'));
    await x.end();
  });
  const answer = await server.stream({ messages: [user('hi')] });
  assert.equal(comments(answer.raw), 0);
  assert.equal(answer.done, true);
});

test('an error after a comment comes as an event', async t => {
  const held = gate();
  const { server, upstream } = await start(t, { ...SILENT, retry: { max_attempts: 1 } }, async x => {
    await held.opened;
    await x.json({ error: { message: 'no such thing', type: 'invalid_request_error',
                            param: 'x', code: 'odd' } }, 400);
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  await silences(client, 1);
  held.open();
  const answer = await client.response();
  assert.equal(answer.status, 200);
  const { error, done } = parseEvents(answer.text);
  assert.equal(error.code, 'odd');
  assert.equal(done, false);
  // Nothing of it is stored, and the connection serves on.
  upstream.behave(x => x.answer('fine'));
  await client.send(chatRequest(KEY, ask({ messages: [user('next')] })));
  assert.equal(parseEvents((await client.response()).text).text, 'fine');
  assert.deepEqual(upstream.requests.at(-1).transcript, ['user: next']);
});

test('the official client library does not notice comments', async t => {
  const { server } = await start(t, SILENT, async x => {
    await delay(500);
    await x.begin();
    for (const piece of streamEvents('one two three')) {
      await x.piece(piece);
      await delay(300);
    }
    await x.end();
  });
  const client = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 0 });
  const chunks = [];
  for await (const x of await client.chat.completions.create(ask())) chunks.push(x);
  assert.equal(chunks.map(x => x.choices[0].delta.content ?? '').join(''), 'one two three');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('the official client library sees an error that comes after a comment', async t => {
  const { server } = await start(t, { ...SILENT, retry: { max_attempts: 1 } }, async x => {
    await delay(500);
    await x.json({ error: { message: 'no such thing', code: 'odd' } }, 400);
  });
  const client = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 0 });
  await assert.rejects(async () => {
    for await (const _ of await client.chat.completions.create(ask())) assert.fail('no chunk');
  }, error => error instanceof OpenAI.APIError && error.code === 'odd');
});

test('the official client library digests white space before an answer', async t => {
  const { server } = await start(t, PATIENT, async x => {
    await delay(700);
    await x.answer('done');
  });
  const client = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 0 });
  const answer = await client.chat.completions.create(ask({ stream: false }));
  assert.equal(answer.choices[0].message.content, 'done');
});

test('curl sees the status of a silent stream early', async t => {
  const held = gate();
  const { server } = await start(t, SILENT, held.behaviour);
  t.after(() => held.open());
  // It gives up after a second, while the upstream is still silent.
  const run = promisify(execFile)('curl', [
    '-sS', '-N', '-m', '1', '-w', '%{http_code}', '-H', `authorization: Bearer ${KEY}`,
    '-H', 'content-type: application/json', '-d', JSON.stringify(ask()),
    `${server.url}/v1/chat/completions`]);
  const { code, stdout } = await run.catch(error => error);
  assert.equal(code, 28);
  assert.ok(stdout.startsWith(COMMENT));
  assert.ok(stdout.endsWith('200'));
});

test('a plain answer is nothing but the answer unless it is asked for', async t => {
  const held = gate();
  const { server } = await start(t, SILENT, held.behaviour);
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask({ stream: false })));
  await delay(600); // too short a wait can only miss a fault, never invent one
  assert.equal(client.input.length, 0);
  held.open();
  const answer = await client.response();
  assert.ok(answer.headers['content-length']);
  assert.ok(answer.text.startsWith('{'));
  assert.equal(answer.body.choices[0].message.content, 're: hi');
});

test('a plain answer comes after white space, and is stored', async t => {
  const held = gate();
  // On a busy machine, too, a quick answer comes in this time.
  const { server, upstream } = await start(t, { server: { json_keepalive: '1s' } }, held.behaviour);
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask({ stream: false, thread_id: 5 })));
  await silences(client, 2, SPACE);
  held.open();
  const answer = await client.response();
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  assert.match(answer.text, /^ {2,}\{/);
  assert.equal(answer.body.choices[0].message.content, 're: hi');
  await client.send(chatRequest(KEY, ask({ stream: false, thread_id: 5,
                                           messages: [user('next')] })));
  const quick = await client.response();
  assert.ok(quick.headers['content-length'], 'a quick answer is whole');
  assert.deepEqual(upstream.requests[1].transcript,
                   ['user: hi', 'assistant: re: hi', 'user: next']);
});

test('an error after white space is the error object in the body', async t => {
  const { server } = await start(t, { ...PATIENT, retry: { max_attempts: 1 } }, async x => {
    await delay(500);
    await x.json({ error: { message: 'no such thing', code: 'odd' } }, 400);
  });
  const answer = await server.chat({ messages: [user('hi')] });
  assert.equal(answer.status, 200);
  assert.equal(answer.error.code, 'odd');
  await until(() => server.logLines(/status=400/).length === 1, 'the log has the real status');
});

test('a turn that waits for its thread is kept alive', async t => {
  const held = gate();
  const { server, upstream } = await start(t, SILENT, held.behaviour);
  const first = await open(t, server.port);
  await first.send(chatRequest(KEY, ask()));
  await upstream.request();
  const second = await open(t, server.port);
  await second.send(chatRequest(KEY, ask({ messages: [user('me, too')] })));
  await silences(second, 2);
  assert.equal(upstream.requests.length, 1);
  held.open();
  assert.equal(parseEvents((await first.response()).text).text, 're: hi');
  assert.equal(parseEvents((await second.response()).text).text, 're: me, too');
});

test('a retry that joined a silent turn gets a stream with one head', async t => {
  const held = gate();
  const { server, upstream } = await start(t, SILENT, held.behaviour);
  const clients = [];
  for (let i = 0; i < 2; ++i) {
    const client = await open(t, server.port);
    await client.send(chatRequest(KEY, ask(), { 'idempotency-key': 'k' }));
    await silences(client, 1);
    clients.push(client);
  }
  held.open();
  const answers = [];
  for (const client of clients) answers.push(await client.response());
  const ids = answers.map(x => parseEvents(x.text).chunks[0].id);
  assert.equal(ids[0], ids[1]);
  assert.ok(answers.every(x => parseEvents(x.text).done && parseEvents(x.text).text === 're: hi'));
  assert.ok(clients.every(x => x.input.length === 0));
  assert.equal(upstream.requests.length, 1);
});

for (const [kind, config, stream, sign] of [['a stream', SILENT, true, COMMENT],
                                            ['a plain answer', PATIENT, false, SPACE]])
  test(`a client that leaves ${kind} that is kept alive frees the upstream`, async t => {
    const { server, upstream } = await start(t, config, () => {});
    const client = await open(t, server.port);
    await client.send(chatRequest(KEY, ask({ stream })));
    const { closed } = await upstream.request();
    await silences(client, 2, sign);
    client.destroy();
    await within(SOON, closed, 'the upstream connection closes');
    await until(() => server.logLines(/status=499/).length === 1, 'the request is logged');
  });

test('what is pipelined behind a silent stream is answered after it', async t => {
  const held = gate();
  const { server } = await start(t, SILENT, held.behaviour);
  const client = await open(t, server.port);
  await client.send(Buffer.concat([chatRequest(KEY, ask()), request('GET', '/health')]));
  await silences(client, 2);
  held.open();
  assert.equal(parseEvents((await client.response()).text).text, 're: hi');
  assert.equal((await client.response()).body.status, 'healthy');
  await delay(500); // too short a wait can only miss a fault, never invent one
  assert.equal(client.input.length, 0);
});

test('HTTP/1.0 clients are kept alive without chunks', async t => {
  const held = gate();
  const { server } = await start(t, SILENT, held.behaviour);
  const client = await open(t, server.port);
  const bytes = chatRequest(KEY, ask()).toString().replace('HTTP/1.1', 'HTTP/1.0');
  await client.send(bytes);
  await silences(client, 2);
  held.open();
  const answer = await client.response();
  assert.equal(answer.headers['transfer-encoding'], undefined);
  assert.ok(answer.text.startsWith(COMMENT + COMMENT));
  assert.equal(parseEvents(answer.text).done, true);
});

test('"0s" turns comments off', async t => {
  const held = gate();
  const { server } = await start(t, { server: { sse_keepalive: '0s' } }, held.behaviour);
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, ask()));
  await delay(500); // too short a wait can only miss a fault, never invent one
  assert.equal(client.input.length, 0);
  held.open();
  assert.equal(comments((await client.response()).text), 0);
});
