// Odd and hostile HTTP on plain sockets: a clear answer, and the server lives on.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { delay, KEY, start, startServer, test, until, user, within } from './harness.mjs';
import { asChunk, assertAlive, assertError, chatRequest, exchange, healthRequest, open, request }
  from './raw.mjs';

const chat = { model: 'm', messages: [user('hi')] };
const health = healthRequest;
const auth = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
const CHAT = '/v1/chat/completions';

test('Expect: 100-continue', async t => {
  const { server } = await start(t);
  const bytes = Buffer.from(JSON.stringify(chat));
  const client = await open(t, server.port);
  const head = { ...auth, expect: '100-continue', 'content-length': bytes.length };
  await client.send(request('POST', CHAT, head));
  assert.equal((await client.response()).status, 100);
  await client.send(bytes);
  assert.equal((await client.response()).status, 200);
  // A request that is refused anyway gets its refusal, not an invitation.
  const refused = await exchange(t, server, request('POST', CHAT, { ...head, authorization: 'Bearer no' }));
  assertError(refused, 401, 'refused');
});

test('chunked bodies, with extensions and trailers, cut anywhere', async t => {
  const { server, upstream } = await start(t);
  const json = JSON.stringify({ model: 'm', messages: [user('Grüße')] });
  const head = request('POST', CHAT, { ...auth, 'transfer-encoding': 'chunked' });
  const bytes = Buffer.from(json);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 5) }, (_, i) =>
    asChunk(bytes.subarray(5 * i, 5 * i + 5)));
  const client = await open(t, server.port);
  await client.send(Buffer.concat([head, ...pieces, Buffer.from('0\r\nx-trailer: 1\r\n\r\n')]));
  assert.equal((await client.response()).status, 200);
  await client.send(head);
  await client.send(`${bytes.length.toString(16).toUpperCase()};ext=1\r\n`);
  for (const byte of bytes) await client.send(Buffer.from([byte]));
  await client.send('\r\n0\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  assert.deepEqual(upstream.requests.map(x => x.lastText), ['Grüße', 'Grüße']);
  for (const broken of ['zz\r\n', '-1\r\n', '5\r\nabcdefgh\r\n']) {
    const answer = await exchange(t, server, Buffer.concat([head, Buffer.from(broken)]));
    assertError(answer, 400, broken);
  }
});

test('pipelined requests are answered in order', async t => {
  const { server, upstream } = await start(t, {}, async x => {
    if (x.lastText === 'slow') await delay(100); // the first one must hold up the others
    await x.answer(`re: ${x.lastText}`);
  });
  const say = (text, more) => chatRequest(KEY, { model: 'm', thread_id: text, messages: [user(text)],
                                                 ...more });
  const client = await open(t, server.port);
  await client.send(Buffer.concat([say('slow'), health, say('b', { stream: true }),
                                   request('GET', '/nope'), say('c'), health]));
  assert.equal((await client.response()).body.choices[0].message.content, 're: slow');
  assert.equal((await client.response()).body.status, 'healthy');
  assert.ok((await client.response()).text.endsWith('data: [DONE]\n\n'));
  assert.equal((await client.response()).status, 404);
  assert.equal((await client.response()).body.choices[0].message.content, 're: c');
  assert.equal((await client.response()).body.status, 'healthy');
  assert.equal(upstream.requests.length, 3);
});

