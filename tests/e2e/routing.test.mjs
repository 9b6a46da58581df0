// Which upstream gets a turn, and what it gets of it.
import assert from 'node:assert/strict';
import { delay, KEY, run, startMany, test, toml, until, user } from './harness.mjs';

const named = name => x => x.answer(`from ${name}`);
const refuse = (status, code, headers = {}) => x =>
  x.json({ error: { message: 'no', type: 't', param: null, code } }, status, headers);

// Failures in these tests must not make an upstream rest, or retries wait.
const calm = {
  breaker: { consecutive_failures: 1000, failure_rate: 1, min_attempts: 1000 },
  retry: { base_delay: '1ms', max_delay: '2s', attempts_per_group: 1, budget: 1 },
};

const ask = (server, model, more = {}, options = {}) =>
  server.chat({ model, messages: [user('hi')], ...more }, options);

const models = async (server, key = KEY) => {
  const response = await fetch(`${server.url}/v1/models`,
                               { headers: { authorization: `Bearer ${key}` } });
  return (await response.json()).data.map(x => x.id);
};

test('a model goes to the upstream that lists it', async t => {
  const { server } = await startMany(t, { ...calm, upstreams: [
    { behaviour: named('a'), models: ['small', 'big'] },
    { behaviour: named('b'), models: ['other'], priority: 1 }] });
  assert.equal((await ask(server, 'small')).text, 'from a');
  assert.equal((await ask(server, 'other')).text, 'from b');
  assert.equal((await ask(server, 'never heard of')).text, 'from a');
  assert.deepEqual(await models(server), ['small', 'big', 'other']);
});

test('an unknown model is refused where the config says so', async t => {
  const { server, upstreams } = await startMany(t, { ...calm,
    routing: { unknown_model: 'refuse' }, upstreams: [{ models: ['small'] }] });
  const answer = await ask(server, 'large');
  assert.equal(answer.status, 404);
  assert.equal(answer.error.code, 'model_not_found');
  assert.equal(answer.error.param, 'model');
  assert.match(answer.error.message, /large/);
  assert.equal(upstreams[0].requests.length, 0);
  assert.equal((await ask(server, 'small')).status, 200);
});

test('routes name groups by pattern and tenant', async t => {
  const { server } = await startMany(t, { ...calm,
    tenants: [{ name: 'alice', keys: [KEY] }, { name: 'bob', keys: ['bob-key'] }],
    routes: [{ models: ['gpt-*'], tenants: ['bob'], upstreams: [['up1']] },
             { models: ['gpt-*', 'best'], upstreams: [['up0']] },
             { models: ['secret'], tenants: ['bob'], upstreams: [['up1']] }],
    upstreams: [{ behaviour: named('a') }, { behaviour: named('b') }] });
  assert.equal((await ask(server, 'gpt-4o')).text, 'from a');
  assert.equal((await ask(server, 'gpt-4o', {}, { key: 'bob-key' })).text, 'from b');
  assert.deepEqual(await models(server), ['best', 'up0', 'up1']);
  assert.deepEqual(await models(server, 'bob-key'), ['best', 'secret', 'up0', 'up1']);
});

test('the upstream is told its own name of a model', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, { ...calm,
    upstreams: [{ model_map: { chat: 'qwen-plus' } }] });
  const answer = await ask(server, 'chat');
  assert.equal(upstream.requests[0].body.model, 'qwen-plus');
  assert.equal(answer.body.model, 'chat');
  await ask(server, 'something-else');
  assert.equal(upstream.requests[1].body.model, 'something-else');
});

for (const stream of [false, true]) {
  const form = stream ? 'a stream' : 'a plain answer';

  test(`a fall-back answers for a failing upstream: ${form}`, async t => {
    const { server, upstreams } = await startMany(t, { ...calm, upstreams: [
      { behaviour: refuse(500), models: ['m'] },
      { behaviour: named('b'), models: ['m'], priority: 1 }] });
    const body = { messages: [user('hi')] };
    const answer = stream ? await server.stream(body) : await server.chat(body);
    assert.equal(answer.text, 'from b');
    assert.equal(answer.headers.get('x-upstream-attempts'), '2');
    assert.deepEqual(upstreams.map(x => x.requests.length), [1, 1]);
    assert.deepEqual(upstreams[1].requests[0].transcript, ['user: hi']);
    // The failed attempt is no part of the thread.
    await server.say(3, 'again');
    assert.deepEqual(upstreams[1].requests[1].transcript,
                     ['user: hi', 'assistant: from b', 'user: again']);
  });
}

test('an error inside a 200 falls back before the client has seen anything', async t => {
  const { server } = await startMany(t, { ...calm, upstreams: [
    { models: ['m'], behaviour: async x => {
      await x.begin();
      await x.piece('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n');
      await x.piece('data: {"error":{"message":"overloaded","type":"server_error"}}\n\n');
      await x.end();
    } },
    { behaviour: named('b'), models: ['m'], priority: 1 }] });
  const answer = await server.stream({ messages: [user('hi')] });
  assert.equal(answer.text, 'from b');
  assert.equal(answer.error, undefined);
  assert.ok(answer.done);
});

