// Every way in which an upstream fails: what the client sees of it, and what it must not see.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Authority } from './certificates.mjs';
import { delay, KEY, ONE_ATTEMPT, parseEvents, start as startBoth, startServer, test, until,
         UPSTREAM_KEY, user } from './harness.mjs';
import { chatRequest, open } from './raw.mjs';
import { chunk, completion, event } from './upstream.mjs';

// Short, so that the tests of lateness are; long enough for a noisy machine.
const limits = { connect_timeout: '2s', first_token_timeout: '700ms', answer_timeout: '700ms',
                 idle_timeout: '700ms', max_answer_bytes: '1MiB' };

// The turn after a fault needs a key that is not set aside for it.
const keys = { TEST_UPSTREAM_KEY: `${UPSTREAM_KEY},second-${UPSTREAM_KEY}` };
const start = (t, config, ...rest) => startBoth(t, { ...ONE_ATTEMPT, ...config }, ...rest);

const error = (message, more = {}) =>
  ({ error: { message, type: 'some_type', param: null, code: null, ...more } });
const html = '<html><body><h1>502 Bad Gateway</h1> secret inside</body></html>';
const json = JSON.stringify(completion({ content: 'never complete' }));
const jsonHead = size =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`;
const sse = async (x, ...parts) => {
  await x.begin();
  for (const part of parts) await x.piece(event(part));
};

/** What an upstream tells about itself must stop here. */
const indiscreet = x =>
  `Incorrect API key provided: ${UPSTREAM_KEY} at http://${x.socket.localAddress}:${x.socket.localPort}/v1`;

