// Connections to an upstream: which are made, kept, replaced, and what secures them.
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { Authority } from './certificates.mjs';
import { delay, makeConfig, ONE_ATTEMPT, run, start as startBoth, startServer, test, toml, until,
         UPSTREAM_KEY, user } from './harness.mjs';
import { chunk, event, startUpstream } from './upstream.mjs';

const config = upstream => ({ ...ONE_ATTEMPT, upstream });
const start = (t, upstream, behaviour, options) => startBoth(t, config(upstream), behaviour, options);

test('a name with several addresses is tried at each of them', async t => {
  // Listens on one of them only; the port of the others is free, so they refuse.
  const addresses = (await lookup('localhost', { all: true })).map(x => x.address);
  if (addresses.length < 2) return t.skip('localhost has one address here');
  for (const address of addresses) {
    const upstream = await startUpstream(t, undefined, { host: 'localhost', listen: address });
    const server = await startServer(t, { config: config({}), upstream });
    assert.equal(await server.say(1, 'hi'), 're: hi');
  }
});

test('a connection is not used again when it is too old', async t => {
  const { server, upstream } = await start(t, { max_connection_age: '1s' });
  await server.say(1, 'a');
  await server.say(1, 'b');
  assert.equal(upstream.connections.length, 1);
  await until(() => !upstream.connections[0].open, 'the old connection closes', 3000);
  await server.say(1, 'c');
  assert.equal(upstream.connections.length, 2);
  // One that grew old while it was used is closed with its answer.
  upstream.once(async x => { await delay(1200); await x.answer('late'); });
  await server.say(1, 'd');
  await until(() => upstream.connections.every(x => !x.open), 'it closes at once', 500);
});

test('a stale connection is replaced once, and only before an answer began', async t => {
  const { server, upstream } = await start(t, {});
  await server.say(1, 'warm up');
  // The replacement fails, too: that is a failure of the upstream.
  upstream.once(x => x.reset());
  upstream.once(x => x.reset());
  const twice = await server.chat({ messages: [user('twice')] });
  assert.equal(twice.status, 502);
  assert.equal(upstream.requests.length, 3);

  for (const begin of [x => x.write('H'), x => x.begin(),
                       x => x.begin().then(() => x.piece(event(chunk({ role: 'assistant' }))))]) {
    await server.say(1, 'warm up');
    const before = upstream.requests.length;
    upstream.once(async x => {
      assert.ok(x.connection.requests > 1, 'on a kept connection');
      await begin(x);
      await delay(100);
      x.reset();
    });
    const answer = await server.chat({ stream: true, messages: [user('begun')] });
    assert.equal(answer.status, 502, answer.raw);
    assert.equal(upstream.requests.length, before + 1, 'no second request');
  }
});

test('a stale connection is replaced while a long request is being written', async t => {
  const { server, upstream } = await start(t, {});
  await server.say(1, 'warm up');
  const [connection] = upstream.connections;
  connection.socket.removeAllListeners('data');
  connection.socket.once('data', () => connection.socket.resetAndDestroy());
  const long = 'x'.repeat(4 * 1024 * 1024);
  const answer = await server.chat({ messages: [user(long)] });
  assert.equal(answer.status, 200);
  assert.equal(upstream.connections.length, 2);
});

test('a stale TLS connection is replaced silently', async t => {
  const authority = new Authority(t);
  const { tls } = authority.certificate('upstream', 'DNS:localhost');
  const { server, upstream } = await start(t, { ca_file: authority.ca }, undefined,
                                           { upstream: { tls, host: 'localhost' } });
  for (const close of ['end', 'destroy']) {
    await server.say(1, 'before');
    upstream.once(x => x.socket[close]()); // as the next request is already on its way
    assert.equal(await server.say(1, 'after'), 're: after');
  }
});

test('headers of the config go upstream and stay secret', async t => {
  const headers = { 'x-team': 'chat', 'X-Secret-Word': 'rumpelstiltskin', 'user-agent': 'mine/1' };
  const { server, upstream } = await start(t, { headers, headers_env: { 'api-key': 'TEST_HEADER' } },
                                           undefined, { env: { TEST_HEADER: 'azure-4711' } });
  await server.say(1, 'hi');
  const [{ headers: sent }] = upstream.requests;
  assert.equal(sent['x-team'], 'chat');
  assert.equal(sent['x-secret-word'], 'rumpelstiltskin');
  assert.equal(sent['user-agent'], 'mine/1');
  assert.equal(sent['api-key'], 'azure-4711');
  assert.equal(sent.authorization, `Bearer ${UPSTREAM_KEY}`);
  upstream.once(x => x.json(
    { error: { message: 'in this chat rumpelstiltskin and azure-4711 are known' } }, 400));
  const { error } = await server.chat({ messages: [user('hi')] });
  assert.equal(error.message, 'in this chat [redacted] and [redacted] are known');
});

