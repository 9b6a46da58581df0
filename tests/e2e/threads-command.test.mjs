// `lang-agent threads`: the threads of a running server, and those in a database file.
import assert from 'node:assert/strict';
import { readFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY, makeConfig, makeFolder, run, start, startServer, test, toml, user } from './harness.mjs';
import { call, exportFile, exportOf, historyOf, importInto, threadPath } from './thread-client.mjs';

/** Where the threads are: options for a server that runs, or for the directory of one that does not. */
const online = server => ['--url', server.url, '--key', KEY];
const offline = server => ['--data-dir', server.dataDir, '--tenant', 'alice'];

const threads = (t, action, source, ...more) => run(t, ['threads', action, ...source, ...more]);

async function withThreads(t) {
  const { server } = await start(t);
  await server.say('one', 'first');
  await server.say('one', 'second');
  await server.say('zw\u00f6lf/\u2713', 'other');
  return server;
}

for (const [where, source] of Object.entries({ online, offline })) {
  const ready = async t => {
    const server = await withThreads(t);
    if (where === 'offline') await server.stop();
    return server;
  };

  test(`list shows a table or JSON Lines (${where})`, async t => {
    const server = await ready(t);
    const table = await threads(t, 'list', source(server));
    assert.equal(table.code, 0, table.stderr);
    const [head, ...rows] = table.stdout.trimEnd().split('\n');
    assert.match(head, /^ID +CREATED.*TURNS +MESSAGES +TOKENS$/);
    assert.deepEqual(rows.map(x => x.split(/ {2,}/)).map(x => [x[0], x[3], x[4]]),
                     [['one', '2', '4'], ['zw\u00f6lf/\u2713', '1', '2']]);
    const json = await threads(t, 'list', source(server), '--json');
    const parsed = json.stdout.trimEnd().split('\n').map(x => JSON.parse(x));
    assert.deepEqual(parsed.map(x => [x.id, x.object, x.turns]),
                     [['one', 'thread', 2], ['zw\u00f6lf/\u2713', 'thread', 1]]);
  });

  test(`show prints a conversation (${where})`, async t => {
    const server = await ready(t);
    const { code, stdout } = await threads(t, 'show', source(server), 'one');
    assert.equal(code, 0);
    assert.match(stdout, /thread +one\n[^]*turns +2\n/);
    assert.match(stdout, /msg_1 user\nfirst\n\nmsg_2 assistant\nre: first\n/);
    const missing = await threads(t, 'show', source(server), 'nobody');
    assert.notEqual(missing.code, 0);
    assert.match(missing.stderr, /nobody/);
  });

  test(`export and import move threads as they are (${where})`, async t => {
    const server = await ready(t);
    const file = join(makeFolder(t), 'backup.jsonl');
    const exported = await threads(t, 'export', source(server), '--all', '-o', file);
    assert.equal(exported.code, 0, exported.stderr);
    assert.equal(existsSync(`${file}.part`), false);
    const target = await startServer(t);
    if (where === 'offline') await target.stop();
    const imported = await threads(t, 'import', source(target), file);
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stdout, /^one /m);
    const again = await threads(t, 'export', source(target), '--all');
    assert.equal(again.stdout, readFileSync(file, 'utf8'));
    const twice = await threads(t, 'import', source(target), file);
    assert.notEqual(twice.code, 0);
    assert.match(twice.stderr, /one.*exists already/);
  });

  test(`delete removes what it can and says what it cannot (${where})`, async t => {
    const server = await ready(t);
    const unsure = await threads(t, 'delete', source(server), 'one');
    assert.notEqual(unsure.code, 0);
    assert.match(unsure.stderr, /--yes/);
    const some = await threads(t, 'delete', source(server), 'nobody', 'one', '--yes');
    assert.notEqual(some.code, 0);
    assert.match(some.stderr, /nobody/);
    const left = await threads(t, 'list', source(server), '--json');
    assert.deepEqual(left.stdout.trimEnd().split('\n').map(x => JSON.parse(x).id),
                     ['zw\u00f6lf/\u2713']);
  });

  test(`an export leaves out what is not there, and says so (${where})`, async t => {
    const server = await ready(t);
    const file = join(makeFolder(t), 'some.jsonl');
    writeFileSync(file, 'older');
    const { code, stderr } = await threads(t, 'export', source(server), 'nobody', 'one', '-o', file);
    assert.notEqual(code, 0);
    assert.match(stderr, /nobody/);
    assert.equal(readFileSync(file, 'utf8').split('\n')[0].includes('"id":"one"'), true);
  });
}

test('an import makes the database when there is none', async t => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'some.jsonl'), exportFile('t', 10));
  const source = ['--data-dir', join(folder, 'new'), '--tenant', 'alice'];
  const imported = await threads(t, 'import', source, join(folder, 'some.jsonl'));
  assert.equal(imported.code, 0, imported.stderr);
  assert.match((await threads(t, 'list', source)).stdout, /^t .* 10 /m);
});

test('a database in use is told, and where to ask instead', async t => {
  const server = await withThreads(t);
  const { code, stderr } = await threads(t, 'list', offline(server));
  assert.notEqual(code, 0);
  assert.match(stderr, /in use by another process[^]*--url/);
  assert.equal((await historyOf(server, 'one')).length, 4);
});

test('what is stored cannot command the terminal', async t => {
  const { server } = await start(t);
  await server.say('t', 'bell \u0007 escape \u001b]0;title\u0007 and \u009b31m');
  const { stdout } = await threads(t, 'show', online(server), 't');
  assert.doesNotMatch(stdout, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
});

test('offline commands need no secrets of the config', async t => {
  const server = await withThreads(t);
  await server.stop();
  const config = toml({ ...makeConfig({ store: { data_dir: server.dataDir } }),
                        tenants: [{ name: 'alice', keys_env: 'NOT_SET' }],
                        upstreams: [{ name: 'm', kind: 'openai', base_url: 'http://127.0.0.1:1/v1',
                                      api_key_env: 'NOT_SET' }] });
  const { code, stdout, stderr } = await run(t, ['threads', 'list', '--json'], { config });
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split('\n').length, 2);
});

test('output that cannot be written is an error', async t => {
  const { server } = await start(t);
  await importInto(server, exportFile('t', 10));
  const { code, stderr } = await threads(t, 'export', online(server), 't', '-o', '/dev/full/x');
  assert.notEqual(code, 0);
  assert.match(stderr, /cannot open/);
  assert.equal((await call(server, 'GET', threadPath('t'))).status, 200);
  assert.equal((await exportOf(server, 't')).split('\n').length, 13);
});

test('wrong use is told', async t => {
  assert.match((await run(t, ['threads', '--help'])).stdout, /list[^]*export[^]*import[^]*delete/);
  assert.notEqual((await run(t, ['threads'])).code, 0);
  assert.match((await run(t, ['threads', 'list'])).stderr, /no database[^]*--data-dir[^]*--url/);
  assert.match((await run(t, ['threads', 'show', ''])).stderr, /no thread id/);
  assert.match((await run(t, ['threads', 'list', '--url', 'http://example.com'])).stderr, /--key-env/);
  assert.match((await run(t, ['threads', 'list', '--url', 'nonsense'])).stderr, /--url must look like/);
});
