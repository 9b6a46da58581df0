// Random faults of two upstreams under load: no request hangs, nothing leaks, and what each client
// got is explained by what the simulators say they did. CHAOS_SECONDS says how long (default 15),
// CHAOS_SEED repeats the script of a run.
import assert from 'node:assert/strict';
import { delay, parseEvents, startServer, test, until, user } from './harness.mjs';
import { startSimulator } from './simulator.mjs';
import { historyOf } from './thread-client.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 15);
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const WORKERS = 40;
const TOTAL = 6_000; // total_timeout and the wait for a busy thread, ms
const WAIT = 5_000; // for a place at the upstreams
const DEADLINE = 2 * TOTAL + WAIT + 4_000;

/** mulberry32: small, seeded, good enough to choose faults. */
function randomFrom(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  return { next, below: n => Math.floor(next() * n), pick: list => list[Math.floor(next() * list.length)] };
}

// What a client may hear of a fault, if nothing helps.
const codes = {
  rate_limit: ['rate_limit_exceeded'],
  server_error: ['upstream_error', 'upstream_timeout'],
  expired_key: ['upstream_auth_failed'],
  forbidden: ['upstream_forbidden', 'upstream_auth_failed'],
  not_found_model: ['model_not_found'],
  bad_request: ['invalid_value'],
  stall: ['upstream_first_token_timeout', 'upstream_idle_timeout'],
  slow_head: ['upstream_first_token_timeout'],
  slow: ['upstream_first_token_timeout', 'upstream_idle_timeout'],
  cut: ['upstream_error', 'upstream_cut'],
  malformed: ['upstream_error'],
  wrong_type: ['upstream_error'],
  error_in_stream: ['upstream_error'],
  no_done: ['upstream_cut'],
  empty: ['upstream_error'],
  tls_failure: ['upstream_error', 'upstream_cut', 'upstream_unreachable'],
};
// What clients hear when no upstream was asked, because all rest after earlier faults.
const resting = ['upstream_unavailable', 'rate_limit_exceeded', 'upstream_auth_failed'];
// Ours: all places at the upstreams are taken, or the thread is busy.
const busy = ['queue_timeout', 'thread_queue_full'];

const randomFault = random => {
  const kind = random.pick(Object.keys(codes));
  const fault = { kind, share: Math.round(5 + random.next() * 55) / 100 };
  if (kind === 'rate_limit') fault.retry_after = random.pick(['200ms', '1s', '3s']);
  if (kind === 'server_error') fault.status = random.pick([500, 502, 503, 504, 529]);
  if (['stall', 'cut', 'malformed', 'error_in_stream'].includes(kind)) fault.after = random.below(6);
  if (kind === 'no_done') fault.after = 1 + random.below(5);
  if (kind === 'cut') fault.reset = random.next() < 0.5;
  if (kind === 'slow_head') fault.delay = '50ms';
  return fault;
};

const randomFaults = random =>
  Array.from({ length: random.below(5) }, () => randomFault(random));

/** One request, from a client that may leave early or read slowly. */
async function takeTurn(server, random, turn) {
  const controller = new AbortController();
  const hung = setTimeout(() => { turn.hung = true; controller.abort(); }, DEADLINE);
  const leaves = random.next() < 0.15;
  const leaving = leaves && setTimeout(() => { turn.left = true; controller.abort(); }, random.below(700));
  try {
    const response = await server.post({ model: 'm', thread_id: turn.thread, stream: turn.stream,
                                         messages: [user(turn.text)] }, { signal: controller.signal });
    turn.request = response.headers.get('x-request-id');
    if (random.next() < 0.1) await delay(random.below(500));
    const raw = await response.text();
    turn.status = response.status;
    const said = turn.stream && response.status === 200 ? parseEvents(raw) : JSON.parse(raw);
    turn.code = said.error?.code;
    turn.answer = said.text ?? said.choices?.[0]?.message.content;
    turn.complete = turn.status === 200 && !turn.code && (turn.stream ? said.done : true);
  } catch (problem) {
    if (!turn.left && !turn.hung) turn.problem = String(problem?.cause ?? problem);
  } finally {
    clearTimeout(hung);
    clearTimeout(leaving);
  }
}

/** Why a turn ended as it did; what is missing is an error. */
function explain(turn, log, faultsSoFar) {
  if (turn.left) return 'left';
  assert.ok(!turn.hung, `hung: ${JSON.stringify(turn)}`);
  assert.ok(!turn.problem, `broken connection: ${JSON.stringify(turn)}`);
  const lines = log.get(turn.request) ?? [];
  if (turn.complete) {
    assert.ok(turn.answer.includes(`"${turn.text}"`), `a strange answer: ${JSON.stringify(turn)}`);
    assert.equal(turn.answer.split('This is turn').length, 2, `two answers in one: ${JSON.stringify(turn)}`);
    // Of an answer without [DONE] or behind a drip, the words are there all the same.
    assert.ok(lines.some(x => ['complete', 'no_done'].includes(x.outcome) || x.status === 200),
              `nobody answered ${JSON.stringify(turn)}`);
    return lines.length > 1 ? 'complete after more than one attempt' : 'complete';
  }
  assert.ok(turn.code, `neither an answer nor an error: ${JSON.stringify(turn)}`);
  if (busy.includes(turn.code)) {
    assert.ok(turn.code === 'queue_timeout' || turn.thread.startsWith('shared'), JSON.stringify(turn));
    return turn.code;
  }
  const possible = lines.flatMap(x => codes[x.kind] ?? []);
  if (faultsSoFar.has('tls_failure')) possible.push(...codes.tls_failure); // seen by no request
  if (faultsSoFar.size > 0) possible.push(...resting);
  assert.ok(possible.includes(turn.code),
            `${JSON.stringify(turn)} is not explained by ${JSON.stringify(lines)}`);
  return turn.code;
}

