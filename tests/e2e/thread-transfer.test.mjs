// Threads go out as JSON Lines and come in again: whole, or not at all.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { KEY, start, startServer, test, until, user } from './harness.mjs';
import { asChunk, open, request } from './raw.mjs';
import { assertIntact, call, exportOf, get, historyOf, importInto, messagesOf, python, databaseOf,
         copyData, threadPath } from './thread-client.mjs';
import { completion } from './upstream.mjs';

const system = content => ({ role: 'system', content });
const assistant = content => ({ role: 'assistant', content });
const tenants = [{ name: 'alice', keys: [KEY] }, { name: 'bob', keys: ['bob-key'] }];
const asBob = { key: 'bob-key' };

const FORMAT = 'lang-agent.thread/1';
const head = (id, more = {}) => ({ id, object: 'thread', format: FORMAT, created_ms: 1, updated_ms: 2,
                                   turns: 1, ...more });
const message = (n, content, more = {}) => ({
  id: `msg_${n}`, object: 'thread.message', created_ms: 5, superseded: false,
  message: content === undefined ? undefined
    : typeof content === 'string' ? (n % 2 ? user(content) : assistant(content)) : content, ...more });
const end = (id, messages) => ({ object: 'thread.end', id, messages });
const lines = list => list.map(x => (typeof x === 'string' ? x : JSON.stringify(x))).join('\n') + '\n';
const small = id => lines([head(id), message(1, 'hi'), message(2, 'ho'), end(id, 2)]);

