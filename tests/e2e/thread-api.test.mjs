// Threads as their owners see and change them: lists, messages, metadata, forks, ids of all kinds.
import assert from 'node:assert/strict';
import { KEY, start, startServer, test, user } from './harness.mjs';
import { open, request } from './raw.mjs';
import { call, get, historyOf, listAll, messagesOf, threadPath } from './thread-client.mjs';
import { completion } from './upstream.mjs';

const system = content => ({ role: 'system', content });
const assistant = content => ({ role: 'assistant', content });
const tenants = [{ name: 'alice', keys: [KEY] }, { name: 'bob', keys: ['bob-key'] }];
const asBob = { key: 'bob-key' };

function assertFailure(answer, status, code, param = null) {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.body), ['error']);
  assert.equal(answer.error.code, code);
  assert.equal(answer.error.param, param);
  assert.equal(answer.error.type, 'invalid_request_error');
  assert.ok(answer.headers.get('x-request-id'));
}

/** A thread with a conversation of which a part was edited away. */
async function editedThread(server, id) {
  for (const text of ['one', 'two', 'three']) await server.say(id, text);
  await server.chat({ thread_id: id, messages: [user('one'), assistant('re: one'), user('new two')] });
}

// -- one thread -----------------------------------------------------------------------------------

test('a thread tells what it is', async t => {
  const { server, upstream } = await start(t);
  const began = Math.floor(Date.now() / 1000);
  await server.chat({ thread_id: 'a b', messages: [system('be brief'), user('one')] });
  upstream.once(x => x.json(completion({ content: 'done', reasoning_content: 'hm' })));
  await server.say('a b', 'two');
  const answer = await call(server, 'GET', threadPath('a b'));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  const thread = answer.body;
  assert.deepEqual(Object.keys(thread).sort(), ['created_at', 'id', 'instructions', 'messages',
                                                'metadata', 'object', 'tokens', 'turns',
                                                'updated_at']);
  assert.deepEqual([thread.id, thread.object, thread.turns, thread.messages, thread.metadata],
                   ['a b', 'thread', 2, 4, {}]);
  assert.deepEqual(thread.instructions, [system('be brief')]);
  assert.ok(thread.created_at >= began && thread.updated_at >= thread.created_at);
  assert.ok(thread.updated_at <= Date.now() / 1000 && thread.tokens > 0);

  const messages = await messagesOf(server, 'a b');
  for (const x of messages) {
    const keys = ['id', 'object', 'created_at', 'superseded', 'tokens', 'message'];
    assert.deepEqual(Object.keys(x).slice(0, 6), keys);
    assert.equal(x.object, 'thread.message');
    assert.equal(x.superseded, false);
    assert.ok(x.created_at >= began && Number.isInteger(x.tokens) && x.tokens > 0);
  }
  assert.deepEqual(messages.map(x => x.id), ['msg_1', 'msg_2', 'msg_3', 'msg_4']);
  assert.equal(messages[3].reasoning_content, 'hm');
  assert.equal(messages[3].message.content, 'done');
  assert.deepEqual(messages[0].message, user('one'));
  assert.equal(thread.tokens, messages.reduce((sum, x) => sum + x.tokens, 0));
});

test('superseded messages are shown on request', async t => {
  const { server } = await start(t);
  await editedThread(server, 't');
  const live = ['one', 're: one', 'new two', 're: new two'];
  const text = list => list.map(x => x.message.content);
  assert.deepEqual(text(await messagesOf(server, 't')), live);
  assert.deepEqual(text(await messagesOf(server, 't', { superseded: 'false' })), live);
  const all = await messagesOf(server, 't', { superseded: 'true', limit: 3 });
  assert.deepEqual(text(all), ['one', 're: one', 'two', 're: two', 'three', 're: three', 'new two',
                               're: new two']);
  assert.deepEqual(all.map(x => x.superseded), [false, false, true, true, true, true, false, false]);
  assert.deepEqual(all.map(x => x.id), Array.from({ length: 8 }, (_, i) => `msg_${i + 1}`));
  const backwards = await messagesOf(server, 't', { superseded: 'true', limit: 3, order: 'desc' });
  assert.deepEqual(backwards, all.toReversed());
  const { messages, turns } = await get(server, threadPath('t'));
  assert.deepEqual([messages, turns], [4, 4]);
});