test('a failing upstream is asked again before the next group', async t => {
  const { server, upstreams } = await startMany(t, { ...calm,
    retry: { ...calm.retry, attempts_per_group: 3 },
    upstreams: [{ models: ['m'] }, { behaviour: named('b'), models: ['m'], priority: 1 }] });
  upstreams[0].once(x => x.cut());
  upstreams[0].once(refuse(503));
  const answer = await server.chat({ messages: [user('hi')] });
  assert.equal(answer.text, 're: hi');
  assert.equal(answer.headers.get('x-upstream-attempts'), '3');
  assert.equal(upstreams[1].requests.length, 0);
});

test('a key that is refused is replaced at once, set aside and reported', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, { ...calm,
    upstreams: [{ keys: ['first-secret-key', 'second-secret-key'] }] });
  upstream.behave(x => (x.headers.authorization === 'Bearer first-secret-key'
    ? refuse(401, 'invalid_api_key')(x) : named('the second')(x)));
  for (let i = 0; i < 5; ++i)
    assert.equal((await ask(server, 'm')).text, 'from the second');
  const used = upstream.requests.map(x => x.headers.authorization);
  assert.equal(used.filter(x => x === 'Bearer first-secret-key').length, 1);
  assert.equal(server.logLines(/upstream key set aside name=up0 key=1\/2/).length, 1);
  assert.ok(!server.log.includes('secret-key'));
});

test('a key that is used too much cools down', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, { ...calm,
    upstreams: [{ keys: ['key-number-one', 'key-number-two'] }] });
  upstream.behave(refuse(429, 'rate_limit_exceeded', { 'retry-after': '30' }));
  const first = await ask(server, 'm');
  assert.equal(first.status, 429);
  assert.equal(first.headers.get('retry-after'), '30');
  assert.equal(upstream.requests.length, 2); // one with each key
  const second = await ask(server, 'm');
  assert.equal(second.status, 429);
  assert.ok(Number(second.headers.get('retry-after')) >= 28);
  assert.equal(upstream.requests.length, 2);
});

test('an upstream that keeps failing is left alone and tried again', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, {
    breaker: { consecutive_failures: 3, open_time: '1s' }, retry: { max_attempts: 1 },
    upstreams: [{ behaviour: x => x.cut() }] });
  for (let i = 0; i < 3; ++i)
    assert.equal((await ask(server, 'm')).status, 502);
  const refused = await ask(server, 'm');
  assert.equal(refused.status, 503);
  assert.equal(refused.error.code, 'upstream_unavailable');
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(upstream.requests.length, 3);
  upstream.behave(named('a'));
  await new Promise(resolve => setTimeout(resolve, 1100));
  assert.equal((await ask(server, 'm')).text, 'from a');
  assert.equal((await ask(server, 'm')).status, 200);
});

test('a probe finds out that an upstream is back before its time is over', async t => {
  let healthy = false;
  const { server, upstreams: [upstream] } = await startMany(t, {
    breaker: { consecutive_failures: 1, open_time: '10m', max_open_time: '10m' },
    retry: { max_attempts: 1 },
    upstreams: [{ probe_interval: '500ms', behaviour: x => {
      if (x.method === 'GET') return x.json({ object: 'list', data: [] }, healthy ? 200 : 503);
      return healthy ? x.answer('back again') : x.cut();
    } }] });
  assert.equal((await ask(server, 'm')).error.code, 'upstream_error');
  assert.equal((await ask(server, 'm')).error.code, 'upstream_unavailable');
  const probes = () => upstream.requests.filter(x => x.method === 'GET');
  await until(() => probes().length >= 2, 'it is probed again and again');
  assert.equal(probes()[0].path, '/v1/models');
  assert.equal(probes()[0].headers.authorization, 'Bearer key-of-upstream-0');
  assert.equal((await ask(server, 'm')).error.code, 'upstream_unavailable');
  healthy = true;
  await until(async () => (await ask(server, 'm')).text === 'back again', 'it is used again');
  const count = probes().length;
  await delay(2500);
  assert.equal(probes().length, count, 'a healthy upstream is not probed');
});

