// Upstreams behind an HTTP proxy, which alone knows their names.
import assert from 'node:assert/strict';
import { Authority } from './certificates.mjs';
import { makeConfig, ONE_ATTEMPT, run, startServer, test, toml, until, UPSTREAM_KEY,
         user } from './harness.mjs';
import { startProxy } from './proxy.mjs';
import { startUpstream } from './upstream.mjs';

const NAME = 'upstream.test';
/** No variable of this machine may get in the way. */
const NO_VARIABLES = Object.fromEntries(
  ['http_proxy', 'https_proxy', 'no_proxy'].flatMap(x => [[x, ''], [x.toUpperCase(), '']]));

/** A proxy in front of an upstream that has a name behind it only; `config` may name the proxy. */
async function startBehind(t, { tls, credentials, answer, config = () => ({}), env = () => ({}) } = {}) {
  const upstream = await startUpstream(t, undefined, { tls, host: NAME });
  const hosts = { [`${NAME}:${upstream.port}`]: upstream.port };
  const proxy = await startProxy(t, { hosts, credentials, answer });
  const server = await startServer(t, {
    config: { ...ONE_ATTEMPT, upstream: config(proxy) }, upstream,
    env: { ...NO_VARIABLES, ...env(proxy) } });
  return { upstream, proxy, server };
}

/** TLS for the name behind the proxy. */
function secure(t) {
  const authority = new Authority(t);
  return { ca_file: authority.ca, tls: authority.certificate('upstream', `DNS:${NAME}`).tls };
}

/** The log is written a moment after the answer. */
const logged = (server, pattern) => until(() => pattern.test(server.log), `${pattern} in the log`, 5000);

const ask = (server, more) => server.chat({ messages: [user('hi')], ...more });

test('https through a proxy that wants other credentials', async t => {
  const { tls, ca_file } = secure(t);
  const { server, upstream } = await startBehind(t, {
    tls, credentials: 'me:secret',
    config: x => ({ proxy: `http://me:p%40ssword@127.0.0.1:${x.port}`, ca_file }) });
  const answer = await ask(server);
  assert.equal(answer.status, 502);
  assert.equal(answer.error.code, 'upstream_unreachable');
  await logged(server, /407/);
  await logged(server, /credentials/);
  assert.ok(!server.log.includes('ssword') && !answer.raw.includes('proxy'));
  assert.equal(upstream.connections.length, 0);
});

test('credentials of a proxy may have any characters', async t => {
  const { server } = await startBehind(t, {
    credentials: 'me:a@b:c/d', config: x => ({ proxy: `http://me:a%40b:c%2Fd@127.0.0.1:${x.port}` }) });
  assert.equal((await ask(server)).text, 're: hi');
});

test('https through a proxy: name, SNI and certificate are the upstream\'s', async t => {
  const { tls, ca_file } = secure(t);
  const { server, proxy, upstream } = await startBehind(t, {
    tls, credentials: 'me:secret', config: x => ({ proxy: x.url, ca_file }) });
  assert.equal((await ask(server)).text, 're: hi');
  assert.equal((await server.stream({ messages: [user('ho')] })).text, 're: ho');
  assert.equal(proxy.heads.length, 1, 'the tunnel is kept');
  const [head] = proxy.heads;
  assert.match(head, new RegExp(`^CONNECT ${NAME}:${upstream.port} HTTP/1.1\r\nhost: ${NAME}:${upstream.port}\r\n`));
  assert.ok(!head.includes(UPSTREAM_KEY));
  assert.equal(upstream.connections[0].socket.servername, NAME);
  assert.equal(upstream.requests[0].path, '/v1/chat/completions');
  assert.equal(upstream.requests[0].headers['proxy-authorization'], undefined);
});

test('https through a proxy: a certificate of another name is refused', async t => {
  const authority = new Authority(t);
  const { tls } = authority.certificate('other', 'DNS:other.test');
  const { server, upstream } = await startBehind(t, {
    tls, config: x => ({ proxy: x.url, ca_file: authority.ca }) });
  const answer = await ask(server);
  assert.equal(answer.error.code, 'upstream_tls_failed');
  assert.equal(upstream.requests.length, 0);
});

test('http through a proxy has the whole URL as its target', async t => {
  const { server, proxy, upstream } = await startBehind(t, {
    credentials: 'me:secret', config: x => ({ proxy: x.url }) });
  assert.equal((await ask(server)).text, 're: hi');
  assert.match(proxy.heads[0], new RegExp(`^POST http://${NAME}:${upstream.port}/v1/chat/completions HTTP/1.1\r\nhost: ${NAME}:${upstream.port}\r\n`));
  assert.equal(upstream.requests[0].headers.authorization, `Bearer ${UPSTREAM_KEY}`);
});