/** A thread with all that a thread can have. */
async function richThread(server, upstream, id) {
  await server.chat({ thread_id: id, messages: [
    system('rules "quoted"\n\u2028'), { role: 'developer', content: [{ type: 'text', text: 'dev' }] },
    user('one')] });
  await server.say(id, 'to be edited away');
  await server.chat({ thread_id: id, messages: [user('one'), assistant('re: one'), { role: 'user',
    content: [{ type: 'text', text: 'two 🌷' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }], name: 'Ann' }] });
  upstream.once(x => x.json(completion({ reasoning_content: 'let me "think"\n', tool_calls: [{
    id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1.50}' } }] },
                                       { finish_reason: 'tool_calls' })));
  await server.say(id, 'use it');
  await server.chat({ thread_id: id, messages: [{ role: 'tool', tool_call_id: 'c1', content: '42' }] });
  await call(server, 'PATCH', threadPath(id), { body: { metadata: { colour: 'teal', ü: '🌷\n' } } });
}

// -- there and back -------------------------------------------------------------------------------

test('an export says everything, line by line', async t => {
  const { server, upstream } = await start(t);
  await richThread(server, upstream, 'r/1');
  const answer = await call(server, 'GET', threadPath('r/1', '/export'));
  assert.match(answer.headers.get('content-type'), /jsonl/);
  assert.ok(answer.text.endsWith('\n'));
  const parsed = answer.text.trimEnd().split('\n').map(x => JSON.parse(x));
  const [thread, last] = [parsed[0], parsed.at(-1)];
  assert.deepEqual([thread.object, thread.format, thread.id, thread.turns, thread.messages],
                   ['thread', FORMAT, 'r/1', 5, 8]);
  assert.deepEqual(thread.instructions.map(x => x.role), ['system', 'developer']);
  assert.deepEqual(thread.metadata, { colour: 'teal', ü: '🌷\n' });
  assert.deepEqual(last, { object: 'thread.end', id: 'r/1', messages: parsed.length - 2 });
  assert.equal(parsed.filter(x => x.superseded).length, 2);
  const listed = await messagesOf(server, 'r/1', { superseded: 'true' });
  assert.deepEqual(parsed.slice(1, -1).map(x => x.message), listed.map(x => x.message));
  assert.deepEqual(parsed.slice(1, -1).map(x => x.id), listed.map(x => x.id));
  assert.equal(parsed.find(x => x.reasoning_content).reasoning_content, 'let me "think"\n');
});

test('an import makes the same thread for another tenant and on another server', async t => {
  const { server, upstream } = await start(t, { tenants, upstream: { replay_reasoning: true } });
  await richThread(server, upstream, 'r');
  const text = await exportOf(server, 'r');
  const info = await get(server, threadPath('r'));
  const other = await startServer(t, { config: { tenants }, upstream });
  for (const [to, options] of [[server, asBob], [other, {}], [other, asBob]]) {
    const answer = await importInto(to, text, options);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual([answer.body.object, answer.body.data.length], ['list', 1]);
    assert.deepEqual(await get(to, threadPath('r'), options), info);
    assert.equal(await exportOf(to, 'r', options), text);
    assert.deepEqual(await messagesOf(to, 'r', { superseded: 'true' }, options),
                     await messagesOf(server, 'r', { superseded: 'true' }));
  }
  // It goes on like the original.
  await server.say('r', 'next');
  await server.say('r', 'next', {}, asBob);
  assert.deepEqual(upstream.requests.at(-1).body, upstream.requests.at(-2).body);
  const again = await other.restart();
  assert.equal(await exportOf(again, 'r', asBob), text);
});

test('a file of many threads is imported in order', async t => {
  const { server, upstream } = await start(t);
  const ids = Array.from({ length: 30 }, (_, i) => `t/${i}`);
  // Line ends of Windows, empty lines and no line end at the end do not matter.
  const answer = await importInto(server, ids.map(small).join('\r\n\n').trimEnd());
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.body.data.map(x => x.id), ids);
  const [info] = answer.body.data;
  assert.deepEqual([info.object, info.turns, info.messages, info.created_at], ['thread', 1, 2, 0]);
  await server.say('t/7', 'next');
  assert.deepEqual(upstream.requests[0].transcript, ['user: hi', 'assistant: ho', 'user: next']);
});

// -- errors ---------------------------------------------------------------------------------------

const broken = {
  'no JSON': [[head('t'), '{nonsense'], 2, 'invalid_json'],
  'an array': [[head('t'), '[]'], 2, 'invalid_json'],
  'an unknown object': [[head('t'), { object: 'cat' }], 2],
  'a message without thread': [[message(1, 'hi')], 1],
  'another format': [[head('t', { format: 'x/2' })], 1],
  'no format': [[head('t', { format: undefined })], 1],
  'an empty id': [[head('')], 1],
  'an id with a line end': [[head('a\nb')], 1],
  'a time below 0': [[head('t', { created_ms: -1 })], 1],
  'a time far away': [[head('t', { updated_ms: 1e18 })], 1],
  'too much metadata': [[head('t', { metadata: Object.fromEntries(
    Array.from({ length: 17 }, (_, i) => [`n${i}`, ''])) })], 1],
  'metadata of numbers': [[head('t', { metadata: { a: 1 } })], 1],
  'instructions of users': [[head('t', { instructions: [user('x')] })], 1],
  'instructions among messages': [[head('t'), message(1, system('x'))], 2],
  'a message without role': [[head('t'), message(1, { content: 'x' })], 2],
  'a message of an unknown role': [[head('t'), message(1, { role: 'cat', content: 'x' })], 2],
  'no message': [[head('t'), message(1)], 2],
  'an odd message id': [[head('t'), message(1, 'hi', { id: '1' })], 2],
  'reasoning of a user': [[head('t'), message(1, 'hi', { reasoning_content: 'x' })], 2],
  'a thread inside a thread': [[head('t'), head('u')], 2],
  'the end of another thread': [[head('t'), end('u', 0)], 2],
  'a missing message': [[head('t'), message(1, 'hi'), end('t', 2)], 3],
  'one message too many': [[head('t'), message(1, 'hi'), end('t', 0)], 3],
  'two names': [[head('t'), '{"object":"thread.end","object":"thread.end","id":"t","messages":0}'], 2],
  'bytes that are no UTF-8': [[head('t'), Buffer.from('{"object":"\xff"}', 'latin1')], 2, 'invalid_json'],
};

test('a wrong line is named, and nothing of its thread is stored', async t => {
  const { server } = await start(t);
  for (const [name, [list, line, code = null]] of Object.entries(broken)) {
    const bytes = Buffer.concat(list.flatMap(x => [
      Buffer.isBuffer(x) ? x : Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)),
      Buffer.from('\n')]));
    const answer = await importInto(server, bytes);
    assert.equal(answer.status, 400, `${name}: ${answer.text}`);
    assert.equal(answer.error.code, code, name);
    assert.match(answer.error.message, new RegExp(`^line ${line}: `), name);
    assert.equal(answer.error.param, `line ${line}`, name);
  }
  for (const body of ['', '\n\n', lines([head('t')]), lines([head('t'), message(1, 'hi')])])
    assert.equal((await importInto(server, body)).status, 400);
  assert.deepEqual((await get(server, '/v1/threads')).data, []);
  assert.equal((await importInto(server, small('t'))).status, 200);
});