test('parameters are renamed, dropped with a word, and roles changed', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, { ...calm, upstreams: [{
    parameters: { rename: { max_tokens: 'max_completion_tokens' }, drop: ['logit_bias', 'seed'],
                  instructions: 'developer' } }] });
  const answer = await ask(server, 'm', { max_tokens: 9, seed: 4, logit_bias: { 5: 1 }, top_p: 0.5,
    messages: [{ role: 'system', content: 'be nice' }, user('hi')] });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.headers.get('x-dropped-parameters').split(', ').sort(),
                   ['logit_bias', 'seed']);
  const { body } = upstream.requests[0];
  assert.equal(body.max_completion_tokens, 9);
  assert.deepEqual([body.max_tokens, body.seed, body.logit_bias, body.top_p],
                   [undefined, undefined, undefined, 0.5]);
  assert.equal(body.messages[0].role, 'developer');
  const streamed = await server.stream({ seed: 4, messages: [user('hi')] });
  assert.equal(streamed.headers.get('x-dropped-parameters'), 'seed');
});

test('a parameter that an upstream refuses sends the turn elsewhere or back', async t => {
  const { server } = await startMany(t, { ...calm, upstreams: [
    { behaviour: named('a'), models: ['m', 'only a'], parameters: { refuse: ['audio'] } },
    { behaviour: named('b'), models: ['m'], priority: 1 }] });
  const audio = { audio: { voice: 'alloy', format: 'wav' } };
  assert.equal((await ask(server, 'm')).text, 'from a');
  assert.equal((await ask(server, 'm', audio)).text, 'from b');
  const refused = await ask(server, 'only a', audio);
  assert.equal(refused.status, 400);
  assert.equal(refused.error.param, 'audio');
  assert.equal(refused.error.code, 'unsupported_parameter');
});

test('no request can choose where it goes or with which key', async t => {
  const { server, upstreams: [upstream, other] } = await startMany(t, { ...calm, upstreams: [
    { models: ['m'] }, { models: ['n'] }] });
  const answer = await ask(server, 'm', { base_url: other.url, api_base: other.url, api_key: 'mine',
                                          upstream: 'up1' },
    { headers: { 'x-upstream': 'up1', 'x-base-url': other.url, host: other.authority,
                 'x-api-key': 'mine', 'openai-organization': 'mine' } });
  assert.equal(answer.status, 200);
  assert.equal(other.requests.length, 0);
  const { headers } = upstream.requests[0];
  assert.equal(headers.authorization, 'Bearer key-of-upstream-0');
  assert.equal(headers.host, upstream.authority);
  assert.equal(headers['x-api-key'] ?? headers['openai-organization'], undefined);
});

test('usage is always asked of the upstream and shown as the client asked', async t => {
  const { server, upstreams: [upstream] } = await startMany(t, { ...calm, upstreams: [{}] });
  const plain = await server.stream({ messages: [user('hi')] });
  assert.equal(upstream.requests[0].body.stream_options.include_usage, true);
  assert.ok(plain.chunks.every(x => !x.usage));
  const asked = await server.stream({ messages: [user('hi')], stream_options: { include_usage: true } });
  assert.ok(asked.chunks.at(-1).usage.total_tokens > 0);
  assert.deepEqual(asked.chunks.at(-1).choices, []);
});

test('figures are shown where the config says so', async t => {
  const { server } = await startMany(t, { ...calm, server: { metrics: true }, upstreams: [
    { behaviour: refuse(500), models: ['m'] },
    { behaviour: named('b'), models: ['m'], priority: 1 }] });
  await ask(server, 'm');
  const response = await fetch(`${server.url}/metrics`);
  assert.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n');
  for (const line of ['lang_agent_upstream_failed_total{upstream="up0",code="upstream_error"} 1',
                      'lang_agent_upstream_fallbacks_total{upstream="up0"} 1',
                      'lang_agent_upstream_completed_total{upstream="up1"} 1',
                      'lang_agent_upstream_outstanding{upstream="up1"} 0',
                      'lang_agent_turns_in_flight 0'])
    assert.ok(lines.includes(line), line);
  const { server: quiet } = await startMany(t, { ...calm, upstreams: [{}] });
  assert.equal((await fetch(`${quiet.url}/metrics`)).status, 404);
});

test('configs that make no sense are refused', async t => {
  const upstreams = [{ name: 'a', kind: 'openai', base_url: 'http://127.0.0.1:1/v1' }];
  const tenants = [{ name: 'alice', keys: [KEY] }];
  for (const [config, problem] of [
    [{ routes: [{ models: ['m'], upstreams: [['b']] }] }, /the upstream "b", which is not configured/],
    [{ routes: [{ models: ['m'], upstreams: [[]] }] }, /a group of a route has no upstream/],
    [{ routes: [{ upstreams: [['a']] }] }, /a route names no model/],
    [{ routes: [{ models: ['m'], tenants: ['eve'], upstreams: [['a']] }] }, /the tenant "eve"/],
    [{ retry: { budget: 2 } }, /retry\.budget must be a number between 0 and 1/],
    [{ upstreams: [{ ...upstreams[0], headers: { host: 'x' } }] }, /the header "host" cannot/],
  ]) {
    const out = await run(t, ['--check-config'], { config: toml({ tenants, upstreams, ...config }) });
    assert.equal(out.code, 2);
    assert.match(out.stderr, problem);
  }
});
