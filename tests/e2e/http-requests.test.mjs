// Requests that are wrong, too large or not allowed: each gets the status and the error it should.
import assert from 'node:assert/strict';
import { KEY, start, startServer, test, user } from './harness.mjs';
import { asChunk, assertAlive, assertError, chatRequest, exchange, healthRequest, open, request }
  from './raw.mjs';

const chat = { model: 'm', messages: [user('hi')] };
const health = healthRequest;
const auth = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
const CHAT = '/v1/chat/completions';

test('bodies that are no valid request get a 400, and nothing goes upstream', async t => {
  const { server, upstream } = await start(t);
  const message = content => `{"model":"m","messages":[{"role":"user","content":${content}}]}`;
  const bad = {
    'empty': '', 'cut': '{"model":', 'no JSON': 'hello', 'a number': '42', 'an array': '[]',
    'null': 'null', 'trailing text': `${message('"x"')} x`, 'two documents': `${message('"x"')}{}`,
    'a comment': `/* x */${message('"x"')}`, 'single quotes': "{'model':'m'}",
    'NaN': '{"model":"m","messages":[],"temperature":NaN}',
    'deep nesting': `{"model":"m","messages":[],"x":${'['.repeat(5000)}${']'.repeat(5000)}}`,
    'very deep nesting': '['.repeat(1_000_000),
    'nesting in objects': `{"a":${'{"a":'.repeat(2000)}1${'}'.repeat(2001)}`,
    'invalid UTF-8': Buffer.concat([Buffer.from('{"model":"m","messages":[{"role":"user","content":"'),
                                    Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}]}')]),
    'overlong UTF-8': Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc0, 0xaf]),
                                     Buffer.from('","messages":[{"role":"user","content":"x"}]}')]),
    'a surrogate in UTF-8': Buffer.concat([
      Buffer.from('{"model":"m","messages":[{"role":"user","content":"'),
      Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}]}')]),
    'half a surrogate pair': message('"\\ud800"'),
    'a raw NUL byte': Buffer.from(message('"a\0b"')), 'NUL bytes after': `${message('"x"')}\0\0`,
    'only NUL bytes': Buffer.alloc(64), 'a raw line break': message('"a\nb"'),
    'UTF-16': Buffer.from(message('"x"'), 'utf16le'),
    'no model': '{"messages":[{"role":"user","content":"x"}]}', 'no messages': '{"model":"m"}',
    'no message': '{"model":"m","messages":[]}', 'messages of numbers': '{"model":"m","messages":[1]}',
    'content of numbers': message('5'), 'user without content': message('null'),
  };
  for (const [name, body] of Object.entries(bad)) {
    const bytes = Buffer.from(body);
    const answer = await exchange(t, server, chatRequest(KEY, bytes, { 'content-length': bytes.length }));
    assertError(answer, 400, name);
    assert.equal(answer.body.error.type, 'invalid_request_error', name);
    // The connection stays usable.
    await answer.client.send(health);
    assert.equal((await answer.client.response()).status, 200, name);
  }
  // A NUL written as an escape is text like any other.
  const escaped = await exchange(t, server, chatRequest(KEY, message('"a\\u0000b"')));
  assert.equal(escaped.status, 200);
  assert.equal(upstream.requests.length, 1);
  assert.equal(upstream.requests[0].lastText, 'a\0b');
});

