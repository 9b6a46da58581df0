// Each time limit of an upstream: what it covers, what it does not, and how the client hears of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { delay, KEY, ONE_ATTEMPT, parseEvents, start as startBoth, startServer, test, within, user }
  from './harness.mjs';
import { chatRequest, open } from './raw.mjs';
import { chunk, completion, event, streamEvents } from './upstream.mjs';

/** Longer than any test; each test shortens what it is about. */
const patient = { connect_timeout: '30s', tls_timeout: '30s', first_token_timeout: '30s',
                  answer_timeout: '30s', idle_timeout: '30s', total_timeout: '30s' };

const config = limits => ({ ...ONE_ATTEMPT, upstream: { ...patient, ...limits } });
const start = (t, limits, behaviour) => startBoth(t, config(limits), behaviour);

const text = content => event(chunk({ content }));
const opening = event(chunk({ role: 'assistant', content: '' }));
const forms = [['plain', false], ['stream', true]];

/** Asks; checks that the answer is this error, and that it took about `ms`. */
async function checkTimeout(server, stream, code, ms) {
  const began = Date.now();
  const answer = await within(10_000, server.chat({ stream, messages: [user('hi')] }), code);
  const took = Date.now() - began;
  assert.equal(answer.error?.code, code, answer.raw);
  assert.equal(answer.status, 504);
  assert.equal(answer.error.type, 'upstream_error');
  assert.match(answer.error.message, /retry|shorter/i, 'it says what to do');
  assert.ok(took >= ms - 50 && took < ms + 3000, `${took} ms`);
}

/** A listener for connections that are only taken, with a URL in the way of an upstream. */
async function startSilent(t, scheme, onConnection = () => {}) {
  const sockets = [];
  const listener = createServer(socket => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    sockets.forEach(x => x.destroy());
    listener.close();
  });
  const { port } = listener.address();
  return { sockets, port, url: `${scheme}://127.0.0.1:${port}/v1` };
}