test('threads before a wrong line stay, and the answer tells how many', async t => {
  const { server } = await start(t);
  const answer = await importInto(server, small('a') + small('b') + lines([head('c'), '{']));
  assert.equal(answer.status, 400);
  assert.match(answer.error.message, /^line 10: .*\b2 threads/);
  assert.deepEqual((await get(server, '/v1/threads?order=asc')).data.map(x => x.id), ['a', 'b']);
});

test('an id that is taken is a conflict, and its thread stays as it was', async t => {
  const { server } = await start(t);
  await server.say('t', 'one');
  const before = await exportOf(server, 't');
  for (const body of [small('t'), small('u') + small('u')]) {
    const answer = await importInto(server, body);
    assert.deepEqual([answer.status, answer.error?.code], [409, 'thread_exists']);
  }
  assert.equal(await exportOf(server, 't'), before);
  assert.equal((await historyOf(server, 'u')).length, 2);
});

test('two imports of one id at once: one wins, whole', async t => {
  const { server } = await start(t);
  const file = n => lines([head('t'), ...Array.from({ length: 600 }, (_, i) =>
    message(i + 1, `${n} of ${i}`)), end('t', 600)]);
  const answers = await Promise.all([1, 2, 3, 4].map(n => importInto(server, file(n))));
  assert.deepEqual(answers.map(x => x.status).sort(), [200, 409, 409, 409]);
  const winner = answers.findIndex(x => x.status === 200) + 1;
  const history = await historyOf(server, 't');
  assert.equal(history.length, 600);
  assert.ok(history.every(x => x.includes(`: ${winner} of `)));
});

// -- cut ------------------------------------------------------------------------------------------

/** Rows that are neither of a thread nor waiting to be swept away. */
const leftovers = dataDir => python(`
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
rows = db.execute("SELECT count(*) FROM messages WHERE (id >> 24) NOT IN (SELECT id FROM threads)")
imports = db.execute("SELECT count(*) FROM threads WHERE name LIKE 'import:%' AND tenant = ''")
print(rows.fetchone()[0] + imports.fetchone()[0])`, databaseOf(dataDir));

const long = (count, size = 300) => [head('t'), ...Array.from({ length: count }, (_, i) =>
  message(i + 1, `${i} ${'x'.repeat(size)}`)), end('t', count)];