test('wrong fields get a 400 that names the field', async t => {
  const { server, upstream } = await start(t);
  const bad = [
    ['temperature', 2.1], ['temperature', -0.1], ['temperature', '1'], ['temperature', true],
    ['max_tokens', 0], ['max_tokens', -1], ['max_tokens', 1.5], ['max_tokens', '9'],
    ['max_completion_tokens', 0], ['top_p', 1.1], ['top_p', -1], ['n', 0], ['n', 129], ['n', 1.5],
    ['presence_penalty', 2.5], ['frequency_penalty', -2.5], ['stream', 'yes'], ['stream', 1],
    ['stop', 5], ['stop', ['a', 'b', 'c', 'd', 'e']], ['stop', [1]], ['top_logprobs', 21],
    ['logprobs', 'x'], ['logit_bias', { 50: 101 }], ['logit_bias', []], ['seed', 1.5],
    ['tools', {}], ['tools', [1]], ['tool_choice', 5], ['response_format', 'json'],
    ['response_format', { type: 'odd' }], ['metadata', []], ['metadata', { k: 1 }],
    ['stream_options', 5], ['model', 5], ['model', null], ['messages', 'x'], ['messages', {}],
    ['user', 5], ['store', 'x'], ['parallel_tool_calls', 'x'],
    ['messages[0].role', undefined, { messages: [{ role: 'king', content: 'x' }] }],
    ['messages[0].role', undefined, { messages: [{ content: 'x' }] }],
    ['messages[1].content', undefined, { messages: [user('x'), { role: 'user', content: 5 }] }],
    ['messages[0].tool_call_id', undefined, { messages: [{ role: 'tool', content: 'x' }] }],
  ];
  for (const [param, value, body = { [param]: value }] of bad) {
    const answer = await server.chat({ ...chat, ...body });
    const what = JSON.stringify(body);
    assert.equal(answer.status, 400, what);
    assert.equal(answer.error.type, 'invalid_request_error', what);
    assert.ok(answer.error.param?.replaceAll(/\.(\d+)/g, '[$1]').startsWith(param),
              `${what} names ${answer.error.param}`);
  }
  assert.equal(upstream.requests.length, 0);
});

test('a body above the limit gets a 413, at once when its length says so', async t => {
  const { server } = await start(t, { server: { max_body_bytes: '64KiB' } });
  const head = `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`
    + 'content-type: application/json\r\n';
  const declared = await exchange(t, server, `${head}content-length: 65537\r\n\r\n`);
  assertError(declared, 413, 'declared');
  for (const size of ['9223372036854775807', '18446744073709551615'])
    assertError(await exchange(t, server, `${head}content-length: ${size}\r\n\r\n`), 413, size);
  const chunked = await open(t, server.port);
  await chunked.send(`${head}transfer-encoding: chunked\r\n\r\n`);
  for (let i = 0; i < 5; ++i) await chunked.send(asChunk(' '.repeat(16 * 1024)));
  assertError(await chunked.response(), 413, 'chunked');
  const huge = await exchange(t, server, `${head}transfer-encoding: chunked\r\n\r\n7fffffff\r\n`);
  assertError(huge, 413, 'one huge chunk');
  // A client that sends all before it reads gets the answer, too, not a reset.
  const eager = await exchange(t, server, chatRequest(KEY, 'x'.repeat(1024 * 1024)));
  assertError(eager, 413, 'sent whole');
  const exact = await exchange(t, server, chatRequest(KEY, JSON.stringify(chat).padEnd(65536)));
  assert.equal(exact.status, 200);
  await assertAlive(t, server);
});

test('headers above the limit get a 431', async t => {
  const server = await startServer(t);
  const big = 'x'.repeat(70 * 1024);
  assertError(await exchange(t, server, request('GET', '/health', { 'x-big': big })), 431, 'one field');
  assertError(await exchange(t, server, `GET /${big} HTTP/1.1\r\nhost: x\r\n\r\n`), 431, 'the path');
  const many = Array.from({ length: 5000 }, (_, i) => `x-${i}: yyyyyyyy\r\n`).join('');
  assertError(await exchange(t, server, `GET /health HTTP/1.1\r\nhost: x\r\n${many}\r\n`), 431, 'many');
  // What ends nowhere is cut off as well.
  const endless = await open(t, server.port);
  await endless.send(`GET /health HTTP/1.1\r\nx: ${'x'.repeat(100 * 1024)}`);
  assertError(await endless.response(), 431, 'endless');
  const large = await exchange(t, server, request('GET', '/health', { 'x-large': 'x'.repeat(60_000) }));
  assert.equal(large.status, 200);
});

test('content types', async t => {
  const { server } = await start(t);
  const send = type => exchange(t, server, chatRequest(KEY, chat, { 'content-type': type }));
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; x=y',
                      'application/jsonx', 'application/xml', 'json'])
    assertError(await send(type), 415, type);
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON',
                      'application/json;charset=UTF-8', undefined])
    assert.equal((await send(type)).status, 200, type);
});