/** A port whose queue is full: packets for it are dropped. Undefined if this machine answers. */
async function startBlackHole(t) {
  const child = spawn(process.execPath, ['-e', `
    const x = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 },
      () => console.log(x.address().port));`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const sockets = [];
  t.after(() => {
    sockets.forEach(x => x.destroy());
    child.kill('SIGKILL');
  });
  const port = Number(await new Promise(resolve => child.stdout.once('data', resolve)));
  child.kill('SIGSTOP'); // nobody accepts from now on
  for (let i = 0; i < 20; ++i) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    const connected = new Promise(resolve => socket.once('connect', () => resolve(true)));
    if (!await Promise.race([connected, delay(300).then(() => false)])) return port;
  }
  return undefined;
}

test('connect_timeout: nobody takes the connection', async t => {
  const port = await startBlackHole(t);
  if (!port) return t.skip('connections to a full queue are not dropped here');
  const server = await startServer(t, {
    config: config({ connect_timeout: '600ms' }), upstream: { url: `http://127.0.0.1:${port}/v1` } });
  for (const [, stream] of forms)
    await checkTimeout(server, stream, 'upstream_connect_timeout', 600);
});

test('connect_timeout covers the proxy, too', async t => {
  const proxy = await startSilent(t, 'http');
  const server = await startServer(t, {
    config: config({ connect_timeout: '600ms', proxy: `http://127.0.0.1:${proxy.port}` }),
    upstream: { url: 'https://upstream.test/v1' } });
  await checkTimeout(server, false, 'upstream_connect_timeout', 600);
  assert.equal(proxy.sockets.length, 1);
});

test('tls_timeout: the handshake goes unanswered', async t => {
  const silent = await startSilent(t, 'https');
  const server = await startServer(t, {
    config: config({ tls_timeout: '600ms' }), upstream: silent });
  for (const [, stream] of forms)
    await checkTimeout(server, stream, 'upstream_tls_timeout', 600);
});

test('a handshake that fails is no timeout', async t => {
  for (const onConnection of [
    x => x.once('data', () => x.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
    x => x.once('data', () => x.resetAndDestroy()),
    x => x.once('data', () => x.end())]) {
    const odd = await startSilent(t, 'https', onConnection);
    const server = await startServer(t, { config: config({}), upstream: odd });
    const answer = await server.chat({ messages: [user('hi')] });
    assert.equal(answer.status, 502);
    assert.equal(answer.error.code, 'upstream_tls_failed');
  }
});

test('first_token_timeout: heads, comments and empty events are no beginning', async t => {
  const { server, upstream } = await start(t, { first_token_timeout: '700ms' });
  for (const begin of [
    async () => {},
    async x => { await x.begin(); },
    async x => { await x.begin(); await x.piece(opening); },
    async x => {
      await x.begin();
      await x.piece(opening);
      for (; x.connection.open; await delay(100)) {
        await x.piece(': still here\n\n');
        await x.piece(event(chunk({ content: '' })));
        await x.piece(event(chunk({}, { choices: [] })));
      }
    }]) {
    upstream.once(begin);
    await checkTimeout(server, true, 'upstream_first_token_timeout', 700);
  }
});

test('first_token_timeout is for streams, answer_timeout for plain answers', async t => {
  const late = async x => { await delay(1200); await x.answer('late'); };
  const streams = await start(t, { answer_timeout: '400ms' }, late);
  assert.equal((await streams.server.stream({ messages: [user('hi')] })).text, 'late');
  await checkTimeout(streams.server, false, 'upstream_first_token_timeout', 400);
  const plain = await start(t, { first_token_timeout: '400ms' }, late);
  assert.equal((await plain.server.chat({ messages: [user('hi')] })).text, 'late');
});

test('answer_timeout: interim answers are no beginning', async t => {
  const { server } = await start(t, { answer_timeout: '700ms' }, async x => {
    for (; x.connection.open; await delay(100)) await x.write('HTTP/1.1 100 Continue\r\n\r\n');
  });
  await checkTimeout(server, false, 'upstream_first_token_timeout', 700);
  const late = await start(t, { idle_timeout: '500ms' }, async x => {
    await x.write('HTTP/1.1 100 Continue\r\n\r\n');
    await delay(1200);
    await x.answer('late');
  });
  assert.equal((await late.server.chat({ messages: [user('hi')] })).text, 'late');
});

test('an upstream that does not stream has its time as with a plain answer', async t => {
  const { server } = await start(t, { first_token_timeout: '700ms', idle_timeout: '700ms' }, async x => {
    const body = JSON.stringify(completion({ content: 'whole' }));
    await x.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
                  + `content-length: ${body.length + 6}\r\n\r\n`);
    for (let i = 0; i < 6; ++i, await delay(300)) await x.write(' ');
    await x.write(body);
  });
  assert.equal((await server.stream({ messages: [user('hi')] })).text, 'whole');
});

test('idle_timeout: only deltas keep a stream alive', async t => {
  const { server, upstream } = await start(t, { idle_timeout: '700ms' });
  const stall = [
    async () => {},
    async x => { for (; x.connection.open; await delay(100)) await x.piece(': alive\n\n'); },
    async x => {
      for (; x.connection.open; await delay(100)) await x.piece(event(chunk({ content: '' })));
    }];
  for (const behaviour of stall) {
    upstream.once(async x => { await x.begin(); await x.piece(text('half')); await behaviour(x); });
    const began = Date.now();
    const answer = await within(5000, server.stream({ messages: [user('hi')] }), 'the end');
    assert.equal(answer.text, 'half');
    assert.equal(answer.error.code, 'upstream_idle_timeout', answer.raw);
    assert.equal(answer.done, false);
    assert.ok(Date.now() - began >= 650);
  }
});

test('idle_timeout: reasoning and arguments of tools are deltas', async t => {
  const call = more => chunk({ tool_calls: [{ index: 0, ...more }] });
  const { server } = await start(t, { idle_timeout: '700ms', first_token_timeout: '700ms' }, async x => {
    await x.begin();
    for (let i = 0; i < 4; ++i, await delay(350))
      await x.piece(event(chunk({ reasoning_content: 'hm ' })));
    await x.piece(event(call({ id: 'c', type: 'function', function: { name: 'f', arguments: '' } })));
    for (let i = 0; i < 4; ++i, await delay(350))
      await x.piece(event(call({ function: { arguments: '1' } })));
    for (const end of streamEvents('', { finish: 'tool_calls' }).slice(1)) await x.piece(end);
    await x.end();
  });
  const answer = await server.stream({ messages: [user('hi')] });
  assert.ok(answer.done, answer.raw);
});

test('idle_timeout: a plain body may come slowly, but must come', async t => {
  const body = JSON.stringify(completion({ content: 'slow' }));
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
             + `content-length: ${body.length}\r\n\r\n`;
  const { server, upstream } = await start(t, { idle_timeout: '700ms', answer_timeout: '700ms' });
  upstream.once(async x => {
    await x.write(head);
    const size = Math.ceil(body.length / 4);
    for (let i = 0; i < 4; ++i, await delay(350)) await x.write(body.slice(i * size, (i + 1) * size));
  });
  assert.equal((await server.chat({ messages: [user('hi')] })).text, 'slow');
  upstream.once(x => x.write(head + body.slice(0, 40)));
  await checkTimeout(server, false, 'upstream_idle_timeout', 700);
});

test('total_timeout ends what goes on and on', async t => {
  const { server, upstream } = await start(t, { total_timeout: '1200ms' });
  upstream.once(async x => {
    await x.begin();
    for (; x.connection.open; await delay(100)) await x.piece(text('word '));
  });
  const answer = await server.stream({ messages: [user('hi')] });
  assert.ok(answer.text.startsWith('word '));
  assert.equal(answer.error.code, 'upstream_total_timeout');
  upstream.once(() => {});
  await checkTimeout(server, false, 'upstream_total_timeout', 1200);
});

test('an upstream\'s own timeouts keep their code', async t => {
  const { server, upstream } = await start(t, {});
  for (const status of [408, 504]) {
    upstream.once(x => x.json({ error: { message: 'late' } }, status));
    const answer = await server.chat({ messages: [user('hi')] });
    assert.equal(answer.status, 504);
    assert.equal(answer.error.code, 'upstream_timeout');
  }
});

test('a client that takes nothing does not cost the upstream its time', async t => {
  const words = 'x'.repeat(30_000);
  const { server } = await start(t, { idle_timeout: '500ms' }, async x => {
    await x.begin();
    for (let i = 0; i < 800; ++i) await x.piece(text(words)); // more than kernels buffer
    for (const end of streamEvents('', {}).slice(1)) await x.piece(end);
    await x.end();
  });
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, { model: 'm', stream: true, messages: [user('hi')] },
                                { connection: 'close' }));
  await client.until('xxx');
  client.socket.pause();
  await delay(2000);
  client.socket.resume();
  const { text: raw } = await client.response({ limit: 20_000 });
  const answer = parseEvents(raw);
  assert.ok(answer.done, JSON.stringify(answer.error));
  assert.equal(answer.text.length, 800 * words.length);
});
