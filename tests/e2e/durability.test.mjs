// What was answered stays: over restarts, crashes, broken files and full disks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync,
         writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeConfig, makeFolder, run, start, startServer, test, toml, user } from './harness.mjs';
import { assertIntact, assertWholeTurns, call, copyData, databaseOf, historyOf, python, seeded,
         threadPath } from './thread-client.mjs';

const system = content => ({ role: 'system', content });
const answerOf = text => `re: ${text}`;

// -- restarts -------------------------------------------------------------------------------------

const endings = { 'SIGTERM': server => server.stop(), 'kill -9': server => server.kill() };

for (const [name, end] of Object.entries(endings))
  test(`threads, instructions and metadata survive ${name}`, async t => {
    const { server, upstream } = await start(t);
    await server.chat({ thread_id: 'a', messages: [system('be brief'), user('one')] });
    await server.stream({ thread_id: 'a', messages: [user('zwei 🌷')] });
    await server.say('b', 'other');
    await call(server, 'PATCH', threadPath('a'), { body: { metadata: { colour: 'teal' } } });
    const before = (await call(server, 'GET', threadPath('a'))).text;
    await end(server);

    const again = await server.restart();
    assert.equal((await call(again, 'GET', threadPath('a'))).text, before);
    assert.deepEqual(await historyOf(again, 'a'), [
      'user: one', 'assistant: re: one', 'user: zwei 🌷', 'assistant: re: zwei 🌷']);
    assert.equal(JSON.parse(before).metadata.colour, 'teal');
    await again.say('a', 'three');
    await again.say('b', 'more');
    assert.deepEqual(upstream.requests.slice(-2).map(x => x.transcript), [
      ['system: be brief', 'user: one', 'assistant: re: one', 'user: zwei 🌷',
       'assistant: re: zwei 🌷', 'user: three'],
      ['user: other', 'assistant: re: other', 'user: more']]);
    await again.stop();
    assertIntact(t, server.dataDir);
  });

test('a turn that ran when the server was killed is not there afterwards', async t => {
  const { server, upstream } = await start(t);
  await server.say(1, 'kept');
  upstream.once(() => {});
  const lost = server.say(1, 'lost').catch(() => 'lost');
  await upstream.request(1);
  await server.kill();
  assert.equal(await lost, 'lost');
  const again = await server.restart();
  assert.deepEqual(await historyOf(again, 1), ['user: kept', 'assistant: re: kept']);
});

test('--data-dir wins over the config; directories are made, for their owner only', async t => {
  const dataDir = join(makeFolder(t), 'deep', 'er');
  const server = await startServer(t, { args: ['--data-dir', dataDir] });
  await server.say(1, 'here');
  assert.ok(existsSync(databaseOf(dataDir)));
  assert.ok(!existsSync(server.dataDir), 'the directory of the config is not made');
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
});

test('the default data_dir is lang-agent-data in the working directory', async t => {
  const server = await startServer(t, { config: { store: { data_dir: undefined } } });
  assert.match(server.dataDir, /lang-agent-data$/);
  assert.ok(existsSync(databaseOf(server.dataDir)));
});

for (const [name, options] of [['--ephemeral', { args: ['--ephemeral'] }],
                               ['engine = "memory"', { config: { store: { engine: 'memory' } } }]])
  test(`${name}: threads are gone with the process, and no file is made`, async t => {
    const { server } = await start(t, {}, undefined, options);
    await server.say(1, 'one');
    assert.equal((await historyOf(server, 1)).length, 2);
    assert.ok(!existsSync(server.dataDir));
    const again = await server.restart();
    assert.equal(await historyOf(again, 1), undefined);
  });

test('durability = "os" survives kill -9, too', async t => {
  const { server } = await start(t, { store: { durability: 'os' } });
  for (const text of ['one', 'two', 'three']) await server.say(1, text);
  await server.kill();
  assert.equal((await historyOf(await server.restart(), 1)).length, 6);
});

// -- what a server refuses to start on ------------------------------------------------------------