test('values of headers that are no secrets eat no words of the upstream', async t => {
  const said = 'The server had an error with token-4711-abcdef in Bearer%20token-4711-abcdef';
  const { server } = await start(t, { headers: { 'X-Title': 'My chat server',
                                                 'x-auth': 'Token token-4711-abcdef' } },
    x => x.json({ error: { message: said } }, 400));
  const { error } = await server.chat({ messages: [user('hi')] });
  assert.match(error.message, /^The server had an error with \[redacted\] in /);
  assert.ok(!error.message.includes('4711'), error.message);
});

test('a model map names the upstream\'s models', async t => {
  const { server, upstream } = await start(t, { model_map: { small: 'tiny-1', big: 'huge-9' } });
  for (const [asked, sent] of [['small', 'tiny-1'], ['big', 'huge-9'], ['other', 'other']]) {
    const answer = await server.chat({ model: asked, messages: [user('hi')] });
    assert.equal(upstream.requests.at(-1).body.model, sent);
    assert.equal(answer.body.model, asked);
  }
});

test('ca_file replaces what the system trusts', async t => {
  const ours = new Authority(t);
  const theirs = new Authority(t);
  const options = { upstream: { tls: ours.certificate('upstream', 'DNS:localhost').tls,
                                host: 'localhost' } };
  const good = await start(t, { ca_file: ours.ca }, undefined, options);
  assert.equal(await good.server.say(1, 'hi'), 're: hi');
  const bad = await start(t, { ca_file: theirs.ca }, undefined,
                          { ...options, env: { SSL_CERT_FILE: ours.ca } });
  const answer = await bad.server.chat({ messages: [user('hi')] });
  assert.equal(answer.status, 502);
  assert.equal(answer.error.code, 'upstream_tls_failed');
  assert.equal(bad.upstream.requests.length, 0);
});

test('an upstream that wants a certificate gets it', async t => {
  const authority = new Authority(t);
  const server = authority.certificate('upstream', 'DNS:localhost');
  const client = authority.certificate('client', 'DNS:client.test');
  const tls = { ...server.tls, ca: readFileSync(authority.ca), requestCert: true, rejectUnauthorized: true };
  const options = { upstream: { tls, host: 'localhost' } };
  const shown = await start(t, { ca_file: authority.ca, client_certificate: client.files.cert,
                                 client_key: client.files.key }, undefined, options);
  assert.equal(await shown.server.say(1, 'hi'), 're: hi');
  assert.equal(shown.upstream.connections[0].socket.getPeerCertificate().subject.CN, 'client');
  const missing = await start(t, { ca_file: authority.ca }, undefined, options);
  const answer = await missing.server.chat({ messages: [user('hi')] });
  assert.equal(answer.status, 502);
  assert.equal(missing.upstream.requests.length, 0);
});

test('files that are of no use are told at the start', async t => {
  const authority = new Authority(t);
  const { files } = authority.certificate('client', 'DNS:client.test');
  const other = authority.certificate('other', 'DNS:client.test').files;
  const nonsense = authority.at('nonsense.pem');
  writeFileSync(nonsense, 'no certificate\n');
  const attempt = upstream => run(t, [], { config: toml(makeConfig(
    { upstream: { ...upstream, api_key_env: undefined } }, { url: 'https://localhost/v1' })) });
  for (const [upstream, code, ...words] of [
    [{ ca_file: 'missing.pem' }, 2, 'ca_file', 'missing.pem'],
    [{ client_certificate: files.cert }, 2, 'client_key'],
    [{ ca_file: nonsense }, 1, 'upstream "main"', 'ca_file', nonsense],
    [{ client_certificate: nonsense, client_key: files.key }, 1, 'client_certificate', nonsense],
    [{ client_certificate: files.cert, client_key: nonsense }, 1, 'client_key', nonsense],
    [{ client_certificate: files.cert, client_key: other.key }, 1, 'client_key', other.key]]) {
    const out = await attempt(upstream);
    assert.equal(out.code, code, out.stderr);
    for (const word of words) assert.ok(out.stderr.includes(word), `${word}: ${out.stderr}`);
  }
});

test('a name that nobody knows makes the upstream unreachable', async t => {
  const server = await startServer(t, { config: config({}),
                                        upstream: { url: 'http://no-such-host.invalid/v1' } });
  const answer = await server.chat({ messages: [user('hi')] });
  assert.equal(answer.status, 502);
  assert.equal(answer.error.code, 'upstream_unreachable');
  assert.ok(!answer.raw.includes('no-such-host'));
});