test('http through a proxy that wants other credentials', async t => {
  const { server } = await startBehind(t, {
    credentials: 'me:secret', config: x => ({ proxy: `http://127.0.0.1:${x.port}` }) });
  const answer = await ask(server);
  assert.equal(answer.status, 502);
  assert.equal(answer.error.code, 'upstream_unreachable');
  await logged(server, /HTTP 407: the proxy/);
});

test('the environment names the proxy, and hosts that need none', async t => {
  const { tls, ca_file } = secure(t);
  const config = () => ({ ca_file });
  for (const name of ['HTTPS_PROXY', 'https_proxy']) {
    const { server } = await startBehind(t, { tls, config, env: x => ({ [name]: x.url }) });
    assert.equal((await ask(server)).text, 're: hi');
  }
  for (const name of ['HTTP_PROXY', 'http_proxy']) {
    const { server } = await startBehind(t, { env: x => ({ [name]: x.url }) });
    assert.equal((await ask(server)).text, 're: hi');
  }
  // Without the proxy nobody knows the name.
  for (const env of [x => ({ HTTP_PROXY: x.url }), x => ({ HTTPS_PROXY: x.url, NO_PROXY: '*' }),
                     x => ({ HTTPS_PROXY: x.url, NO_PROXY: 'a.test, .test' }),
                     x => ({ HTTPS_PROXY: x.url, no_proxy: NAME })]) {
    const { server, proxy } = await startBehind(t, { tls, config, env });
    assert.equal((await ask(server)).error.code, 'upstream_unreachable');
    assert.equal(proxy.heads.length, 0);
  }
});

test('the config wins over the environment', async t => {
  const nobody = { HTTP_PROXY: 'http://127.0.0.1:1' };
  const named = await startBehind(t, { config: x => ({ proxy: x.url }), env: () => nobody });
  assert.equal((await ask(named.server)).text, 're: hi');
  const none = await startBehind(t, {
    config: () => ({ proxy: 'none' }), env: x => ({ HTTP_PROXY: x.url }) });
  assert.equal((await ask(none.server)).error.code, 'upstream_unreachable');
  assert.equal(none.proxy.heads.length, 0);
});

test('an upstream on this machine is never behind a proxy of the environment', async t => {
  const upstream = await startUpstream(t);
  const server = await startServer(t, {
    config: ONE_ATTEMPT, upstream, env: { ...NO_VARIABLES, HTTP_PROXY: 'http://127.0.0.1:1' } });
  assert.equal((await ask(server)).text, 're: hi');
});

test('a variable of no use is told where it would be used', async t => {
  const check = (url, env) => run(t, ['--check-config'], {
    config: toml(makeConfig({ upstream: { api_key_env: undefined } }, { url })),
    env: { ...NO_VARIABLES, ...env } });
  const socks = { HTTPS_PROXY: 'socks5://me:secret@proxy.test:1080' };
  const bad = await check('https://upstream.test/v1', socks);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /HTTPS_PROXY/);
  assert.doesNotMatch(bad.stderr, /secret/);
  assert.equal((await check('http://upstream.test/v1', socks)).code, 0);
  assert.equal((await check('https://localhost/v1', socks)).code, 0);
  assert.equal((await check('https://upstream.test/v1', { ...socks, NO_PROXY: '.test' })).code, 0);
});

test('a proxy that makes no connection', async t => {
  const { tls, ca_file } = secure(t);
  const cases = {
    'an end': x => x.end(),
    'a reset': x => x.resetAndDestroy(),
    'a refusal': x => x.end('HTTP/1.1 403 Forbidden\r\n\r\n<html>secret inside</html>'),
    'a redirect': x => x.end('HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n'),
    'no HTTP': x => x.end('SSH-2.0-OpenSSH_9.2\r\n\r\n'),
    'an endless head': x => x.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`),
    'bytes before TLS': x => x.write('HTTP/1.1 200 OK\r\n\r\nhello'),
  };
  for (const [name, play] of Object.entries(cases)) {
    const { server, upstream } = await startBehind(t, {
      tls, config: x => ({ proxy: x.url, ca_file }), answer: x => { play(x); return true; } });
    const answer = await ask(server);
    assert.equal(answer.status, 502, name);
    assert.equal(answer.error.code, 'upstream_unreachable', name);
    assert.doesNotMatch(answer.raw, /secret inside|proxy/, name);
    await logged(server, /proxy/);
    assert.equal(upstream.connections.length, 0, name);
  }
});

test('nobody listens at the proxy\'s address', async t => {
  const server = await startServer(t, {
    config: { ...ONE_ATTEMPT, upstream: { proxy: 'http://127.0.0.1:1' } },
    upstream: { url: `https://${NAME}/v1` }, env: NO_VARIABLES });
  const answer = await ask(server);
  assert.equal(answer.error.code, 'upstream_unreachable');
  assert.ok(!answer.raw.includes('127.0.0.1'));
});