// name: [behaviour, status(es), code, message or header checks]. For both forms unless `only` says.
const before = {
  'its 400 passes': [x => x.json(error('too long', { param: 'messages',
    code: 'context_length_exceeded', type: 'invalid_request_error' }), 400), 400,
  'context_length_exceeded', { message: /too long/, type: 'invalid_request_error' }],
  'its 404 passes': [x => x.json(error('no such model', { code: 'model_not_found' }), 404), 404,
                     'model_not_found', { message: /no such model/ }],
  'its 422 passes': [x => x.json(error('cannot', { code: 'odd' }), 422), 422, 'odd',
                     { message: /cannot/ }],
  'its 429 passes with retry-after': [
    x => x.json(error('slow', { code: 'rate_limit_exceeded' }), 429, { 'retry-after': '9' }), 429,
    'rate_limit_exceeded', { message: /slow/, retryAfter: '9' }],
  'its 429 with retry-after-ms': [
    x => x.json(error('slow', { code: 'rate_limit_exceeded' }), 429,
                { 'retry-after': '9', 'Retry-After-Ms': '1500' }), 429,
    'rate_limit_exceeded', { message: /slow/, retryAfter: '2' }],
  'a 403 for a model': [x => x.json(error('not yours', { code: 'model_not_found' }), 403), 404,
                        'model_not_found', { message: /not yours/ }],
  'a quota that is used up': [
    x => x.json(error('pay more', { code: 'insufficient_quota' }), 429), 502,
    'upstream_auth_failed', { message: /account/ }],
  'its 451 passes': [x => x.json(error('not here'), 451), 451, undefined, { message: /not here/ }],
  'its 402': [x => x.json(error('pay first'), 402), 502, 'upstream_auth_failed'],
  'a 400 in the form of FastAPI': [x => x.json({ detail: 'odd field' }, 400), 400, undefined, {}],
  'a 400 of HTML': [x => x.send(400, html, {}, 'text/html'), 400, undefined, {}],
  'a 400 that tells secrets': [x => x.json(error(indiscreet(x)), 400), 400, undefined, {}],
  'its 401': [x => x.json(error(indiscreet(x), { code: 'invalid_api_key' }), 401), 502,
              'upstream_auth_failed'],
  'its 403': [x => x.json(error(indiscreet(x)), 403), 403, 'upstream_forbidden',
              { message: /refused this request: Incorrect/ }],
  'its 407': [x => x.json(error(indiscreet(x)), 407), 502, 'upstream_unreachable'],
  'its 500': [x => x.json(error(indiscreet(x)), 500), 502, 'upstream_error'],
  'its 503': [x => x.json(error('overloaded'), 503), [502, 503], undefined],
  'a 502 of HTML': [x => x.send(502, html, {}, 'text/html'), 502, 'upstream_error'],
  'a 302': [x => x.send(302, '', { location: `http://${x.socket.localAddress}/` }), 502,
            'upstream_error'],
  'a 200 of HTML': [x => x.send(200, html, {}, 'text/html'), 502, 'upstream_error'],
  'an empty 200': [x => x.send(200, ''), 502, undefined],
  'an error inside a 200': [x => x.json(error('boom')), 502, 'upstream_error'],
  'an error inside a 200 with its status': [
    x => x.json(error('slow', { code: 429 })), 429, undefined, { message: /slow/ }],
  'an answer without choices': [x => x.json({ object: 'chat.completion' }), 502, 'upstream_error'],
  'empty choices': [x => x.json({ ...completion({}), choices: [] }), 502, 'upstream_error'],
  'a JSON array': [x => x.json([]), 502, 'upstream_error'],
  'half a JSON document': [x => x.send(200, json.slice(0, 60)), 502, undefined],
  'bytes that are no HTTP': [async x => { await x.write('SSH-2.0-OpenSSH_9.2\r\n'); x.cut(); }, 502,
                             undefined],
  'closed before the head': [x => x.cut(), 502, undefined],
  'reset before the head': [x => x.reset(), 502, undefined],
  'cut inside the head': [async x => { await x.write('HTTP/1.1 200 OK\r\ncontent-'); x.cut(); }, 502,
                          undefined],
  'cut after the head': [async x => { await x.write(jsonHead(500)); x.cut(); }, 502, undefined],
  'cut inside the body': [async x => {
    await x.write(jsonHead(json.length) + json.slice(0, 50));
    x.cut();
  }, 502, undefined],
  'no first byte': [() => {}, 504, 'upstream_first_token_timeout'],
  'a head and no body': [x => x.write(jsonHead(500)), 504,
                         /^upstream_(first_token|idle)_timeout$/],
  'its own 504': [x => x.json(error('late'), 504), 504, 'upstream_timeout'],
  'a head of 1 MiB': [async x => {
    await x.write(`HTTP/1.1 200 OK\r\nx-big: ${'x'.repeat(1024 * 1024)}\r\n\r\n`);
  }, 502, undefined],
  'an answer above its limit': [x => x.json(completion({ content: 'x'.repeat(2 ** 20 + 1) })), 502,
                                'upstream_answer_too_long'],
};

/** Only streams fail in these ways, and all before anything reached the client. */
const streamBefore = {
  'an error as first event': [async x => { await sse(x, error('boom')); await x.end(); },
                              502, 'upstream_error'],
  'a prompt that is too long, said in the stream': [async x => {
    await sse(x, error('too long', { code: 'context_length_exceeded' }));
    await x.end();
  }, 400, 'context_length_exceeded', { message: /too long/ }],
  'an empty stream': [async x => { await sse(x); await x.end(); }, 502, undefined],
  'a stream that is no JSON': [async x => { await sse(x, '{nonsense'); await x.end(); }, 502,
                               undefined],
};

function checkDiscretion(bytes, upstream) {
  for (const secret of [UPSTREAM_KEY, upstream.authority, '127.0.0.1', 'localhost', String(upstream.port)])
    assert.ok(!bytes.includes(secret), `the client sees ${secret}: ${bytes}`);
}

/** All bytes that a client gets for a request, headers included. */
async function ask(t, server, stream, meanwhile = () => {}) {
  const client = await open(t, server.port);
  await client.send(chatRequest(KEY, {
    model: 'm', stream, thread_id: 'fault', messages: [user('lost')] }, { connection: 'close' }));
  await meanwhile(client);
  const bytes = (await client.end()).toString('latin1');
  return { ...await client.response(), all: bytes };
}

/** The failed turn is not in the history of the next one. */
async function checkNothingStored(server, upstream) {
  await server.say('fault', 'next');
  assert.deepEqual(upstream.requests.at(-1).transcript, ['user: next']);
}