test('an upload that is cut leaves nothing', async t => {
  const { server } = await start(t);
  const text = lines(long(1500));
  for (const part of [0.1, 0.5, 0.999]) {
    const client = await open(t, server.port);
    await client.send(request('POST', '/v1/threads/import', {
      authorization: `Bearer ${KEY}`, 'content-length': text.length },
    ).toString() + text.slice(0, part * text.length));
    client.destroy();
  }
  await until(() => server.logLines(/import" status=4\d\d/).length === 3, 'the server noticed');
  assert.equal(await historyOf(server, 't'), undefined);
  assert.equal((await importInto(server, text)).status, 200);
  assert.equal((await historyOf(server, 't')).length, 1500);
  await server.stop();
  assertIntact(t, server.dataDir);
  assert.equal(leftovers(copyData(t, server.dataDir)), '0');
});

test('kill -9 in the middle of an import leaves nothing', async t => {
  const { server } = await start(t);
  const text = lines(long(3000));
  const client = await open(t, server.port);
  await client.send(request('POST', '/v1/threads/import', {
    authorization: `Bearer ${KEY}`, 'transfer-encoding': 'chunked' }));
  await client.send(asChunk(text.slice(0, text.length / 2)));
  await server.say('other', 'lets the store work');
  await server.kill();
  const again = await server.restart();
  assert.equal(await historyOf(again, 't'), undefined);
  assert.deepEqual((await get(again, '/v1/threads')).data.map(x => x.id), ['other']);
  assert.equal((await importInto(again, text)).status, 200);
  await again.stop();
  assertIntact(t, server.dataDir);
  assert.equal(leftovers(copyData(t, server.dataDir)), '0');
});

// -- large ----------------------------------------------------------------------------------------

test('a large thread passes through in bounded memory, both ways', async t => {
  const limits = { max_body_bytes: '1MiB' }; // of a line, not of the file
  const { server, upstream } = await start(t, { server: limits, store: { durability: 'os' } });
  for (let i = 0; i < 50; ++i) await server.say('warm', 'x'.repeat(4000));
  const before = server.rss();
  const grown = () => (server.rss() - before) / 2 ** 20;
  const count = 5_000;
  const text = lines(long(count, 9_000)); // 45 MB
  const answer = await importInto(server, text);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.data[0].messages, count);
  assert.ok(grown() < 40, `RSS grew by ${grown()} MiB during the import`);

  const exported = await exportOf(server, 't');
  assert.ok(grown() < 40, `RSS grew by ${grown()} MiB during the export`);
  const strip = x => x.trimEnd().split('\n').slice(1).map(line => JSON.parse(line))
    .map(({ id, message: m, messages }) => ({ id, m, messages }));
  assert.deepEqual(strip(exported), strip(text));

  // A reader that stops: the server waits for it. A turn meanwhile cuts what it gets.
  const socket = connect(server.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(request('GET', '/v1/threads/t/export', { authorization: `Bearer ${KEY}` }));
  for (let i = 0; i < 20; ++i) await server.say('warm', 'meanwhile'); // others are served
  assert.ok(grown() < 40, `RSS grew by ${grown()} MiB behind a reader that reads nothing`);
  await server.say('t', 'next');
  assert.equal(upstream.requests.at(-1).body.messages.length, count + 1);
  let tail = '';
  const ended = new Promise(resolve => socket.on('close', resolve));
  socket.on('data', data => { tail = (tail + data.toString('latin1')).slice(-200); });
  socket.resume();
  await ended;
  assert.ok(!tail.includes('thread.end') && !tail.endsWith('0\r\n\r\n'), `cut: ${tail}`);
});

test('a line above the limit is refused by its number', async t => {
  const { server } = await start(t, { server: { max_body_bytes: '64KiB' } });
  const answer = await importInto(server, lines([head('t'), message(1, 'hi'),
                                                 message(2, 'x'.repeat(300_000)), end('t', 2)]));
  assert.equal(answer.status, 413, answer.text);
  assert.equal(answer.error.code, 'request_too_large');
  assert.match(answer.error.message, /line 3\b/i);
  assert.equal(await historyOf(server, 't'), undefined);
});

test('an export during turns is one moment of the thread, or an error', async t => {
  const { server } = await start(t);
  await server.say('t', 'first');
  let going = true;
  const turns = (async () => {
    for (let i = 0; going; ++i) await server.say('t', `turn ${i}`);
  })();
  const check = text => {
    const parsed = text.trimEnd().split('\n').map(x => JSON.parse(x));
    const [thread, last] = [parsed[0], parsed.at(-1)];
    assert.deepEqual(last, end('t', parsed.length - 2));
    assert.deepEqual([thread.messages, thread.turns], [parsed.length - 2, (parsed.length - 2) / 2],
                     'the first line tells of the messages that follow');
  };
  try {
    for (let i = 0; i < 150; ++i) {
      const answer = await call(server, 'GET', threadPath('t', '/export')).catch(() => undefined);
      if (!answer) continue; // cut
      if (answer.status === 200) check(answer.text);
      else assert.equal(answer.error.code, 'thread_changed');
    }
  } finally {
    going = false;
    await turns;
  }
  check(await exportOf(server, 't'));
});
