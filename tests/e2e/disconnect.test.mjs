// A client that leaves, at every stage of its turn: its upstream sees the connection closed within
// a second, or is never asked, and nothing is stored.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { delay, KEY, SOON, startServer, test, until, user } from './harness.mjs';
import { startSimulator } from './simulator.mjs';

const model = { length: '20', token_interval: '5ms' };

async function startPair(t, { faults = [], config = {}, more = {}, upstream } = {}) {
  const simulator = await startSimulator(t, { model, faults });
  const server = await startServer(t, { config: {
    retry: { base_delay: '2s', max_delay: '2s' }, ...config,
    upstreams: [{ name: 'main', kind: 'openai', base_url: upstream ?? simulator.url, ...more }] } });
  return { server, simulator };
}

/** A request whose client can leave. */
function ask(server, stream, thread_id = 't') {
  const controller = new AbortController();
  const response = server.post({ model: 'm', stream, thread_id, max_tokens: 1_000_000,
                                 messages: [user('hello')] },
                               { signal: controller.signal });
  response.catch(() => {}); // of a client that has left
  return { response, leave: () => controller.abort() };
}

async function assertNothingStored(server, thread = 't') {
  const response = await fetch(`${server.url}/v1/threads/${thread}/messages`,
                               { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(response.status, 404);
}

const active = simulator => simulator.state().then(x => x.active);

// What the upstream does when the client leaves; `deltas` that it has sent by then.
const stages = {
  'before the first byte': { fault: { kind: 'stall' } },
  'while the head drips in': { fault: { kind: 'slow_head', delay: '300ms' } },
  'in the middle of the answer': { fault: { kind: 'stall', after: 3 } },
  'while the answer comes in': { fault: { kind: 'slow', factor: 40 } },
};

for (const [stage, { fault }] of Object.entries(stages))
  for (const stream of [true, false])
    test(`a client leaves ${stage} (${stream ? 'stream' : 'plain'})`, async t => {
      const { server, simulator } = await startPair(t, { faults: [fault] });
      const { leave } = ask(server, stream);
      await until(async () => await active(simulator) === 1, 'the upstream is asked');
      await delay(100); // so that what it sends at first is sent
      const left = Date.now();
      leave();
      const line = await simulator.logged(x => x.outcome === 'client_closed');
      assert.ok(Date.now() - left < SOON, `closed after ${Date.now() - left} ms`);
      assert.equal(line.kind, fault.kind);
      await until(() => server.log.includes('status=499'), 'the turn has ended');
      await assertNothingStored(server);
      assert.equal((await simulator.state()).requests, 1); // it is not asked once more
    });

test('a client leaves while only keep-alive comments have come', async t => {
  const { server, simulator } = await startPair(t, {
    faults: [{ kind: 'stall' }], config: { server: { sse_keepalive: '100ms' } } });
  const { response, leave } = ask(server, true);
  const { value } = await (await response).body.getReader().read();
  assert.match(Buffer.from(value).toString(), /^:/);
  const left = Date.now();
  leave();
  await simulator.logged(x => x.outcome === 'client_closed');
  assert.ok(Date.now() - left < SOON);
  await assertNothingStored(server);
});

test('a client leaves while the TLS handshake with the upstream hangs', async t => {
  const sockets = [];
  const silent = createServer(socket => {
    sockets.push(socket);
    socket.on('error', () => {}).on('close', () => { socket.closedAt = Date.now(); }).resume();
  });
  await new Promise(resolve => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => { for (const x of sockets) x.destroy(); silent.close(); });
  const { server } = await startPair(t, {
    upstream: `https://127.0.0.1:${silent.address().port}/v1`, more: { tls_timeout: '30s' } });
  const { leave } = ask(server, true);
  await until(() => sockets.length === 1, 'the upstream is connected');
  const left = Date.now();
  leave();
  await until(() => sockets[0].closedAt, 'the connection is closed');
  assert.ok(sockets[0].closedAt - left < SOON);
  await assertNothingStored(server);
});

test('a client that stopped reading leaves', async t => {
  const { server, simulator } = await startPair(t, { config: { server: { stream_buffer_bytes: '4KiB' } } });
  await simulator.setModel({ length: '200000' });
  const { response, leave } = ask(server, true);
  await response; // and reads nothing of it
  await delay(300);
  assert.equal(await active(simulator), 1); // held back
  const left = Date.now();
  leave();
  await simulator.logged(x => x.outcome === 'client_closed');
  assert.ok(Date.now() - left < SOON);
  await assertNothingStored(server);
});

test('a client leaves in the pause between two attempts', async t => {
  const { server, simulator } = await startPair(t, { faults: [{ kind: 'server_error', limit: 1, retry_after: '1s' }],
                                                    config: { server: { metrics: true } } });
  const { leave } = ask(server, true);
  const metric = async name => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
  };
  await until(async () => await metric('lang_agent_orders_resting') === 1, 'the turn rests');
  leave();
  await until(async () => await metric('lang_agent_turns_in_flight') === 0, 'the turn has ended');
  assert.equal(await metric('lang_agent_orders_resting'), 0);
  await delay(1500);
  assert.equal((await simulator.state()).requests, 1);
  await assertNothingStored(server);
});

test('a client leaves while it waits for a place at the upstream', async t => {
  const { server, simulator } = await startPair(t, { faults: [{ kind: 'stall' }], more: { max_concurrency: 1 },
                                                    config: { server: { metrics: true } } });
  const first = ask(server, true, 'a');
  await until(async () => await active(simulator) === 1, 'the upstream is asked');
  const second = ask(server, true, 'b');
  await until(async () => /orders_waiting 1/.test(await (await fetch(`${server.url}/metrics`)).text()),
              'the second turn waits');
  second.leave();
  await until(async () => /orders_waiting 0/.test(await (await fetch(`${server.url}/metrics`)).text()),
              'nobody waits');
  first.leave();
  await simulator.logged(x => x.outcome === 'client_closed');
  assert.equal((await simulator.state()).requests, 1);
});

test('a client leaves while it waits for its thread', async t => {
  const { server, simulator } = await startPair(t, { faults: [{ kind: 'stall', limit: 1 }] });
  const first = ask(server, true);
  await until(async () => await active(simulator) === 1, 'the upstream is asked');
  const second = ask(server, true);
  await delay(100); // it has come by then
  second.leave();
  await delay(100);
  first.leave();
  await simulator.logged(x => x.outcome === 'client_closed');
  await until(() => server.logLines(/status=499/).length === 2, 'both turns have ended');
  assert.equal((await simulator.state()).requests, 1);
  await assertNothingStored(server);
});