// -- lists ----------------------------------------------------------------------------------------

test('threads are listed newest first, page by page, in both directions', async t => {
  const { server } = await start(t, { tenants });
  assert.deepEqual(await get(server, '/v1/threads'),
                   { object: 'list', data: [], first_id: null, last_id: null, has_more: false });
  const ids = Array.from({ length: 47 }, (_, i) => `t ${i}/ü`);
  for (const id of ids) await server.say(id, 'x');
  await server.say('theirs', 'x', {}, asBob);
  await server.say(ids[0], 'a turn does not change the order');
  const listed = async query => (await listAll(server, '/v1/threads', query)).map(x => x.id);
  for (const limit of [1, 7, 46, 47, 48, 100]) {
    assert.deepEqual(await listed({ limit }), ids.toReversed());
    assert.deepEqual(await listed({ limit, order: 'asc' }), ids);
  }
  assert.deepEqual(await listed({}), ids.toReversed());
  assert.equal((await get(server, '/v1/threads')).data.length, 20);
  const [first] = (await get(server, '/v1/threads?order=asc&limit=1')).data;
  assert.ok(!('instructions' in first));
  assert.equal(first.turns, 2);
  assert.deepEqual((await listAll(server, '/v1/threads', {}, asBob)).map(x => x.id), ['theirs']);
});

test('messages are listed oldest first, page by page, in both directions', async t => {
  const { server } = await start(t);
  for (let i = 0; i < 23; ++i) await server.say('t', `${i}`);
  const ids = Array.from({ length: 46 }, (_, i) => `msg_${i + 1}`);
  for (const limit of [1, 9, 45, 46, 47, 100]) {
    const listed = async query => (await messagesOf(server, 't', query)).map(x => x.id);
    assert.deepEqual(await listed({ limit }), ids);
    assert.deepEqual(await listed({ limit, order: 'desc' }), ids.toReversed());
  }
  assert.equal((await get(server, threadPath('t', '/messages'))).data.length, 20);
  const after = async query =>
    (await get(server, threadPath('t', `/messages?${query}`))).data.map(x => x.id);
  assert.deepEqual(await after('after=msg_44'), ['msg_45', 'msg_46']);
  assert.deepEqual(await after('after=msg_46'), []);
  assert.deepEqual(await after('after=msg_999999'), []);
  assert.deepEqual(await after('after=msg_2&order=desc'), ['msg_1']);
  assert.deepEqual(await after('after=msg_1&order=desc'), []);
});

test('wrong parameters of lists are named, unknown ones ignored', async t => {
  const { server } = await start(t);
  await server.say('t', 'x');
  for (const path of ['/v1/threads', threadPath('t', '/messages')]) {
    for (const [query, param] of [
      ['limit=0', 'limit'], ['limit=101', 'limit'], ['limit=-1', 'limit'], ['limit=x', 'limit'],
      ['limit=', 'limit'], ['limit=1.5', 'limit'], ['limit=99999999999999999999', 'limit'],
      ['order=up', 'order'], ['order=', 'order'], ['after=nobody', 'after'], ['after=%00', 'after'],
      ['after=%ff', 'after']])
      assertFailure(await call(server, 'GET', `${path}?${query}`), 400, null, param);
    for (const query of ['', '&', 'x=1', 'limit=5&&foo', 'after=', '%', 'limit=%31'])
      assert.equal((await call(server, 'GET', `${path}?${query}`)).status, 200, query);
  }
  for (const after of ['msg_', 'msg_01', 'msg_x', 'msg_-1', 'msg_1x', 'MSG_1'])
    assertFailure(await call(server, 'GET', threadPath('t', `/messages?after=${after}`)), 400, null,
                  'after');
  assertFailure(await call(server, 'GET', threadPath('t', '/messages?superseded=yes')), 400, null,
                'superseded');
});