/** Tries to start on a data directory that cannot be used: says why, and changes nothing. */
async function assertRefused(t, dataDir, ...patterns) {
  const out = await run(t, ['--data-dir', dataDir], { config: toml(makeConfig()) });
  assert.equal(out.signal, null, `not by a signal: ${out.stderr}`);
  assert.notEqual(out.code, 0, out.stderr);
  for (const pattern of patterns) assert.match(out.stderr, pattern);
  assert.ok(!out.stderr.includes('listening'), out.stderr);
  assert.ok(out.stderr.trim().split('\n').length <= 3, `short: ${out.stderr}`);
  assert.ok(!/terminate called|std::|what\(\)/.test(out.stderr), out.stderr);
}

test('a second server on the same data_dir ends with a message; the first one goes on', async t => {
  const { server } = await start(t);
  await server.say(1, 'one');
  await assertRefused(t, server.dataDir, /in use by another process/, /data_dir/);
  await server.say(1, 'two');
  assert.equal((await historyOf(server, 1)).length, 4);
  await server.kill();
  // The lock of a killed server is gone with it.
  assert.equal((await historyOf(await server.restart(), 1)).length, 4);
});

test('a data_dir that cannot be made is refused', async t => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'file'), 'I am no directory');
  await assertRefused(t, join(folder, 'file', 'data'), /file\/data/);
  await assertRefused(t, join(folder, 'file'), /file/);
  mkdirSync(join(folder, 'data', 'lang-agent.db'), { recursive: true });
  await assertRefused(t, join(folder, 'data'), /lang-agent\.db/);
  await assertRefused(t, '/proc/lang-agent-data', /\/proc\/lang-agent-data/);
});

test('a read-only file or directory is refused', async t => {
  const { server } = await start(t);
  await server.say(1, 'one');
  await server.stop();
  // Root may write where permissions forbid it, but not into what is immutable.
  const immutable = path => spawnSync('chattr', ['+i', path]).status === 0;
  const file = databaseOf(server.dataDir);
  t.after(() => spawnSync('chattr', ['-i', file, server.dataDir]));
  if (!immutable(file)) return t.skip('the file system knows no immutable files');
  await assertRefused(t, server.dataDir, /lang-agent\.db/, /permission|read-?only/i);
  spawnSync('chattr', ['-i', file]);
  assert.ok(immutable(server.dataDir));
  await assertRefused(t, server.dataDir, /lang-agent\.db/, /permission|can be written|read-?only/i);
  spawnSync('chattr', ['-i', server.dataDir]);
  assert.equal((await historyOf(await server.restart(), 1)).length, 2);
});

/** A data directory whose database file holds these bytes, or what a Python script makes. */
function databaseWith(t, content) {
  const dataDir = makeFolder(t);
  const file = databaseOf(dataDir);
  if (typeof content === 'string')
    python(`import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n${content}\ndb.commit()`, file);
  else writeFileSync(file, content);
  return dataDir;
}

test('files that are no database of ours are refused and left as they are', async t => {
  const random = seeded(1);
  const garbage = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256)));
  const cases = [
    [garbage, /not a database/, /backup/],
    [Buffer.from('hello'), /not a database/],
    ['db.execute("CREATE TABLE notes (text)")', /another program/, /data_dir/],
    ['db.execute("PRAGMA application_id = 77")\ndb.execute("CREATE TABLE x (y)")',
     /another program/],
  ];
  for (const [content, ...patterns] of cases) {
    const dataDir = databaseWith(t, content);
    const before = readFileSync(databaseOf(dataDir));
    await assertRefused(t, dataDir, ...patterns);
    assert.ok(before.equals(readFileSync(databaseOf(dataDir))), `${content} is left as it was`);
  }
});

test('a database of a newer version is refused and left as it is', async t => {
  const { server } = await start(t);
  await server.say(1, 'one');
  await server.stop();
  const set = number => python('import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n'
    + 'print(db.execute("PRAGMA user_version").fetchone()[0])\n'
    + `db.execute("PRAGMA user_version = ${number}")\ndb.commit()`, databaseOf(server.dataDir));
  const version = set(9999);
  await assertRefused(t, server.dataDir, /newer/, /9999/, /data_dir/);
  assert.equal(set(version), '9999');
  assert.equal((await historyOf(await server.restart(), 1)).length, 2);
});