for (const [name, [behaviour, statuses, code, checks = {}], forms] of [
  ...Object.entries(before).map(x => [...x, [false, true]]),
  ...Object.entries(streamBefore).map(x => [...x, [true]])])
  for (const stream of forms)
    test(`${name} (${stream ? 'stream' : 'plain'})`, async t => {
      const { server, upstream } = await start(t, { upstream: limits }, undefined, { env: keys });
      upstream.once(behaviour);
      const answer = await ask(t, server, stream);
      const failure = answer.body?.error;
      assert.ok(failure, `an error object: ${answer.all}`);
      assert.ok([statuses].flat().includes(answer.status), `status ${answer.status}: ${answer.text}`);
      assert.match(answer.headers['content-type'], /^application\/json/);
      assert.deepEqual(Object.keys(failure).sort(), ['code', 'message', 'param', 'type']);
      assert.ok(failure.message.length > 0 && failure.type);
      if (code instanceof RegExp) assert.match(failure.code, code);
      else if (code) assert.equal(failure.code, code);
      if (checks.message) assert.match(failure.message, checks.message);
      if (checks.type) assert.equal(failure.type, checks.type);
      if (checks.retryAfter) assert.equal(answer.headers['retry-after'], checks.retryAfter);
      assert.ok(!answer.text.includes('secret inside'), 'no page of the upstream reaches the client');
      checkDiscretion(answer.all, upstream);
      await checkNothingStored(server, upstream);
    });

// After the first byte the status is out: the error comes inside the stream. What follows happens
// once the client has the first word; a fault in the same packet may still become a status.
const half = chunk({ role: 'assistant', content: 'half' });
const after = {
  'cut': [x => x.cut(), 'upstream_cut'],
  'reset': [x => x.reset(), undefined],
  'ended without finish_reason': [x => x.end(), undefined],
  '[DONE] without finish_reason': [async x => { await x.piece(event('[DONE]')); await x.end(); },
                                   undefined, 'either'],
  'stalled': [() => {}, 'upstream_idle_timeout'],
  'an error event': [async x => {
    await x.piece(event(error(indiscreet(x), { code: 'overloaded' })));
    await x.end();
  }, undefined],
  'an event that is no JSON': [async x => { await x.piece(event('{nonsense')); await x.end(); },
                               undefined],
  'an event without end': [x => x.piece(`data: ${'x'.repeat(2 ** 20 + 1)}`),
                           'upstream_answer_too_long'],
  'above its limit': [async x => {
    for (;;) await x.piece(event(chunk({ content: 'x'.repeat(30_000) })));
  }, 'upstream_answer_too_long'],
  'only comments': [async x => {
    for (; x.connection.open; await delay(50)) await x.piece(': still here\n\n');
  }, 'upstream_idle_timeout'],
  'slow, until the total time is over': [async x => {
    for (; x.connection.open; await delay(50)) await x.piece(event(chunk({ content: 'x' })));
  }, 'upstream_total_timeout'],
};

for (const [name, [behaviour, code, either]] of Object.entries(after))
  test(`a stream that has begun: ${name}`, async t => {
    const { server, upstream } = await start(t, { upstream: { ...limits, total_timeout: '3s' } });
    let begun;
    const clientHasHalf = new Promise(resolve => { begun = resolve; });
    upstream.once(async x => {
      await sse(x, half);
      await clientHasHalf;
      await behaviour(x);
    });
    const answer = await ask(t, server, true, client => client.until('half').then(begun));
    assert.equal(answer.status, 200);
    const parsed = parseEvents(answer.text);
    assert.ok(parsed.text.startsWith('half'));
    if (either && parsed.done) return; // complete in the eyes of some
    assert.ok(parsed.error, `an error event: ${answer.text.slice(-500)}`);
    assert.equal(parsed.done, false);
    assert.deepEqual(Object.keys(parsed.error).sort(), ['code', 'message', 'param', 'type']);
    if (code) assert.equal(parsed.error.code, code);
    checkDiscretion(answer.all.replaceAll('x', ''), upstream);
    await checkNothingStored(server, upstream);
  });