// -- ids ------------------------------------------------------------------------------------------

const oddIds = ['import', 'messages', 'fork', 'export', 'a/b', '/', 'a//b', '100%', 'a%2Fb', '?x=1&y',
                '#h', 'a b', '+', '"q"', '\\', '-7', 'none', '日本/🌷', 'x'.repeat(128),
                '🌷'.repeat(128), 'é', 'e\u0301', ';:@=&$,!*()\'~'];

test('ids of all kinds work in paths', async t => {
  const { server } = await start(t);
  for (const id of oddIds) {
    await server.say(id, `I am ${id}`);
    const thread = await get(server, threadPath(id));
    assert.equal(thread.id, id);
    assert.deepEqual(await historyOf(server, id), [`user: I am ${id}`, `assistant: re: I am ${id}`]);
    const changed = await call(server, 'PATCH', threadPath(id), { body: { metadata: { id } } });
    assert.equal(changed.body.metadata.id, id);
    const exported = await call(server, 'GET', threadPath(id, '/export'));
    assert.equal(JSON.parse(exported.text.split('\n')[0]).id, id);
    assert.equal(decodeURIComponent(exported.headers.get('x-thread-id')), id);
    const fork = await call(server, 'POST', threadPath(id, '/fork'), { body: { } });
    assert.equal(fork.status, 200, fork.text);
    assert.equal((await call(server, 'DELETE', threadPath(fork.body.id))).body.deleted, true);
  }
  const listed = (await listAll(server, '/v1/threads', { order: 'asc', limit: 5 })).map(x => x.id);
  assert.deepEqual(listed, oddIds);
  for (const id of oddIds) {
    const answer = await call(server, 'DELETE', threadPath(id));
    assert.deepEqual(answer.body, { id, object: 'thread.deleted', deleted: true });
  }
});

test('what can be no id is not found, in clean JSON', async t => {
  const { server } = await start(t);
  await server.say('..', 'dots');
  const client = await open(t, server.port);
  const ask = async path => {
    await client.send(request('GET', path, { authorization: `Bearer ${KEY}` }));
    return client.response();
  };
  for (const id of ['%00', '%0A', '%ff', '%c3%28', '%ed%a0%80', '%7f', 'x'.repeat(129), 'nobody',
                    '%e2%80%ae']) {
    for (const rest of ['', '/messages', '/export']) {
      const answer = await ask(`/v1/threads/${id}${rest}`);
      assert.equal(answer.status, 404, id);
      assert.equal(answer.body.error.code, 'thread_not_found');
      new TextDecoder('utf-8', { fatal: true }).decode(answer.bytes);
    }
  }
  assert.equal((await ask('/v1/threads/..')).body.id, '..');
  assert.equal((await ask('/v1/threads/%2e%2E/messages')).body.data.length, 2);
  assert.equal((await ask('/v1/threads/')).body.object, 'list');
  assert.equal((await ask('/v1/threads/a/b')).body.error.code, 'unknown_url');
});

// -- whose it is ----------------------------------------------------------------------------------

const operations = [
  ['GET', ''], ['GET', '/messages'], ['GET', '/export'], ['DELETE', ''], ['POST', '/fork', {}],
  ['PATCH', '', { metadata: { a: 'b' } }]];

test('another tenant\'s thread looks exactly like none', async t => {
  const { server } = await start(t, { tenants });
  await server.say('secret-1', 'mine');
  for (const [method, rest, body] of operations) {
    const [theirs, none] = [await call(server, method, threadPath('secret-1', rest), { ...asBob, body }),
                            await call(server, method, threadPath('secret-2', rest), { ...asBob, body })];
    assertFailure(theirs, 404, 'thread_not_found');
    assert.equal(theirs.text.replaceAll('secret-1', ''), none.text.replaceAll('secret-2', ''));
    assert.deepEqual([...theirs.headers.keys()], [...none.headers.keys()]);
  }
  assertFailure(await call(server, 'GET', '/v1/threads?after=secret-1', asBob), 400, null, 'after');
  // Their own thread of that name is another one.
  await server.say('secret-1', 'bob', {}, asBob);
  assert.equal((await call(server, 'DELETE', threadPath('secret-1'), asBob)).status, 200);
  assert.equal((await historyOf(server, 'secret-1')).length, 2);
});

