// Every fault of an upstream, for streams and plain answers, with and without a fall-back: what the
// client sees, what is stored, what is tried again, how long it takes. The table that comes of it
// is kept in docs/fault-matrix.md; UPDATE_DOCS=1 writes it anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KEY, startServer, test, until, user } from './harness.mjs';
import { startSimulator } from './simulator.mjs';

const document = fileURLToPath(new URL('../../docs/fault-matrix.md', import.meta.url));
const WORDS = 20;
const TIMEOUT = 500; // ms, of every wait for the upstream

const AGAIN = 2; // attempts in a group
// What becomes of a fault before the client has seen anything: status and code that a client gets
// when nobody else answers, and attempts at the upstream before that.
const error = (status, code, attempts = AGAIN) => ({ status, code, attempts });
const passed = (status, code) => ({ ...error(status, code, 1), final: true });
// An upstream that asks to wait is asked again only if nobody else is there.
const waits = (status, code) => ({ ...error(status, code), waits: true });
// A fault in the middle: streams have begun, plain answers have not.
const midway = (code, { plain = error(502, code), ...more } = {}) =>
  ({ stream: { status: 200, code, attempts: 1, begun: true, final: true }, plain, ...more });

const late = error(504, 'upstream_first_token_timeout', 1);

const faults = {
  'HTTP 429, retry-after 1 s': [{ kind: 'rate_limit', retry_after: '1s' }, waits(429, 'rate_limit_exceeded')],
  'HTTP 429, retry-after 30 s': [{ kind: 'rate_limit', retry_after: '30s' }, error(429, 'rate_limit_exceeded', 1)],
  'HTTP 500': [{ kind: 'server_error', status: 500 }, error(502, 'upstream_error')],
  'HTTP 503, retry-after 1 s': [{ kind: 'server_error', status: 503, retry_after: '1s' }, waits(502, 'upstream_error')],
  'HTTP 504': [{ kind: 'server_error', status: 504 }, error(504, 'upstream_timeout', 1)],
  'HTTP 401, expired key': [{ kind: 'expired_key' }, error(502, 'upstream_auth_failed', 1)],
  'HTTP 403': [{ kind: 'forbidden' }, error(403, 'upstream_forbidden', 1)],
  'HTTP 404, no such model': [{ kind: 'not_found_model' }, passed(404, 'model_not_found')],
  'HTTP 400, context too long': [{ kind: 'context_too_long' }, passed(400, 'context_length_exceeded')],
  'HTTP 400': [{ kind: 'bad_request' }, passed(400, 'invalid_value')],
  'no TLS': [{ kind: 'tls_failure' }, error(502, 'upstream_tls_failed', 1)],
  'no byte of an answer': [{ kind: 'stall' }, late],
  'a head that drips': [{ kind: 'slow_head', delay: '100ms' },
                        { stream: late, plain: error(200, undefined, 1) }],
  'silence after 3 deltas': [{ kind: 'stall', after: 3 },
    midway('upstream_idle_timeout', { plain: error(504, 'upstream_idle_timeout', 1) })],
  'closed before the head': [{ kind: 'cut' }, error(502, 'upstream_error')],
  'reset before the head': [{ kind: 'cut', reset: true }, error(502, 'upstream_error')],
  'closed after 3 deltas': [{ kind: 'cut', after: 3 }, midway('upstream_cut')],
  'reset after 3 deltas': [{ kind: 'cut', after: 3, reset: true }, midway('upstream_cut')],
  'an event that is no JSON': [{ kind: 'malformed' }, error(502, 'upstream_error')],
  '... after 3 deltas': [{ kind: 'malformed', after: 3 }, midway('upstream_error')],
  'an error inside a 200': [{ kind: 'error_in_stream' }, error(502, 'upstream_error')],
  '... after 3 deltas ': [{ kind: 'error_in_stream', after: 3 }, midway('upstream_error')],
  'an end without [DONE]': [{ kind: 'no_done', after: 3 },
                            midway('upstream_cut', { plain: error(200, undefined, 1) })],
  'no choices': [{ kind: 'empty' }, error(502, 'upstream_error')],
  'HTML': [{ kind: 'wrong_type' }, error(502, 'upstream_error')],
  'slow, but in time': [{ kind: 'slow', factor: 5 }, error(200, undefined, 1)],
};

// -- one case -----------------------------------------------------------------------------------

async function startCase(t, broken, healthy) {
  const limits = { connect_timeout: `${TIMEOUT}ms`, tls_timeout: `${TIMEOUT}ms`,
                   first_token_timeout: `${TIMEOUT}ms`, answer_timeout: `${TIMEOUT}ms`,
                   idle_timeout: `${TIMEOUT}ms` };
  const upstream = (name, x) => ({ name, kind: 'openai', base_url: x.url, models: [name],
                                   api_key_env: 'TEST_UPSTREAM_KEY', ca_file: x.tls?.cert, ...limits });
  return startServer(t, { config: {
    upstreams: [upstream('broken', broken), upstream('healthy', healthy)],
    routes: [{ models: ['alone'], upstreams: [['broken']] },
             { models: ['both'], upstreams: [['broken'], ['healthy']] }],
    retry: { attempts_per_group: AGAIN, base_delay: '20ms', max_delay: '2s', budget: 1 },
    breaker: { consecutive_failures: 1000, failure_rate: 1, min_attempts: 1000 },
    threads: { retry_with_less_context: false },
  } });
}