test('an upstream that cannot be reached', async t => {
  const taken = createServer();
  await new Promise(resolve => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address();
  await new Promise(resolve => taken.close(resolve)); // nobody listens there now
  for (const authority of [`127.0.0.1:${port}`, 'no-such-host.invalid']) {
    const upstream = { url: `http://${authority}/v1`, authority, port };
    const server = await startServer(t, { config: { ...ONE_ATTEMPT, upstream: limits }, upstream });
    for (const stream of [false, true]) {
      const answer = await ask(t, server, stream);
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.body.error.code, 'upstream_unreachable');
      assert.ok(!answer.all.includes(authority) && !answer.all.includes(UPSTREAM_KEY));
    }
  }
});

test('the upstream gets its own key and never the client\'s', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'hi', {}, { headers: { 'openai-organization': 'org', cookie: 'c=1' } });
  const [request] = upstream.requests;
  assert.equal(request.headers.authorization, `Bearer ${UPSTREAM_KEY}`);
  assert.equal(request.headers.cookie, undefined);
  assert.ok(!JSON.stringify(request.headers).includes(KEY) && !request.raw.includes(KEY));
  assert.equal(request.path, '/v1/chat/completions');
  assert.equal(request.headers.host, upstream.authority);
});

test('the configured model goes upstream, the requested one comes back', async t => {
  const { server, upstream } = await start(t, { upstream: { model: 'real-model' } });
  const plain = await server.chat({ model: 'wished', messages: [user('x')] });
  const streamed = await server.stream({ model: 'wished', messages: [user('x')] });
  assert.deepEqual(upstream.requests.map(x => x.body.model), ['real-model', 'real-model']);
  assert.equal(plain.body.model, 'wished');
  assert.ok(streamed.chunks.every(x => x.model === 'wished'));
});

test('one connection serves turn after turn', async t => {
  const { server, upstream } = await start(t);
  for (let i = 0; i < 5; ++i) {
    await server.say(1, `plain ${i}`);
    await server.stream({ thread_id: 1, messages: [user(`stream ${i}`)] });
  }
  // A turn may end a moment before its connection is free again, so not always exactly one.
  assert.ok(upstream.connections.length <= 4, `${upstream.connections.length} connections`);
});

test('a kept connection that has gone stale is replaced silently', async t => {
  const { server, upstream } = await start(t);
  for (const close of ['end', 'destroy', 'resetAndDestroy']) {
    await server.say(1, 'before');
    // The one that served it: the newest may be another, which an earlier round has closed.
    const { socket } = upstream.requests.at(-1).connection;
    const gone = once(socket, close === 'end' ? 'finish' : 'close');
    socket[close]();
    await gone;
    assert.equal(await server.say(1, 'after'), 're: after');
  }
  // The worst moment: the connection closes as the next request is already on its way.
  await server.say(1, 'before');
  upstream.once(x => (x.connection.requests > 1 ? x.reset() : x.answer('re: raced')));
  assert.equal(await server.say(1, 'raced'), 're: raced');
});

test('a kept connection that ends with 408 is replaced silently', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'before');
  upstream.once(async x => {
    if (x.connection.requests === 1) return x.answer('re: late');
    await x.send(408, 'too late', { connection: 'close' }, 'text/plain');
    return x.socket.end();
  });
  assert.equal(await server.say(1, 'late'), 're: late');
  // On a new connection it is an answer.
  upstream.behave(async x => {
    await x.send(408, 'too late', { connection: 'close' }, 'text/plain');
    x.socket.end();
  });
  assert.equal((await server.chat({ messages: [user('x')] })).error.code, 'upstream_timeout');
});