test('unknown paths get a 404, wrong methods a 405 with Allow', async t => {
  const { server } = await start(t);
  for (const path of ['/nope', '/v1', '/v1/chat', '/v1/chat/completions/x', '/V1/models', '/v2/models'])
    assertError(await exchange(t, server, request('GET', path, auth)), 404, path);
  for (const [method, path, allow] of [
    ['GET', CHAT, 'POST'], ['DELETE', CHAT, 'POST'], ['PUT', '/health', 'GET'],
    ['POST', '/v1/models', 'GET'], ['PATCH', '/', 'GET'], ['BREW', '/health', 'GET'],
    ['TRACE', '/', 'GET']]) {
    const answer = await exchange(t, server, request(method, path, auth));
    assertError(answer, 405, `${method} ${path}`);
    assert.ok(answer.headers.allow.split(/, */).includes(allow), answer.headers.allow);
    assert.equal(answer.headers.allow.includes('HEAD'), allow === 'GET');
  }
});

test('paths with a trailing slash, a query or a whole URL are understood', async t => {
  const { server } = await start(t);
  for (const path of ['/health', '/health/', '/health?x=1', 'http://localhost/health'])
    assert.equal((await exchange(t, server, request('GET', path))).body.status, 'healthy', path);
  assert.equal((await exchange(t, server, request('GET', '/v1/models/', auth))).body.object, 'list');
  const slash = request('POST', `${CHAT}/?api-version=1`, auth, JSON.stringify(chat));
  assert.equal((await exchange(t, server, slash)).status, 200);
  const info = await exchange(t, server, request('GET', '/'));
  assert.equal(info.body.message, 'Lang Agent Chat API');
  assert.equal(info.body.endpoints['/health'], 'GET - 健康检查接口');
});

test('authentication comes before the body', async t => {
  const { server } = await start(t);
  for (const authorization of [undefined, 'Bearer', 'Bearer ', 'Bearer wrong', `Basic ${KEY}`, KEY,
                               `Bearer ${KEY}x`, `Bearer ${KEY.slice(1)}`, `Bearer ${KEY} x`]) {
    const head = { ...auth, authorization, 'content-length': 1_000_000 };
    const answer = await exchange(t, server, request('POST', CHAT, head)); // no byte of the body
    assertError(answer, 401, authorization);
    assert.match(answer.headers['www-authenticate'], /^Bearer/);
    assert.equal(answer.body.error.code, 'invalid_api_key');
  }
  for (const path of ['/v1/models', '/v1/models/x'])
    assertError(await exchange(t, server, request('GET', path)), 401, path);
  for (const scheme of ['bearer', 'BEARER', 'Bearer ', 'bEaReR'])
    assert.equal((await exchange(t, server, request('GET', '/v1/models', {
      authorization: `${scheme} ${KEY}` }))).status, 200, scheme);
});

test('CORS: any origin, our headers, no credentials', async t => {
  const { server } = await start(t);
  const origin = { origin: 'https://app.example' };
  const preflight = await exchange(t, server, request('OPTIONS', CHAT, { ...origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type,x-stainless-os' }));
  assert.ok(preflight.status === 200 || preflight.status === 204);
  assert.equal(preflight.headers['access-control-allow-origin'], '*');
  assert.match(preflight.headers['access-control-allow-methods'], /POST/);
  const allowed = preflight.headers['access-control-allow-headers'].toLowerCase();
  // A star alone does not cover Authorization.
  for (const name of ['authorization', 'content-type', 'x-stainless-os'])
    assert.ok(allowed.includes(name), `${name} in ${allowed}`);
  for (const bytes of [chatRequest(KEY, chat, origin), chatRequest('wrong', chat, origin),
                       request('GET', '/health', origin)]) {
    const { headers } = await exchange(t, server, bytes);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.match(headers['access-control-expose-headers'], /x-request-id/i);
    assert.match(headers['access-control-expose-headers'], /x-thread-id/i);
    assert.equal(headers['access-control-allow-credentials'], undefined);
  }
});

test('HEAD answers as GET without a body', async t => {
  const server = await startServer(t);
  for (const path of ['/', '/health', '/v1/models', '/nope']) {
    const get = await exchange(t, server, request('GET', path, auth));
    const head = await exchange(t, server, request('HEAD', path, auth), { bodiless: true });
    assert.equal(head.status, get.status, path);
    // The text of an error names the method.
    if (get.status === 200)
      assert.equal(head.headers['content-length'], get.headers['content-length'], path);
    // No byte of a body: the next answer follows at once.
    await head.client.send(health);
    assert.equal((await head.client.response()).status, 200, path);
  }
});