test('HTTP/1.0', async t => {
  const { server } = await start(t);
  const plain = await exchange(t, server, 'GET /health HTTP/1.0\r\n\r\n');
  assert.equal(plain.body.status, 'healthy');
  await within(5_000, plain.client.end(), 'closed after the answer');
  const body = JSON.stringify({ ...chat, stream: true });
  const stream = await exchange(t, server, `POST ${CHAT} HTTP/1.0\r\nauthorization: Bearer ${KEY}\r\n`
    + `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  assert.equal(stream.status, 200);
  assert.equal(stream.headers['transfer-encoding'], undefined, 'HTTP/1.0 knows no chunks');
  assert.ok(stream.text.endsWith('data: [DONE]\n\n'));
});

test('ambiguous and malformed requests get a 400', async t => {
  const { server, upstream } = await start(t);
  const post = `POST ${CHAT} HTTP/1.1\r\n`;
  const rest = `authorization: Bearer ${KEY}\r\ncontent-type: application/json\r\n`;
  const json = JSON.stringify(chat);
  const bad = {
    'length and chunks': `${post}host: x\r\n${rest}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    'chunks and length': `${post}host: x\r\n${rest}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
    'two lengths': `${post}host: x\r\n${rest}content-length: ${json.length}\r\ncontent-length: 5\r\n\r\n${json}`,
    'a list of lengths': `${post}host: x\r\n${rest}content-length: 5, 6\r\n\r\n${json}`,
    'a negative length': `${post}host: x\r\n${rest}content-length: -5\r\n\r\n`,
    'a length with a sign': `${post}host: x\r\n${rest}content-length: +5\r\n\r\nabcde`,
    'a length in hex': `${post}host: x\r\n${rest}content-length: 0x5\r\n\r\nabcde`,
    'an unknown coding': `${post}host: x\r\n${rest}transfer-encoding: gzip\r\n\r\n`,
    'no host': 'GET /health HTTP/1.1\r\n\r\n',
    'two hosts': 'GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
    'the same host twice': 'GET /health HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n',
    'no version': 'GET /health\r\nhost: x\r\n\r\n',
    'a wrong version': 'GET /health HTTP/9.9\r\nhost: x\r\n\r\n',
    'a blank in a name': 'GET /health HTTP/1.1\r\nhost: x\r\nbad name: x\r\n\r\n',
    'a blank before the colon': 'GET /health HTTP/1.1\r\nhost: x\r\nname : x\r\n\r\n',
    'no colon': 'GET /health HTTP/1.1\r\nhost: x\r\nnonsense\r\n\r\n',
    'NUL in a header': 'GET /health HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n',
    'a path without slash': 'GET health HTTP/1.1\r\nhost: x\r\n\r\n',
    'TLS': Buffer.from('16030100a5010000a10303', 'hex'),
    'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(bad)) {
    const answer = await exchange(t, server, bytes);
    assertError(answer, 400, name);
    // Nobody knows where the next request would begin.
    await within(5_000, answer.client.end(), `${name}: the connection closes`);
  }
  assert.equal(upstream.requests.length, 0);
  const doubled = await exchange(t, server,
    `${post}host: x\r\n${rest}content-length: ${json.length}\r\ncontent-length: ${json.length}\r\n\r\n${json}`);
  assert.ok([200, 400].includes(doubled.status), 'two equal lengths are allowed, not required');
});

test('half-closed sockets get their answer', async t => {
  const server = await startServer(t);
  const client = await open(t, server.port);
  await client.send(health);
  client.half();
  assert.equal((await client.response()).body.status, 'healthy');
  await within(5_000, client.end(), 'the server closes, too');
  // Half a request, then the end: nothing to answer, nothing to leak.
  const cut = await open(t, server.port);
  await cut.send('GET /hea');
  cut.half();
  await within(5_000, cut.end(), 'closed');
  await assertAlive(t, server);
});

test('slow requests get a 408, idle connections are closed', async t => {
  const server = await startServer(t, { config: { server: {
    header_timeout: '400ms', body_timeout: '400ms', keepalive_timeout: '400ms' } } });
  const head = await open(t, server.port);
  await head.send('GET /health HT');
  const body = await open(t, server.port);
  await body.send(`${chatRequest(KEY, chat).toString().slice(0, -5)}`);
  const drip = await open(t, server.port);
  // A byte now and then does not extend the deadline.
  const timer = setInterval(() => drip.send('x'), 50);
  t.after(() => clearInterval(timer));
  const idle = await exchange(t, server, health);
  for (const [name, client] of Object.entries({ head, body, drip })) {
    assertError(await client.response({ limit: 10_000 }), 408, name);
    await within(10_000, client.end(), `${name}: closed`);
  }
  await within(10_000, idle.client.end(), 'the idle connection is closed');
  assert.equal(idle.client.input.length, 0, 'without a word');
});

test('a reader that never reads is dropped after write_timeout', async t => {
  const { server, upstream } = await start(t, { server: { write_timeout: '600ms' } }, async x => {
    await x.begin();
    const event = `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1,
      model: 'm', choices: [{ index: 0, delta: { content: 'x'.repeat(60_000) } }] })}\n\n`;
    for (;;) await x.piece(event);
  });
  const socket = connect(server.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  socket.write(chatRequest(KEY, { ...chat, stream: true }));
  const exchanged = await upstream.request();
  await within(20_000, exchanged.closed, 'the upstream is let go');
  await until(() => server.logLines(/ request .*stream=true/).length === 1, 'the end is logged');
  await assertAlive(t, server);
});

test('a connection stays usable after errors', async t => {
  const { server } = await start(t);
  const client = await open(t, server.port);
  for (const [bytes, status] of [
    [chatRequest(KEY, '{'), 400], [chatRequest('wrong', chat), 401], [request('GET', '/nope'), 404],
    [request('GET', CHAT, auth), 405], [chatRequest(KEY, chat, { 'content-type': 'text/html' }), 415],
    [chatRequest(KEY, chat), 200], [health, 200]]) {
    await client.send(bytes);
    assert.equal((await client.response()).status, status);
  }
});

test('connections above max_connections get a 503, and the others live', async t => {
  const server = await startServer(t, { config: { server: { max_connections: 3 } } });
  const kept = [];
  for (let i = 0; i < 3; ++i) kept.push(await exchange(t, server, health));
  const extra = await open(t, server.port);
  await extra.send(health);
  assertError(await extra.response(), 503, 'one too many');
  kept[0].client.destroy();
  extra.destroy();
  await until(async () => {
    const { client, status } = await exchange(t, server, health).catch(() => ({}));
    client?.destroy();
    return status === 200;
  }, 'a place is free again');
});

test('random garbage never ends the server', async t => {
  const { server } = await start(t);
  let state = 20261123; // a seed: the same bytes in every run
  const random = limit => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
  const good = chatRequest(KEY, chat);
  const bytes = () => {
    if (random(3) === 0) return Buffer.from(Array.from({ length: 1 + random(2000) }, () => random(256)));
    const out = Buffer.from(good); // a valid request with some bytes changed
    for (let n = 1 + random(8); n > 0; --n) out[random(out.length)] = random(256);
    return random(2) ? out : out.subarray(0, random(out.length));
  };
  for (let round = 0; round < 10; ++round)
    await Promise.all(Array.from({ length: 30 }, async () => {
      const client = await open(t, server.port);
      await client.send(bytes());
      client.half();
      await within(20_000, client.end(), 'the server answers or closes');
      client.destroy();
    }));
  assert.equal(server.exit, undefined);
  await assertAlive(t, server);
  assert.equal(await server.say(1, 'fine'), 're: fine');
});