test('a request is not sent again once its answer has begun', async t => {
  const { server, upstream } = await start(t, {
    server: { max_body_bytes: '64MiB' }, upstream: { max_answer_bytes: '1GiB' } });
  await server.say(1, 'before');
  const { socket } = upstream.requests[0].connection;
  socket.removeAllListeners('data');
  const stuck = new Promise(resolve => socket.once('data', async () => {
    socket.pause(); // the rest of the request is never read
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n');
    // Until nothing more is taken: the client's credit is used up then.
    const piece = event(chunk({ content: 'word '.repeat(2000) }));
    const write = () => new Promise(taken => { socket.write(piece, () => taken(true)); });
    while (await Promise.race([write(), delay(1000).then(() => false)]));
    resolve();
  }));
  const client = await open(t, server.port);
  client.socket.pause();
  client.send(chatRequest(KEY, { model: 'm', stream: true, thread_id: 2,
                                 messages: [user('x'.repeat(40 * 1024 * 1024))] },
                          { connection: 'close' }));
  await stuck;
  socket.resetAndDestroy();
  await delay(300);
  client.socket.resume();
  await client.end();
  const parsed = parseEvents((await client.response()).text);
  assert.ok(parsed.error, 'an error event');
  assert.equal(parsed.done, false);
  assert.match(parsed.text, /^(word )+$/);
  assert.equal(upstream.requests.length, 1);
  assert.equal(upstream.connections.length, 1);
});

test('an unused connection is closed after idle_connection_timeout', async t => {
  const { server, upstream } = await start(t, { upstream: { idle_connection_timeout: '300ms' } });
  await server.say(1, 'hi');
  await until(() => !upstream.connections[0].open, 'the idle connection closes');
});

test('a refusal before the whole request was read is understood', async t => {
  const { server, upstream } = await start(t);
  upstream.listener.removeAllListeners('connection');
  upstream.listener.on('connection', socket => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const body = JSON.stringify(error('too big for me', { code: 'too_big' }));
      socket.end(`HTTP/1.1 413 X\r\ncontent-type: application/json\r\nconnection: close\r\n`
                 + `content-length: ${body.length}\r\n\r\n${body}`);
    });
  });
  const answer = await server.chat({ messages: [user('x'.repeat(8 * 1024 * 1024))] });
  assert.ok(answer.status >= 400 && answer.error, answer.raw);
});

test('https: only a trusted certificate with the right name is accepted', async t => {
  const authority = new Authority(t);
  const good = authority.certificate('good', 'DNS:localhost');
  const trusting = { SSL_CERT_FILE: authority.ca };
  const options = { upstream: { tls: good.tls, host: 'localhost' } };

  const trusted = await start(t, {}, undefined, { ...options, env: trusting });
  assert.equal(await trusted.server.say(1, 'hi'), 're: hi');
  const streamed = await trusted.server.stream({ thread_id: 1, messages: [user('ho')] });
  assert.equal(streamed.text, 're: ho');
  assert.equal(trusted.upstream.requests[1].body.messages.length, 3);
  for (let i = 0; i < 5; ++i) await trusted.server.say(1, 'more');
  assert.ok(trusted.upstream.connections.length < 5, 'TLS connections are kept, too');
  assert.equal(trusted.upstream.connections[0].socket.servername, 'localhost', 'SNI');
  // A cut is a cut with TLS, too.
  let request;
  trusted.upstream.once(x => { request = x; return sse(x, half); });
  const cut = await ask(t, trusted.server, true, client => client.until('half').then(() => request.cut()));
  assert.ok(parseEvents(cut.text).error);

  const untrusted = await start(t, {}, undefined, { ...options, env: { SSL_CERT_FILE: '/dev/null' } });
  const refused = await untrusted.server.chat({ messages: [user('hi')] });
  assert.equal(refused.error.code, 'upstream_tls_failed');
  assert.equal(refused.status, 502);
  assert.doesNotMatch(refused.raw, /verify|self.signed/, 'details are for the log only');
  await until(() => /certificate/.test(untrusted.server.log), 'the log says more');
  assert.equal(untrusted.upstream.requests.length, 0, 'the key is not given to a stranger');

  const other = authority.certificate('other', 'DNS:other.example');
  const misnamed = await start(t, {}, undefined, {
    upstream: { tls: other.tls, host: 'localhost' }, env: trusting });
  assert.equal((await misnamed.server.chat({ messages: [user('hi')] })).status, 502);
  assert.equal(misnamed.upstream.requests.length, 0);
});