async function figures(server) {
  await delay(50); // this is asked in loops
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const out = {};
  for (const line of text.split('\n')) {
    const found = /^(\w+)(?:\{([^}]*)\})? (\d+)$/.exec(line);
    if (found) out[found[1]] = (out[found[1]] ?? 0) + Number(found[3]);
  }
  return out;
}

/** What users said in a thread. */
const storedTurns = async (server, thread) => (await historyOf(server, thread) ?? [])
  .filter(x => x.startsWith('user: ')).map(x => x.slice(6));

test(`${SECONDS} s of random faults, seed ${SEED}`, { timeout: (SECONDS + 90) * 1000 }, async t => {
  const random = randomFrom(SEED);
  const model = { first_token_delay: 'uniform(1ms, 60ms)', token_interval: 'uniform(0ms, 8ms)' };
  const simulators = [await startSimulator(t, { model, config: { seed: SEED } }),
                      await startSimulator(t, { model, config: { seed: SEED + 1 } })];
  const limits = { first_token_timeout: '800ms', answer_timeout: '1500ms', idle_timeout: '800ms',
                   total_timeout: `${TOTAL}ms`, idle_connection_timeout: '500ms', max_concurrency: 12 };
  const server = await startServer(t, { env: { FIRST: 'key-aaaa,key-bbbb', SECOND: 'key-cccc' }, config: {
    server: { metrics: true, sse_keepalive: '300ms' },
    threads: { idle_after: '1s', wait_timeout: `${TOTAL}ms`, max_waiting: 8 },
    routing: { wait_timeout: `${WAIT}ms` },
    retry: { base_delay: '20ms', max_delay: '500ms' },
    breaker: { open_time: '300ms', max_open_time: '1s', window: '3s' },
    upstreams: [
      { name: 'first', kind: 'openai', base_url: simulators[0].url, api_key_env: 'FIRST', models: ['m'], ...limits },
      { name: 'second', kind: 'openai', base_url: simulators[1].url, api_key_env: 'SECOND', models: ['m'],
        // Side by side in every other run, else the one is the fall-back of the other.
        priority: SEED % 2, ...limits }],
  } });
  const before = await figures(server);

  const ends = Date.now() + SECONDS * 1000;
  const turns = [];
  const faultsSoFar = new Set();
  const script = (async () => {
    while (Date.now() < ends) {
      const chosen = [randomFaults(random), random.next() < 0.6 ? randomFaults(random) : []];
      for (const fault of chosen.flat()) faultsSoFar.add(fault.kind);
      await Promise.all(simulators.map((x, i) => x.setFaults(chosen[i])));
      await delay(500 + random.below(1500));
    }
    await Promise.all(simulators.map(x => x.setFaults([])));
  })();
  const worker = async number => {
    const own = randomFrom(SEED * 1000 + number);
    for (let i = 0; Date.now() < ends; ++i) {
      const thread = own.next() < 0.2 ? `shared-${own.below(10)}` : `own-${number}-${own.below(20)}`;
      const turn = { thread, stream: own.next() < 0.6, text: `say-${number}-${i}` };
      turns.push(turn);
      await takeTurn(server, own, turn);
      // Refusals come at once: without a pause they would be all of the load.
      if (!turn.complete) await delay(own.below(200));
    }
  };
  await Promise.all([script, ...Array.from({ length: WORKERS }, (_, i) => worker(i))]);

  // Nothing is left of the load, here or there.
  await until(async () => {
    const now = await figures(server);
    return now.lang_agent_turns_in_flight === 0 && now.lang_agent_orders_waiting === 0
      && now.lang_agent_orders_resting === 0 && now.lang_agent_upstream_outstanding === 0;
  }, 'all turns have ended');
  await until(async () => (await Promise.all(simulators.map(x => x.state()))).every(x => x.active === 0),
              'all exchanges have ended');
  // Conversations leave memory after a while; idle clients of the pool stay, up to their bound.
  const most = before.lang_agent_actors + 256;
  await until(async () => (await figures(server)).lang_agent_actors <= most, 'the actors are gone', 30_000);
  await until(async () => (await figures(server)).lang_agent_connections <= before.lang_agent_connections + WORKERS,
              'the connections of clients are gone');
  await until(async () => (await Promise.all(simulators.map(x => x.state()))).every(x => x.connections <= 2),
              'idle connections to upstreams are gone');

  const log = new Map();
  for (const x of (await Promise.all(simulators.map(y => y.keptLog()))).flat())
    if (x.request_id) log.set(x.request_id, [...log.get(x.request_id) ?? [], x]);
  const reasons = {};
  for (const turn of turns) {
    const reason = explain(turn, log, faultsSoFar);
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  t.diagnostic(`${turns.length} turns, seed ${SEED}: ${JSON.stringify(reasons)}`);
  assert.ok(reasons.complete > SECONDS * 2, 'the load got through at times');

  // What was answered is stored, once; what failed is not. Who left may or may not have a turn.
  for (const thread of new Set(turns.map(x => x.thread))) {
    const stored = await storedTurns(server, thread);
    assert.equal(new Set(stored).size, stored.length, `doubled turns in ${thread}`);
    for (const turn of turns.filter(x => x.thread === thread && !x.left))
      assert.equal(stored.includes(turn.text), turn.complete, JSON.stringify(turn));
  }
});