/** Answer, error and stored messages of one turn, as its client sees them. */
async function takeTurn(server, stream, model) {
  const body = { model, thread_id: 't', messages: [user('hello')],
                 ...(stream && { stream_options: { include_usage: true } }) };
  const began = performance.now();
  const answer = stream ? await server.stream(body) : await server.chat(body);
  const ms = performance.now() - began;
  const stored = await fetch(`${server.url}/v1/threads/t/messages`,
                             { headers: { authorization: `Bearer ${KEY}` } });
  return {
    status: answer.status, ms,
    code: (answer.status === 200 ? answer.error : JSON.parse(answer.raw).error)?.code,
    words: (answer.text ?? '').split(' ').filter(Boolean).length,
    done: stream ? answer.done : answer.status === 200,
    stored: stored.status === 404 ? 0 : (await stored.json()).data.length,
    request: answer.headers.get('x-request-id'),
  };
}

/** Attempts of a request, as the simulators saw them. */
const attempts = async (simulator, request) =>
  (await simulator.keptLog()).filter(x => x.request_id === request).length;

/** Without TLS there are no requests, not even for the log: what has been printed counts. */
async function failedHandshakes(simulator, before, wanted) {
  const count = () => simulator.log.filter(x => x.kind === 'tls_failure').length - before;
  await until(() => count() >= wanted, 'the simulator has printed its line');
  return count();
}

function expectation(expected, stream, fallBack) {
  const base = (stream ? expected.stream : expected.plain) ?? expected;
  const answered = base.status === 200 && !base.begun;
  if (!fallBack || base.final || answered)
    return { ...base, second: 0, stored: answered ? 2 : 0, whole: answered };
  return { status: 200, code: undefined, attempts: base.waits ? 1 : base.attempts, second: 1, stored: 2, whole: true };
}

const rows = [];

for (const [name, [fault, expected]] of Object.entries(faults)) {
  test(`a fault of the upstream: ${name}`, async t => {
    const broken = await startSimulator(t, {
      model: { token_interval: '5ms', length: String(WORDS) }, faults: [fault],
      tls: fault.kind === 'tls_failure' });
    const healthy = await startSimulator(t, { model: { length: String(WORDS) } });
    for (const stream of [true, false])
      for (const fallBack of [false, true]) {
        const server = await startCase(t, broken, healthy);
        const before = broken.log.length;
        const seen = await takeTurn(server, stream, fallBack ? 'both' : 'alone');
        const want = expectation(expected, stream, fallBack);
        const what = `${name}, ${stream ? 'stream' : 'plain'}, ${fallBack ? 'fall-back' : 'alone'}`;
        const first = fault.kind === 'tls_failure'
          ? await failedHandshakes(broken, before, want.attempts)
          : await attempts(broken, seen.request);
        const second = await attempts(healthy, seen.request);
        assert.deepEqual(
          { status: seen.status, code: seen.code, stored: seen.stored, first, second },
          { status: want.status, code: want.code, stored: want.stored, first: want.attempts,
            second: want.second }, what);
        assert.equal(seen.done, want.whole, `${what}: [DONE] or a 200`);
        if (want.whole) assert.equal(seen.words, WORDS, what);
        else assert.ok(seen.words < WORDS, what);
        // Every wait has its limit, and the longest pause is the one that was asked for.
        assert.ok(seen.ms < want.attempts * (TIMEOUT + 1000) + 2000, `${what} took ${seen.ms} ms`);
        rows.push({ name, stream, fallBack, seen, first, second });
        await server.stop();
      }
  });
}

// -- the table ----------------------------------------------------------------------------------

function sight({ seen, stream }) {
  if (seen.code === undefined) return `${seen.status}, the whole answer`;
  if (stream && seen.status === 200) return `200, then \`${seen.code}\` in the stream, no \`[DONE]\``;
  return `${seen.status} \`${seen.code}\``;
}

const cells = x => [x.name.trim(), x.stream ? 'stream' : 'plain', x.fallBack ? 'yes' : 'no', sight(x),
                    x.seen.stored ? 'the turn' : 'nothing', `${x.first} + ${x.second}`];

const table = () => [
  '| fault | form | fall-back | the client sees | stored | attempts: upstream + fall-back | took, ms |',
  '|---|---|---|---|---|---|---|',
  ...rows.map(x => `| ${cells(x).join(' | ')} | ${Math.round(x.seen.ms)} |`), ''].join('\n');

const introduction = `# What clients see of an upstream's faults

Made by \`tests/e2e/fault-matrix.test.mjs\` (\`UPDATE_DOCS=1 node --test\` writes it anew), against \`lang-agent simulate\`: one
upstream with the fault, and a healthy one as fall-back or none. Time limits are ${TIMEOUT} ms, \`retry.attempts_per_group\` is ${AGAIN}. The
times are of one run on a small, busy machine; all else is checked by each run of the tests.

`;

after(() => {
  if (rows.length !== Object.keys(faults).length * 4) return; // its test has failed already
  console.log(table());
  if (process.env.UPDATE_DOCS) writeFileSync(document, introduction + table());
});

test('the table in the documentation is that of this run', () => {
  if (process.env.UPDATE_DOCS || rows.length !== Object.keys(faults).length * 4) return;
  const kept = readFileSync(document, 'utf8').split('\n').filter(line => line.startsWith('| '))
    .slice(1).map(line => line.split(' | ').slice(0, -1).join(' | ').replace(/^\| /, ''));
  assert.deepEqual(kept, rows.map(x => cells(x).join(' | ')),
                   'run this test with UPDATE_DOCS=1 and look at what has changed');
});
