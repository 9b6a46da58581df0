// The crash test: a server that ends at any moment has lost nothing that it answered, has
// nothing by halves, and a client that asks again gets its turn exactly once.
//
//   CRASH_ROUNDS=50 CRASH_SEED=7 node --test crash.test.mjs
import assert from 'node:assert/strict';
import { delay, start, test, until, user } from './harness.mjs';
import { assertIntact, assertWholeTurns, historyOf, messagesOf, seeded } from './thread-client.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 8);
const SEED = Number(process.env.CRASH_SEED ?? 1);
const THREADS = ['a', 'b', 'c', 'd'];
const CLIENTS = 8;

/** Everything that clients asked for and saw; the moments are counted, not measured. */
class Ledger {
  turns = [];
  moment = 0;
  acknowledged = 0;

  ask(thread, text, stream) {
    const turn = { thread, text, stream, asked: ++this.moment };
    this.turns.push(turn);
    return turn;
  }

  /** The client has seen the whole answer. */
  acknowledge(turn, answer) {
    turn.answer = answer;
    turn.seen = ++this.moment;
    this.acknowledged += 1;
  }

  get open() {
    return this.turns.filter(x => !x.seen);
  }
}

/** One attempt. Lost connections leave the turn open; anything but an answer fails the test. */
async function attempt(ledger, server, turn, retries) {
  const headers = { 'x-stainless-retry-count': String(retries) };
  const body = { thread_id: turn.thread, messages: [user(turn.text)] };
  let answer;
  try {
    answer = turn.stream ? await server.stream(body, { headers })
                         : await server.chat(body, { headers });
  } catch {
    return;
  }
  if (turn.stream && answer.status === 200 && !answer.done && !answer.error) return; // cut
  if (server.signalled && answer.error?.code === 'server_shutting_down') return;
  assert.equal(answer.status, 200, JSON.stringify(answer.error));
  assert.equal(answer.error, undefined);
  ledger.acknowledge(turn, answer.text);
}

async function client(ledger, server, name, random) {
  for (let i = 0; !server.signalled && i < 1000; ++i) {
    const thread = THREADS[Math.floor(random() * THREADS.length)];
    await attempt(ledger, server, ledger.ask(thread, `${name}.${i}`, random() < 0.5), 0);
  }
}

async function checkHistories(ledger, server) {
  for (const thread of THREADS) {
    const history = await historyOf(server, thread) ?? [];
    assertWholeTurns(history, text => `re: ${text} `);
    const places = new Map();
    for (let i = 0; i < history.length; i += 2) {
      assert.ok(!places.has(history[i]), `${history[i]} is there twice`);
      places.set(history[i], i);
    }
    const all = ledger.turns.filter(x => x.thread === thread);
    assert.ok([...places.keys()].every(x => all.some(y => x === `user: ${y.text}`)));
    const seen = all.filter(x => x.seen);
    for (const turn of seen) {
      turn.place = places.get(`user: ${turn.text}`);
      assert.ok(turn.place !== undefined, `${turn.text} was answered and is gone`);
      assert.equal(history[turn.place + 1], `assistant: ${turn.answer}`, 'the answer that was seen');
    }
    // Who asked after another's answer was seen comes after it.
    seen.sort((x, y) => x.place - y.place);
    for (let i = 0, latest = 0; i < seen.length; ++i) {
      assert.ok(seen[i].seen > latest, `${seen[i].text} comes after turns that were asked later`);
      latest = Math.max(latest, seen[i].asked);
    }
    const stored = await messagesOf(server, thread, { limit: 100, superseded: true });
    assert.equal(stored.length, history.length, 'nothing was superseded');
  }
}

const endings = {
  'killed with SIGKILL': { rounds: ROUNDS, end: server => server.kill() },
  'stopped with SIGTERM': { rounds: Math.ceil(ROUNDS / 4), end: server => server.stop() },
};

for (const [name, { rounds, end }] of Object.entries(endings))
  test(`${rounds} times ${name} under load`, { timeout: 60_000 + rounds * 5_000 }, async t => {
    const random = seeded(SEED);
    const ledger = new Ledger();
    let { server, upstream } = await start(t, {}, async x => {
      if (x.number % 3) await delay(x.number % 7);
      await x.answer(`re: ${x.lastText} (answer ${x.number})`);
    });
    let redone = 0;
    for (let round = 0; round < rounds; ++round) {
      const before = ledger.acknowledged;
      const clients = Array.from({ length: CLIENTS }, (_, i) =>
        client(ledger, server, `${round}.${i}`, random));
      const load = Promise.all(clients);
      load.catch(() => {}); // is looked at below
      const enough = Math.floor(random() * 60);
      await until(() => ledger.acknowledged - before >= enough || server.exit, 'turns are answered');
      await delay(random() * 8); // anywhere in a turn
      await end(server);
      await load;
      assertIntact(t, server.dataDir);

      server = await server.restart();
      await checkHistories(ledger, server);
      redone += ledger.open.length;
      await Promise.all(ledger.open.map(turn => attempt(ledger, server, turn, 1)));
      assert.deepEqual(ledger.open, [], 'retries succeed');
      await checkHistories(ledger, server);
    }
    assert.ok(redone > 0 || end === endings['stopped with SIGTERM'].end, 'turns were lost on the way');
    t.diagnostic(`${ledger.acknowledged} turns, ${redone} of them asked for twice, `
                 + `${upstream.requests.length} answers`);
  });