test('every operation needs a key', async t => {
  const server = await startServer(t);
  for (const [method, rest, body] of [...operations.map(([m, r, b]) => [m, `/t${r}`, b]),
                                      ['GET', ''], ['POST', '/import', { x: 1 }]]) {
    const answer = await call(server, method, `/v1/threads${rest}`, { key: 'wrong', body });
    assertFailure(answer, 401, 'invalid_api_key');
  }
});

test('HEAD, OPTIONS, and what is not allowed', async t => {
  const { server } = await start(t);
  await server.say('t', 'x');
  for (const [path, allow] of [
    ['/v1/threads', ['GET', 'HEAD']], ['/v1/threads/t', ['DELETE', 'GET', 'HEAD', 'PATCH']],
    ['/v1/threads/t/messages', ['GET', 'HEAD']], ['/v1/threads/t/fork', ['POST']],
    ['/v1/threads/t/export', ['GET', 'HEAD']],
    ['/v1/threads/import', ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST']]]) {
    const wrong = await call(server, 'PUT', path);
    assertFailure(wrong, 405, 'method_not_allowed');
    assert.deepEqual(wrong.headers.get('allow').split(', ').sort(), [...allow, 'OPTIONS'].sort());
    const preflight = await call(server, 'OPTIONS', path);
    assert.ok(preflight.status === 200 || preflight.status === 204);
    for (const method of allow)
      assert.ok(preflight.headers.get('access-control-allow-methods').includes(method), method);
    if (!allow.includes('HEAD') || path.endsWith('import')) continue;
    const [whole, head] = [await call(server, 'GET', path), await call(server, 'HEAD', path)];
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.equal(head.headers.get('content-type'), whole.headers.get('content-type'));
  }
  for (const method of ['PATCH', 'POST']) {
    const path = method === 'POST' ? '/v1/threads/t/fork' : '/v1/threads/t';
    const answer = await call(server, method, path, { body: 'x=1',
                                                      headers: { 'content-type': 'text/plain' } });
    assertFailure(answer, 415, 'unsupported_media_type');
  }
});

// -- metadata -------------------------------------------------------------------------------------

test('metadata is merged, null removes, and a change is no turn', async t => {
  const { server } = await start(t);
  await server.say('t', 'x');
  const before = await get(server, threadPath('t'));
  const patch = async metadata => (await call(server, 'PATCH', threadPath('t'),
                                              { body: { metadata } })).body.metadata;
  assert.deepEqual(await patch({ a: '1', b: 'ü 🌷 "\\\n' }), { a: '1', b: 'ü 🌷 "\\\n' });
  assert.deepEqual(await patch({ a: null, c: '', none: null }), { b: 'ü 🌷 "\\\n', c: '' });
  assert.deepEqual(await patch({}), { b: 'ü 🌷 "\\\n', c: '' });
  assert.deepEqual(await get(server, threadPath('t')),
                   { ...before, metadata: { b: 'ü 🌷 "\\\n', c: '' } });
  const again = await server.restart();
  assert.deepEqual((await get(again, threadPath('t'))).metadata, { b: 'ü 🌷 "\\\n', c: '' });
  assert.deepEqual((await get(again, '/v1/threads')).data[0].metadata, { b: 'ü 🌷 "\\\n', c: '' });
});

test('metadata has limits, counted in characters', async t => {
  const { server } = await start(t);
  await server.say('t', 'x');
  const patch = metadata => call(server, 'PATCH', threadPath('t'), { body: { metadata } });
  const pairs = (count, prefix = 'n') =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, 'v']));
  assert.equal((await patch({ ['🌷'.repeat(64)]: '🌷'.repeat(512) })).status, 200);
  for (const [metadata, param] of [
    [{ ['x'.repeat(65)]: 'v' }, 'metadata'], [{ '': 'v' }, 'metadata'],
    [{ a: 'x'.repeat(513) }, 'metadata.a'], [{ a: 1 }, 'metadata.a'], [{ a: {} }, 'metadata.a'],
    [{ a: ['x'] }, 'metadata.a'], [[], 'metadata'], ['x', 'metadata'], [null, 'metadata'],
    [undefined, 'metadata'], [pairs(16), 'metadata'], [pairs(65), 'metadata']])
    assertFailure(await patch(metadata), 400, null, param);
  assert.equal((await patch(pairs(15))).status, 200, '16 in all');
  assertFailure(await patch({ more: 'v' }), 400, null, 'metadata');
  assert.equal((await patch({ n0: null, more: 'v' })).status, 200, 'one goes, one comes');
  for (const body of ['', '[]', '{', '"x"'])
    assertFailure(await call(server, 'PATCH', threadPath('t'), {
      body, headers: { 'content-type': 'application/json' } }), 400, 'invalid_json');
});