for (const kind of ['openai', 'builtin'])
  test(`a damaged database never crashes a server (${kind})`, async t => {
    const { server } = await start(t, {}, x => x.answer('fine'));
    for (let i = 0; i < 20; ++i) await server.say(`t${i}`, `${i} ${'x'.repeat(3000)}`);
    await server.stop();
    const random = seeded(2);
    for (let round = 0; round < 4; ++round) {
      const dataDir = copyData(t, server.dataDir);
      const bytes = readFileSync(databaseOf(dataDir));
      for (let i = 0; i < 400; ++i) // not in the first page: it tells whose file it is
        bytes[4096 + Math.floor(random() * (bytes.length - 4096))] ^= 1 + Math.floor(random() * 255);
      writeFileSync(databaseOf(dataDir), bytes);
      await useDamaged(t, { dataDir, upstream: kind === 'openai' ? server.options.upstream : undefined });
    }
  });

/** Does what it can; whatever cannot be done is an error of the contract. */
async function useDamaged(t, options) {
  let server;
  try {
    server = await startServer(t, options);
  } catch (error) {
    assert.match(error.message, /malformed|corrupt|backup/i);
    t.servers.at(-1).mayFail = true;
    assert.equal(t.servers.at(-1).exit.signal, null);
    return;
  }
  for (let i = 0; i < 20; ++i) {
    const answer = await server.post({ model: 'm', thread_id: `t${i}`, messages: [user('more')] });
    const text = await answer.text();
    // The built-in model quotes what it was told; when that is damaged, it cannot.
    assert.ok(answer.status === 200 || /storage_unavailable|upstream_error/.test(text), text);
    await call(server, 'GET', threadPath(`t${i}`, '/messages'));
    await call(server, 'GET', threadPath(`t${i}`, '/export')).catch(() => 'cut');
  }
  await call(server, 'GET', '/v1/threads?limit=100');
  assert.equal(server.exit, undefined);
}

test('a write-ahead log that is cut anywhere gives whole turns, in order', async t => {
  const { server } = await start(t);
  const order = [];
  for (let i = 0; i < 24; ++i) {
    const text = `turn ${i} ${'.'.repeat(i * 97)}`;
    order.push([`t${i % 3}`, text]);
    await server.say(`t${i % 3}`, text);
  }
  await server.kill();
  const wal = readFileSync(`${databaseOf(server.dataDir)}-wal`);
  const random = seeded(3);
  const seen = new Set();
  for (const at of [0, 31, wal.length - 1, ...Array.from({ length: 8 }, () =>
    Math.floor(random() * wal.length))]) {
    const dataDir = copyData(t, server.dataDir);
    const file = `${databaseOf(dataDir)}-wal`;
    truncateSync(file, at);
    // What a disk may have left there instead of the end.
    if (at % 2) writeFileSync(file, Buffer.alloc(3000, 0xa5), { flag: 'a' });
    const again = await startServer(t, { dataDir, upstream: server.options.upstream });
    const histories = {};
    for (const id of ['t0', 't1', 't2']) {
      histories[id] = await historyOf(again, id) ?? [];
      assertWholeTurns(histories[id], answerOf);
    }
    const turns = Object.values(histories).flat().length / 2;
    seen.add(turns);
    const expected = { t0: [], t1: [], t2: [] };
    for (const [id, text] of order.slice(0, turns))
      expected[id].push(`user: ${text}`, `assistant: re: ${text}`);
    assert.deepEqual(histories, expected, `cut at ${at} of ${wal.length}`);
    assert.equal(await again.say('t0', 'goes on'), 're: goes on');
    await again.stop();
    assertIntact(t, dataDir);
  }
  assert.ok(seen.size > 4, 'the cuts lie in different turns');
});

test('a full queue to the disk is a 503 that says when to come again', async t => {
  const { server } = await start(t, { store: { max_queued_bytes: '1KiB' } });
  const answered = [];
  let refused = 0;
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const answer = await server.chat({ thread_id: `t${i % 30}`, messages: [user(`${i}`)] });
    if (answer.status === 200) return answered.push([`t${i % 30}`, `user: ${i}`]);
    assert.deepEqual([answer.status, answer.error.code], [503, 'storage_unavailable']);
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    return ++refused;
  }));
  t.diagnostic(`${answered.length} turns, ${refused} refused`);
  assert.ok(answered.length > 0);
  const again = await server.restart({ config: {} });
  for (const [id, line] of answered)
    assert.equal((await historyOf(again, id)).filter(x => x === line).length, 1);
});

// -- a full disk ----------------------------------------------------------------------------------

