// What an operator does: command line, config errors, shutdown, logs.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { delay, KEY, makeConfig, makeFolder, run, start, startServer, test, toml, until,
         UPSTREAM_KEY, user, within } from './harness.mjs';
import { open, request } from './raw.mjs';
import { call, exportFile, importInto } from './thread-client.mjs';
import { chunk, event } from './upstream.mjs';

const valid = () => toml(makeConfig());

test('--version and --help say what they should', async t => {
  const version = await run(t, ['--version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^lang-agent \d+\.\d+\.\d+/);
  const help = await run(t, ['--help']);
  assert.equal(help.code, 0);
  for (const option of ['--config', '--listen', '--upstream', '--upstream-key-env', '--model',
                        '--data-dir', '--ephemeral', '--check-config', '--version', 'serve'])
    assert.ok(help.stdout.includes(option), option);
});

test('an unknown option is refused', async t => {
  const out = await run(t, ['--nonsense']);
  assert.notEqual(out.code, 0);
  assert.ok((out.stderr + out.stdout).includes('--nonsense'));
});

test('--check-config accepts a good file and the built-in config', async t => {
  assert.equal((await run(t, ['--check-config'], { config: valid() })).code, 0);
  assert.equal((await run(t, ['serve', '--check-config'], { config: valid() })).code, 0);
  assert.equal((await run(t, ['--check-config'])).code, 0);
});

test('config errors name file, line and key', async t => {
  const line = text => text.split('\n').findIndex(x => x.includes('BAD')) + 1;
  for (const [bad, key] of [
    ['[server]\nlisten = "127.0.0.1:0"\nBADkey = 1', 'BADkey'],
    ['[server]\nthreads = "BAD"', 'threads'],
    ['[server]\nheader_timeout = "BAD 5 parsecs"', 'header_timeout'],
    ['[server]\nmax_body_bytes = -1 # BAD', 'max_body_bytes'],
    ['[BADtable]\nx = 1', 'BADtable'],
    ['[threads]\non_busy = "BAD"', 'on_busy'],
    ['[defaults]\ntemperature = 7 # BAD', 'temperature'],
  ]) {
    const config = `${bad}\n\n[[tenants]]\nname = "a"\nkeys = ["k-1"]\n`;
    const out = await run(t, ['--check-config'], { config });
    assert.notEqual(out.code, 0, bad);
    const message = out.stderr;
    assert.ok(message.includes(`${out.file}:${line(config)}`), `file and line: ${message}`);
    assert.ok(message.includes(key), `key: ${message}`);
  }
  // What TOML itself refuses names the line, too.
  const broken = await run(t, ['--check-config'], { config: '[server]\nlisten = \n' });
  assert.notEqual(broken.code, 0);
  assert.ok(broken.stderr.includes(`${broken.file}:2`), broken.stderr);
  const missing = await run(t, ['--config', '/nowhere/at-all.toml']);
  assert.notEqual(missing.code, 0);
  assert.ok(missing.stderr.includes('/nowhere/at-all.toml'));
});

test('the publicly known key is refused away from loopback', async t => {
  for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:0']) {
    const out = await run(t, ['--listen', address, '--check-config']);
    assert.notEqual(out.code, 0, address);
    assert.match(out.stderr, /keys?\b.*\[\[tenants\]\]|\[\[tenants\]\].*key/s, 'says how to fix it');
  }
  for (const address of ['127.0.0.1:0', '[::1]:0', '127.9.9.9:0'])
    assert.equal((await run(t, ['--listen', address, '--check-config'])).code, 0, address);
});

test('a missing secret names its variable; the command line takes names only', async t => {
  const config = toml(makeConfig({ upstream: {
    kind: 'openai', base_url: 'http://127.0.0.1:9/v1', api_key_env: 'NOT_SET_ANYWHERE' } }));
  const out = await run(t, ['--check-config'], { config });
  assert.notEqual(out.code, 0);
  assert.ok(out.stderr.includes('NOT_SET_ANYWHERE'));
  const named = await run(t, ['--check-config'], { config, env: { NOT_SET_ANYWHERE: 'hush-hush' } });
  assert.equal(named.code, 0);
  assert.ok(!(named.stdout + named.stderr).includes('hush-hush'));
});

test('a port that is taken is an error, not a silent second server', async t => {
  const server = await startServer(t);
  for (let i = 0; i < 8; ++i) { // it must end each time
    const out = await run(t, ['--listen', `127.0.0.1:${server.port}`]);
    assert.equal(out.signal, null, 'it had to be killed');
    assert.notEqual(out.code, 0);
    assert.match(out.stderr, /in use/);
  }
});

test('secrets from files work, and --upstream does not send the config\'s key elsewhere', async t => {
  const file = join(makeFolder(t), 'key');
  writeFileSync(file, 'from-a-file\n');
  const { upstream, server } = await start(t, { upstream: { api_key_env: undefined,
                                                            api_key_file: file } });
  await server.say(1, 'x');
  assert.equal(upstream.requests[0].headers.authorization, 'Bearer from-a-file');
  const other = await startServer(t, { upstream: { url: 'http://127.0.0.1:9/v1' },
                                       args: ['--upstream', upstream.url, '--model', 'other'] });
  await other.say(1, 'x');
  assert.equal(upstream.requests[1].headers.authorization, undefined);
  assert.equal(upstream.requests[1].body.model, 'other');
});

/** A stream that says one word, and goes on when the test opens the gate. */
function gatedStream() {
  const gate = {};
  gate.opened = new Promise(resolve => { gate.open = resolve; });
  gate.behaviour = async x => {
    await x.begin();
    await x.piece(event(chunk({ role: 'assistant', content: 'begun ' })));
    await gate.opened;
    await x.piece(event(chunk({ content: 'ended' })) + event(chunk({}, { finish_reason: 'stop' }))
                  + event('[DONE]'));
    await x.end();
  };
  return gate;
}

const streamRequest = { model: 'm', stream: true, messages: [user('go')] };

test('SIGTERM drains: streams finish, idle connections close, nobody new comes in', async t => {
  const gate = gatedStream();
  const { server } = await start(t, { server: { drain_timeout: '30s' } }, gate.behaviour);
  const idle = await open(t, server.port);
  await idle.send(request('GET', '/health'));
  assert.equal((await idle.response()).status, 200);
  const fresh = await open(t, server.port); // has sent nothing yet
  const response = await server.post(streamRequest);
  const reading = response.text();

  server.signal();
  await within(5_000, idle.end(), 'the idle connection closes');
  await within(5_000, fresh.end(), 'the unused connection closes');
  await until(() => open(t, server.port).then(x => x.end(1_000)).then(() => false, () => true),
              'new connections are refused', 5_000);
  assert.equal(server.exit, undefined, 'the server waits for the stream');

  gate.open();
  const text = await reading;
  assert.ok(text.includes('ended') && text.includes('[DONE]'));
  await within(10_000, server.ended, 'the server ends');
  assert.deepEqual(server.exit, { code: 0, signal: null });
});

test('/health on an open connection turns 503 while draining', async t => {
  const gate = gatedStream();
  const { server } = await start(t, { server: { drain_timeout: '30s' } }, gate.behaviour);
  // Two requests in one go: the second is answered while the server drains.
  const client = await open(t, server.port);
  const body = JSON.stringify(streamRequest);
  const head = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  await client.send(request('POST', '/v1/chat/completions', head, body));
  await client.until('begun');
  const partial = await open(t, server.port);
  await partial.send('GET /health HTTP/1.1\r\nhost: x\r\n'); // begun: not idle
  await delay(100); // lets the server take these bytes; if it did not, it may close instead
  server.signal();
  await until(() => server.log.includes('draining'), 'the drain begins');
  await partial.send('\r\n');
  const health = await partial.response();
  assert.equal(health.status, 503);
  gate.open();
  assert.ok((await client.response()).text.includes('[DONE]'));
});

test('drain_timeout forces the end, and the client hears of it', async t => {
  const { server, upstream } = await start(t, { server: { drain_timeout: '300ms' } },
                                           gatedStream().behaviour);
  const response = await server.post(streamRequest);
  server.signal();
  const text = await response.text().catch(() => '(cut)');
  assert.ok(!text.includes('[DONE]'));
  await within(10_000, server.ended, 'the server ends');
  assert.equal(server.exit.signal, null);
  server.mayFail = true;
  assert.equal(upstream.requests.length, 1);
});

test('exports and imports that stand still do not keep the server from ending', async t => {
  const server = await startServer(t, { config: { server: { drain_timeout: '300ms' } } });
  assert.equal((await importInto(server, exportFile('big', 200, 100_000))).status, 200);
  const head = (method, path, more = '') =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n${more}\r\n`;
  const stalled = await open(t, server.port);
  stalled.socket.pause();
  await stalled.send(head('GET', '/v1/threads/big/export'));
  const idle = await open(t, server.port);
  await idle.send(head('POST', '/v1/threads/import', 'Content-Length: 1000\r\n') + '{');
  await until(async () => (await call(server, 'GET', '/v1/threads')).status === 200, 'both began');
  server.signal();
  await within(10_000, server.ended, 'the server ends');
  assert.deepEqual(server.exit, { code: 0, signal: null });
});

test('a second signal ends at once', async t => {
  const { server } = await start(t, { server: { drain_timeout: '60s' } }, gatedStream().behaviour);
  const response = await server.post(streamRequest);
  const reading = response.text().catch(() => {});
  server.signal('SIGINT');
  await until(() => server.log.includes('draining'), 'the drain begins');
  server.mayFail = true;
  server.signal('SIGTERM');
  await within(3_000, server.ended, 'the server ends');
  await reading;
});

test('the log has one line per request, and neither secrets nor texts', async t => {
  const { server, upstream } = await start(t, { log: { level: 'trace' } });
  const say = more => server.chat({ thread_id: 'log-me', messages: [user('SECRET-TEXT')], ...more },
                                  { headers: { 'x-request-id': 'id-1',
                                               'x-client-request-id': 'theirs-1' } });
  await say();
  await server.chat({ messages: [user('SECRET-TEXT')] }, { key: 'WRONG-KEY' });
  await server.chat({ messages: [user('SECRET-TEXT')], temperature: 9 });
  upstream.once(x => x.json({ error: { message: `SECRET-TEXT ${UPSTREAM_KEY}` } }, 401));
  await server.chat({ messages: [user('SECRET-TEXT')], stream: true });
  await server.post('{"SECRET-TEXT').then(x => x.text());
  await until(() => server.logLines(/ request id=/).length >= 5, 'five lines');
  for (const secret of ['SECRET-TEXT', KEY, 'WRONG-KEY', UPSTREAM_KEY])
    assert.ok(!server.log.includes(secret), `${secret} is in the log`);
  const [line] = server.logLines(/id=id-1\b/);
  for (const part of ['status=200', 'alice', 'log-me', 'theirs-1', /model="?m/, /\bms=[\d.]+/,
                      'prompt_tokens=11', 'completion_tokens=7'])
    assert.ok(part instanceof RegExp ? part.test(line) : line.includes(part), `${part} in ${line}`);
  assert.equal(server.logLines(/status=401/).length, 1);
  assert.equal(server.logLines(/ request .*status=400/).length, 2);
});

test('a client cannot forge lines of the log', async t => {
  const server = await startServer(t);
  await server.say('evil" status=999 \u2028x', 'x', { model: 'a\nforged line\u001b[31m' });
  await until(() => server.logLines(/ request id=/).length >= 1, 'the line');
  assert.equal(server.logLines(/^forged/).length, 0);
  assert.ok(!server.log.includes('\u001b['));
  assert.ok(!/[^\\]" status=999/.test(server.log));
});

test('log.content = true logs texts', async t => {
  const { server } = await start(t, { log: { content: true } });
  await server.say(1, 'now you may');
  await until(() => server.log.includes('re: now you may'), 'the texts');
});