// -- forks ----------------------------------------------------------------------------------------

test('a fork has the live history of its source and goes its own way', async t => {
  const { server, upstream } = await start(t);
  await server.chat({ thread_id: 's', messages: [system('rules'), user('zero')] });
  await server.say('s', 'gone');
  await server.chat({ thread_id: 's', messages: [user('zero'), assistant('re: zero'), user('one')] });
  await call(server, 'PATCH', threadPath('s'), { body: { metadata: { a: 'b' } } });
  const source = await get(server, threadPath('s'));
  const fork = await call(server, 'POST', threadPath('s', '/fork'), { body: { id: 'f' } });
  assert.equal(fork.status, 200, fork.text);
  assert.deepEqual({ ...fork.body, id: 's', created_at: 0, updated_at: 0, turns: 0 },
                   { ...source, created_at: 0, updated_at: 0, turns: 0 });
  const history = ['user: zero', 'assistant: re: zero', 'user: one', 'assistant: re: one'];
  assert.deepEqual(await historyOf(server, 'f'), history);
  assert.equal((await messagesOf(server, 'f', { superseded: 'true' })).length, 4);
  await server.say('f', 'fork');
  await server.say('s', 'source');
  assert.deepEqual(upstream.requests.slice(-2).map(x => x.transcript),
                   [['system: rules', ...history, 'user: fork'],
                    ['system: rules', ...history, 'user: source']]);
  await call(server, 'DELETE', threadPath('s'));
  assert.equal((await historyOf(server, 'f')).length, 6);
});

test('a fork ends where it should; ids are made or given', async t => {
  const { server } = await start(t);
  await editedThread(server, 's'); // 3 to 6 are superseded
  const fork = body => call(server, 'POST', threadPath('s', '/fork'), { body });
  const upTo = await fork({ up_to: 'msg_2' });
  assert.match(upTo.body.id, /^thread_/);
  assert.deepEqual(await historyOf(server, upTo.body.id), ['user: one', 'assistant: re: one']);
  assert.equal(upTo.body.turns, 1);
  assert.equal((await fork({ up_to: 'msg_8' })).body.messages, 4);
  assert.equal((await call(server, 'POST', threadPath('s', '/fork'))).status, 200, 'no body');
  for (const up_to of ['msg_3', 'msg_9', 'msg_0', 'msg_99999999999', 'x', 7])
    assertFailure(await fork({ up_to }), 400, null, 'up_to');
  assert.equal((await fork({ id: 42 })).body.id, '42');
  assertFailure(await fork({ id: '42' }), 409, 'thread_exists');
  assertFailure(await fork({ id: 's' }), 409, 'thread_exists');
  for (const id of ['', 'x'.repeat(129), 'a\nb', 1.5, true, {}])
    assertFailure(await fork({ id }), 400, null, 'id');
  await server.say(42, 'more');
  assert.equal((await historyOf(server, '42')).length, 6);
  // The ids that were made are all different.
  const made = await Promise.all(Array.from({ length: 20 }, () => fork({})));
  assert.equal(new Set(made.map(x => x.body.id)).size, 20);
});