/** A file system of its own; undefined when that is not allowed here. */
function smallDisk(t, size) {
  const folder = mkdtempSync(join(tmpdir(), 'lang-agent-disk-'));
  const remove = () => rmSync(folder, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder]).status !== 0) {
    remove();
    t.skip('mounting is not allowed here');
    return undefined;
  }
  t.after(async () => {
    await Promise.allSettled(t.servers.map(x => x.stop()));
    spawnSync('umount', ['-l', folder]);
    remove();
  });
  return folder;
}

/** Takes all space that is left; gives it back when the file is removed. */
function ballast(folder) {
  const file = join(folder, 'ballast');
  for (const size of [65536, 4096, 1])
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    }
  return file;
}

test('a full disk fails turns, loses nothing, and heals when space is freed', async t => {
  const disk = smallDisk(t, '4m');
  if (!disk) return;
  const { server } = await start(t, {}, undefined, { dataDir: join(disk, 'data') });
  await server.say('a', 'before');
  const file = ballast(disk);
  const plain = await server.chat({ thread_id: 'a', messages: [user('lost'), user('x'.repeat(9000))] });
  assert.equal(plain.status, 503, plain.raw);
  assert.equal(plain.error.code, 'storage_unavailable');
  assert.equal(plain.error.type, 'service_unavailable_error');
  assert.ok(Number(plain.headers.get('retry-after')) >= 1);
  const streamed = await server.stream({ thread_id: 'b', messages: [user(`lost ${'x'.repeat(9000)}`)] });
  assert.equal(streamed.status, 200);
  assert.equal(streamed.error.code, 'storage_unavailable');
  assert.equal(streamed.done, false);
  const change = await call(server, 'PATCH', threadPath('a'), {
    body: { metadata: { a: 'x'.repeat(512), b: 'x'.repeat(512) } } });
  assert.ok(change.status === 503 || change.status === 200, change.text);
  // Reading goes on.
  assert.deepEqual(await historyOf(server, 'a'), ['user: before', 'assistant: re: before']);
  assert.equal(await historyOf(server, 'b'), undefined);

  rmSync(file);
  await server.say('a', 'after');
  await server.say('b', 'after');
  const expected = ['user: before', 'assistant: re: before', 'user: after', 'assistant: re: after'];
  assert.deepEqual(await historyOf(server, 'a'), expected);
  await server.kill();
  const again = await server.restart();
  assert.deepEqual(await historyOf(again, 'a'), expected);
  assert.deepEqual(await historyOf(again, 'b'), expected.slice(2));
});

test('a load that fills the disk loses nothing that was answered', async t => {
  const disk = smallDisk(t, '2m');
  if (!disk) return;
  const file = join(disk, 'ballast');
  writeFileSync(file, Buffer.alloc(512 * 1024));
  const { server } = await start(t, {}, undefined, { dataDir: join(disk, 'data') });
  const answered = { a: [], b: [], c: [] };
  let failures = 0;
  const client = async (id, name, rounds) => {
    for (let i = 0; i < rounds && failures < 12; ++i) {
      const text = `${name} ${i} ${'y'.repeat(4000)}`;
      const body = { thread_id: id, messages: [user(text)] };
      const answer = i % 2 ? await server.chat(body) : await server.stream(body);
      if (answer.error) {
        assert.equal(answer.error.code, 'storage_unavailable');
        ++failures;
      } else {
        answered[id].push(text);
      }
    }
  };
  const load = (name, rounds) => Promise.all(Object.keys(answered).flatMap(id =>
    ['x', 'y'].map(x => client(id, `${name}${x}`, rounds))));
  await load('full', 1000);
  assert.ok(failures >= 12 && answered.a.length > 3);
  rmSync(file);
  failures = 0;
  await load('freed', 2);
  assert.equal(failures, 0);
  await server.kill();
  const again = await server.restart();
  for (const [id, texts] of Object.entries(answered)) {
    const history = await historyOf(again, id);
    assertWholeTurns(history, answerOf);
    const asked = history.filter((_, i) => i % 2 === 0).map(x => x.slice('user: '.length));
    assert.deepEqual(asked.toSorted(), texts.toSorted(), 'exactly what was answered');
  }
  await again.stop();
  assertIntact(t, server.dataDir);
});

test('a new database on a full disk is an error with advice', async t => {
  const disk = smallDisk(t, '1m');
  if (!disk) return;
  ballast(disk);
  await assertRefused(t, disk, /full|space/i);
});
