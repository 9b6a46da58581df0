// The admin API and its commands: tenants and keys that come, change and go while the server runs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary, delay, KEY, run as runToEnd, start, test, toml, until, user } from './harness.mjs';
import { completion, gate } from './upstream.mjs';

const ADMIN = 'admin-key-0123456789';
const admin = { keys: [ADMIN] };

/** One call of the admin API: { status, text, body, error }. */
async function call(server, method, path, body, { key = ADMIN, url = server.url } = {}) {
  const response = await fetch(`${url}/admin/v1${path}`, {
    method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
  });
  const text = await response.text();
  const json = text.startsWith('{') ? JSON.parse(text) : undefined;
  return { status: response.status, text, body: json, error: json?.error, headers: response.headers };
}

/** The same, when it must work: the document. */
async function ok(...args) {
  const answer = await call(...args);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

const ask = (server, key, more = {}) =>
  server.chat({ messages: [user('hi')], thread_id: 't', max_tokens: 10, ...more }, { key });

const put = (server, id, settings = {}) => ok(server, 'PUT', `/tenants/${id}`, settings);
const newKey = (server, tenant, body) => ok(server, 'POST', `/tenants/${tenant}/keys`, body);

test('without an admin key there is no admin API', async t => {
  const { server } = await start(t, {});
  for (const path of ['/tenants', '/usage', '/state'])
    for (const method of ['GET', 'POST'])
      assert.equal((await call(server, method, path)).error.code, 'unknown_url');
});

test('a tenant is made, used, changed and deleted', async t => {
  const { server } = await start(t, { admin });
  const made = await put(server, 'acme', { requests_per_minute: 2, models: ['m'] });
  assert.equal(made.id, 'acme');
  assert.equal(made.source, 'api');
  assert.equal(made.requests_per_minute, 2);
  const key = await newKey(server, 'acme', { label: 'laptop' });
  assert.match(key.key, /^la-[A-Za-z0-9_-]{43}$/);
  assert.equal(key.hint, key.key.slice(-4));
  assert.equal((await ask(server, key.key)).status, 200);
  assert.equal((await ask(server, key.key, { model: 'other' })).status, 404);
  assert.equal((await ask(server, key.key)).status, 200);
  assert.equal((await ask(server, key.key)).error.code, 'rate_limit_exceeded');
  await put(server, 'acme', {});
  assert.equal((await ask(server, key.key)).status, 200, 'the limit is gone');
  assert.deepEqual(await ok(server, 'DELETE', '/tenants/acme'),
                   { id: 'acme', object: 'tenant.deleted', deleted: true });
  assert.equal((await ask(server, key.key)).status, 401);
  assert.equal((await call(server, 'GET', '/tenants/acme')).error.code, 'tenant_not_found');
});

test('the key is shown once and stored nowhere', async t => {
  const { server } = await start(t, { admin, log: { level: 'trace' } });
  await put(server, 'acme');
  const made = await call(server, 'POST', '/tenants/acme/keys', {});
  assert.equal(made.headers.get('cache-control'), 'no-store');
  const secret = made.body.key;
  await ask(server, secret);
  const listed = await call(server, 'GET', '/tenants/acme/keys');
  assert.equal(listed.body.data.length, 1);
  assert.ok(!listed.text.includes(secret));
  assert.ok(!(await call(server, 'GET', '/audit')).text.includes(secret));
  await server.stop();
  assert.ok(!server.log.includes(secret));
  for (const file of ['lang-agent.db', 'lang-agent.db-wal']) {
    let bytes;
    try {
      bytes = readFileSync(join(server.dataDir, file));
    } catch {
      continue;
    }
    assert.ok(!bytes.includes(secret), file);
  }
});

test('tenants, keys and usage are there after a restart', async t => {
  const { server } = await start(t, { admin }, x => x.json(completion({ content: 'ok' }, {}, {
    usage: { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 } })));
  await put(server, 'acme', { tokens_per_day: 100, default_thread: 'inbox', ttl_seconds: 3600 });
  const { key } = await newKey(server, 'acme');
  assert.equal((await ask(server, key)).status, 200);
  const before = await ok(server, 'GET', '/tenants/acme');
  await server.kill();
  const again = await server.restart();
  assert.deepEqual(await ok(again, 'GET', '/tenants/acme'), before);
  assert.equal((await ask(again, key, { thread_id: undefined })).headers.get('x-thread-id'), 'inbox');
  assert.equal((await ask(again, key)).error.code, 'insufficient_quota');
});

test('the config file wins and is not changed by the API', async t => {
  const { server } = await start(t, { admin, tenants: [{ name: 'alice', keys: [KEY], max_turns: 7 }] });
  for (const [method, body] of [['PUT', {}], ['DELETE', undefined]]) {
    const refused = await call(server, method, '/tenants/alice', body);
    assert.equal(refused.status, 409);
    assert.equal(refused.error.code, 'tenant_is_configured');
    assert.equal(refused.headers.get('x-should-retry'), 'false');
  }
  const { data } = await ok(server, 'GET', '/tenants');
  assert.deepEqual(data.map(x => [x.id, x.source, x.max_turns]), [['alice', 'config', 7]]);
  const { key } = await newKey(server, 'alice', { label: 'from the API' });
  assert.equal((await ask(server, key)).status, 200);
  assert.equal((await ask(server, KEY)).status, 200);
  // A tenant of the API gives way to one of the config, and comes back.
  await put(server, 'bob', { max_turns: 5 });
  server.rewrite({ tenants: [{ name: 'alice', keys: [KEY] }, { name: 'bob', keys: ['bob-key'], max_turns: 3 }] });
  await until(() => server.logLines(/config reloaded/).length === 1, 'the config is read');
  assert.equal((await ok(server, 'GET', '/tenants/bob')).max_turns, 3);
  server.rewrite({ tenants: [{ name: 'alice', keys: [KEY] }] });
  await until(() => server.logLines(/config reloaded/).length === 2, 'the config is read');
  assert.equal((await ok(server, 'GET', '/tenants/bob')).max_turns, 5);
});

test('keys of a tenant that the config names no more rest and can be seen', async t => {
  const config = names => ({ tenants: names.map(name => ({ name, keys: [`${name}-key-of-config`] })) });
  const { server } = await start(t, { admin, ...config(['alice', 'bob']) });
  const { id, key } = await newKey(server, 'bob');
  server.rewrite(config(['alice']));
  await until(async () => (await ask(server, key)).status === 401, 'the config is read');
  assert.deepEqual((await ok(server, 'GET', '/tenants/bob/keys')).data.map(x => x.id), [id]);
  assert.equal((await call(server, 'GET', '/tenants/bob')).status, 404);
  await put(server, 'bob');
  assert.equal((await ask(server, key)).status, 200);
  await ok(server, 'DELETE', `/keys/${id}`);
  assert.equal((await ask(server, key)).status, 401);
});

test('keys are disabled, expire, and are deleted', async t => {
  const { server } = await start(t, { admin });
  await put(server, 'acme');
  const { id, key } = await newKey(server, 'acme');
  const change = body => ok(server, 'PATCH', `/keys/${id}`, body);
  assert.equal((await change({ disabled: true })).disabled, true);
  assert.match((await ask(server, key)).error.message, /disabled/);
  await change({ disabled: false, label: 'again' });
  assert.equal((await ask(server, key)).status, 200);
  await change({ expires_at: Math.floor(Date.now() / 1000) - 1 });
  assert.match((await ask(server, key)).error.message, /expired/);
  assert.equal((await call(server, 'PATCH', `/keys/${id}`, { expires_at: 0 })).status, 400);
  assert.equal((await change({ expires_at: null })).expires_at, null);
  assert.equal((await ask(server, key)).status, 200);
  const [listed] = (await ok(server, 'GET', '/tenants/acme/keys')).data;
  assert.equal(listed.label, 'again');
  assert.ok(Math.abs(listed.last_used_at - Date.now() / 1000) < 60, `${listed.last_used_at}`);
  await ok(server, 'DELETE', `/keys/${id}`);
  assert.equal((await ask(server, key)).status, 401);
  assert.equal((await call(server, 'PATCH', `/keys/${id}`, {})).error.code, 'key_not_found');
});

test('a key may have limits of its own', async t => {
  const { server } = await start(t, { admin });
  await put(server, 'acme', { key_limits: { requests_per_minute: 1 } });
  const plain = await newKey(server, 'acme');
  const special = await newKey(server, 'acme', { limits: { requests_per_minute: 3 } });
  assert.equal(plain.limits, null);
  assert.equal(special.limits.requests_per_minute, 3);
  const told = async key => {
    const { status, headers } = await ask(server, key);
    return [status, headers.get('x-ratelimit-limit-requests'), headers.get('x-ratelimit-remaining-requests')];
  };
  assert.deepEqual(await told(plain.key), [200, '1', '0']);
  assert.deepEqual(await told(special.key), [200, '3', '2']);
  await server.kill();
  const again = await server.restart();
  assert.equal((await ask(again, special.key)).headers.get('x-ratelimit-limit-requests'), '3');
  await ok(again, 'PATCH', `/keys/${special.id}`, { limits: null });
  assert.equal((await ask(again, special.key)).headers.get('x-ratelimit-limit-requests'), '1');
  const wrong = await call(again, 'PATCH', `/keys/${special.id}`, { limits: { nonsense: 1 } });
  assert.equal(wrong.error.param, 'limits.nonsense');
});

test('a key rotates with an overlap', async t => {
  const { server } = await start(t, { admin });
  await put(server, 'acme');
  const old = await newKey(server, 'acme', { label: 'ci' });
  const fresh = await ok(server, 'POST', `/keys/${old.id}/rotate`, { overlap_seconds: 2 });
  assert.notEqual(fresh.id, old.id);
  assert.equal(fresh.label, 'ci');
  assert.equal((await ask(server, old.key)).status, 200);
  assert.equal((await ask(server, fresh.key)).status, 200);
  await until(async () => (await ask(server, old.key)).status === 401, 'the old key expires');
  assert.equal((await ask(server, fresh.key)).status, 200);
});

test('keys rotate under load without one failed request', async t => {
  const { server } = await start(t, { admin });
  await put(server, 'acme');
  let current = await newKey(server, 'acme');
  let stop = false;
  let answered = 0;
  const worker = async n => {
    while (!stop) {
      const answer = await ask(server, current.key, { thread_id: `t${n}` });
      assert.equal(answer.status, 200, answer.raw);
      answered += 1;
    }
  };
  const workers = Array.from({ length: 8 }, (_, n) => worker(n));
  for (let i = 0; i < 20; ++i) {
    current = await ok(server, 'POST', `/keys/${current.id}/rotate`, { overlap_seconds: 60 });
    await delay(20);
  }
  stop = true;
  await Promise.all(workers);
  assert.ok(answered > 50, `${answered} answers`);
});

test('wrong keys and wrong bodies are refused', async t => {
  const { server } = await start(t, { admin });
  for (const key of [KEY, 'admin-key', ''])
    assert.equal((await call(server, 'GET', '/tenants', undefined, { key })).status, 401);
  assert.equal((await ask(server, ADMIN)).status, 401, 'an admin key is no key of a tenant');
  const bad = [{ max_turns: -1 }, { max_turns: 1.5 }, { weight: 0 }, { nonsense: 1 }, { models: 'm' }, { models: [''] },
               { key_limits: 3 }, { key_limits: { nonsense: 1 } }, { on_busy: 'panic' }, { cost_per_day: -1 },
               { default_thread: '' }, { ttl_seconds: 'day' }];
  for (const body of bad) {
    const refused = await call(server, 'PUT', '/tenants/acme', body);
    assert.equal(refused.status, 400, JSON.stringify(body));
    assert.ok(refused.error.param, refused.text);
  }
  assert.equal((await call(server, 'PUT', '/tenants/a%2Fb', {})).status, 400);
  assert.equal((await call(server, 'POST', '/tenants/nobody/keys', {})).error.code, 'tenant_not_found');
  assert.deepEqual((await ok(server, 'GET', '/tenants')).data.map(x => x.id), ['alice']);
});

test('every change is in the audit log', async t => {
  const { server } = await start(t, { admin });
  await put(server, 'acme', { max_turns: 3 });
  const { id } = await newKey(server, 'acme');
  await ok(server, 'PATCH', `/keys/${id}`, { disabled: true });
  await put(server, 'other');
  await ok(server, 'DELETE', `/keys/${id}`);
  await ok(server, 'DELETE', '/tenants/acme');
  const entries = (await ok(server, 'GET', '/audit?tenant=acme')).data;
  assert.deepEqual(entries.map(x => [x.action, x.subject]), [
    ['tenant.deleted', 'acme'], ['key.deleted', id], ['key.changed', id], ['key.created', id],
    ['tenant.created', 'acme']]);
  for (const x of entries) {
    assert.match(x.who, /^key_[0-9a-f]{12}$/);
    assert.ok(Math.abs(x.at - Date.now() / 1000) < 60);
  }
  assert.equal(entries.at(-1).detail.max_turns, 3);
  const page = await ok(server, 'GET', '/audit?limit=2');
  assert.equal(page.has_more, true);
  const next = await ok(server, 'GET', `/audit?limit=100&after=${page.data.at(-1).number}`);
  assert.equal(page.data.length + next.data.length, 6);
});

test('usage is told by day, tenant, key and model, as JSON and CSV', async t => {
  const { server, upstream } = await start(t, {
    admin, prices: [{ models: ['*'], prompt: 1000, completion: 2000 }],
    tenants: [{ name: 'alice', keys: [KEY] }, { name: '=bob', keys: ['bob-key'] }] }, x => x.answer('hello'));
  await ask(server, KEY, { model: 'a' });
  await ask(server, KEY, { model: 'a' });
  await ask(server, 'bob-key', { model: 'b' });
  upstream.behave(x => x.json({ error: { message: 'no' } }, 400));
  await ask(server, 'bob-key', { model: 'b' });
  const today = new Date().toISOString().slice(0, 10);
  const { data, has_more } = await ok(server, 'GET', '/usage');
  assert.equal(has_more, false);
  const counts = data.map(x => [x.day, x.tenant, x.model, x.requests, x.failed_requests, x.prompt_tokens,
                                x.completion_tokens, x.cost]);
  assert.deepEqual(counts, [[today, '=bob', 'b', 2, 1, 11, 7, 0.025], [today, 'alice', 'a', 2, 0, 22, 14, 0.05]]);
  const csv = await call(server, 'GET', `/usage?format=csv&tenant=${encodeURIComponent('=bob')}&from=${today}&to=${today}`);
  assert.match(csv.headers.get('content-type'), /^text\/csv/);
  const [head, row, rest] = csv.text.split('\r\n');
  assert.equal(head.split(',').length, 11);
  assert.match(row, new RegExp(`^${today},"'=bob","key_[0-9a-f]{12}","b",2,0,0,1,11,7,0.025000$`));
  assert.equal(rest, '');
  const whole = await call(server, 'GET', '/usage?format=csv');
  assert.equal(whole.text.split('\r\n').length, 4);
  assert.equal((await call(server, 'GET', '/usage?format=csv&limit=1')).text, whole.text, 'a page a row');
  const first = await ok(server, 'GET', '/usage?limit=1');
  assert.equal(first.has_more, true);
  const second = await ok(server, 'GET', `/usage?limit=1&after=${encodeURIComponent(first.next)}`);
  assert.deepEqual([first.data[0].tenant, second.data[0].tenant], ['=bob', 'alice']);
  assert.equal((await ok(server, 'GET', '/usage?to=2000-01-01')).data.length, 0);
  assert.equal((await call(server, 'GET', '/usage?from=yesterday')).status, 400);
});

test('what goes on is told live, and a drain begins', async t => {
  const { behaviour, open } = gate();
  const { server, upstream } = await start(
    t, { admin, upstream: { max_concurrency: 1 } }, behaviour);
  const turns = [ask(server, KEY, { thread_id: 'a' }), ask(server, KEY, { thread_id: 'b' })];
  await upstream.request(0);
  const state = await until(async () => {
    const now = await ok(server, 'GET', '/state');
    return now.waiting_turns === 1 && now;
  }, 'one waits');
  assert.deepEqual(state.tenants.map(x => [x.id, x.turns, x.waiting_turns]), [['alice', 2, 1]]);
  assert.deepEqual(state.upstreams.map(x => [x.name, x.outstanding, x.breaker]), [['main', 1, 'closed']]);
  assert.ok(state.connections >= 3);
  await ok(server, 'POST', '/drain');
  server.signalled = true;
  await until(() => server.logLines(/draining/).length === 1, 'the drain begins');
  open();
  for (const x of await Promise.all(turns)) assert.equal(x.status, 200);
  await server.ended;
  assert.equal(server.exit.code, 0);
});

test('the admin API may have a listener of its own', async t => {
  const { server } = await start(t, { admin: { keys: [ADMIN], listen: '127.0.0.1:0' } });
  const [, port] = await until(() => /listening for admins url=http:\/\/\S+:(\d+)/.exec(server.log), 'it listens');
  const url = `http://127.0.0.1:${port}`;
  assert.equal((await call(server, 'GET', '/tenants', undefined, { url })).status, 200);
  assert.equal((await call(server, 'GET', '/tenants')).status, 404);
  const chat = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(chat.status, 404);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('the commands do the same', async t => {
  const { server } = await start(t, { admin });
  const run = async (args, input = '', env = {}) => {
    const child = spawn(binary, [...args, '--url', server.url],
                        { env: { ...process.env, LANG_AGENT_ADMIN_KEY: ADMIN, ...env } });
    child.stdin.on('error', () => {}).end(input);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', data => { stdout += data; });
    child.stderr.on('data', data => { stderr += data; });
    const [code] = await once(child, 'close');
    return { code, stdout, stderr, json: stdout.startsWith('{') ? JSON.parse(stdout) : undefined };
  };
  assert.equal((await run(['tenants', 'put', 'acme'], '{"max_turns":4}')).json.max_turns, 4);
  assert.deepEqual((await run(['tenants', 'list'])).json.data.map(x => x.id), ['alice', 'acme']);
  const key = (await run(['keys', 'create', 'acme', '--label', 'x y', '--expires', '1h',
                          '--limits', '{"max_turns":9}'])).json;
  assert.equal(key.limits.max_turns, 9);
  assert.ok(Math.abs(key.expires_at - Date.now() / 1000 - 3600) < 60);
  assert.equal((await ask(server, key.key)).status, 200);
  assert.equal((await run(['keys', 'change', key.id, '--disable'])).json.disabled, true);
  assert.equal((await run(['keys', 'change', key.id, '--enable', '--expires', 'never'])).json.expires_at, null);
  const fresh = (await run(['keys', 'rotate', key.id, '--overlap', '1h'])).json;
  assert.equal((await run(['keys', 'list', 'acme'])).json.data.length, 2);
  assert.equal((await run(['keys', 'delete', key.id])).code, 0);
  assert.equal((await ask(server, fresh.key)).status, 200);
  assert.match((await run(['usage', '--tenant', 'acme', '--csv'])).stdout, /"acme"/);
  const missing = await run(['tenants', 'show', 'nobody']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /404: No tenant with id 'nobody'/);
  const noKey = await run(['tenants', 'list'], '', { LANG_AGENT_ADMIN_KEY: '' });
  assert.equal(noKey.code, 1);
  assert.match(noKey.stderr, /LANG_AGENT_ADMIN_KEY/);
  assert.equal((await run(['tenants', 'delete', 'acme'])).code, 0);
});

test('a wrong admin section is an error at the start', async t => {
  for (const [wrong, message] of [
    [{ keys: ['short'] }, /at least 16/], [{ listen: '127.0.0.1:0' }, /no use without a key/],
    [{ keys: ['client-key-alice-long'] }, /they must differ/]]) {
    const config = toml({ admin: wrong, tenants: [{ name: 'alice', keys: ['client-key-alice-long'] }],
                          upstreams: [{ name: 'main', kind: 'builtin' }] });
    const { code, stderr } = await runToEnd(t, [], { config });
    assert.equal(code, 2);
    assert.match(stderr, message);
  }
});
