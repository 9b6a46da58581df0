// A request that is sent once more never becomes a second turn: it joins the running one, or gets
// the stored answer.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { delay, KEY, start, test, until, user, within } from './harness.mjs';
import { arrived, hello, isReplay, logged, ONE_TURN, RETRY, untilArrived, ways, withKey }
  from './retries.mjs';
import { historyOf } from './thread-client.mjs';
import { chunk, echo, event, gate, usageChunk } from './upstream.mjs';

const clientOf = (server, options) =>
  new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, ...options });

/** Two answers are the same one, whether plain or streamed. */
function assertSame(first, second) {
  const facts = x => {
    const head = x.body ?? x.chunks[0];
    return { status: x.status, id: head.id, created: head.created, model: head.model, text: x.text };
  };
  assert.deepEqual(facts(second), facts(first));
}

/** One request, plain or streamed as its body says. */
const send = (server, body, options) =>
  (body.stream ? server.stream(body, options) : server.chat(body, options));

// -- the official client --------------------------------------------------------------------------

for (const stream of [false, true]) {
  const form = stream ? 'stream' : 'plain';
  const ask = async (server, options) => {
    const sdk = clientOf(server, options);
    const answer = await sdk.chat.completions.create(hello({ stream }));
    if (!stream) return answer.choices[0].message.content;
    let text = '';
    for await (const x of answer) text += x.choices[0]?.delta.content ?? '';
    return text;
  };

  test(`the SDK's retry after a timeout joins the running turn (${form})`, async t => {
    const held = gate();
    const { server, upstream } = await start(t, { threads: { on_disconnect: 'finish' }, ...logged },
                                             held.behaviour);
    const asked = ask(server, { timeout: 400, maxRetries: 8 });
    await untilArrived(server, 2);
    held.open();
    assert.equal(await asked, 're: hello');
    assert.equal(upstream.requests.length, 1);
    assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
  });

  test(`the SDK's retry of a turn that ended meanwhile gets its answer (${form})`, async t => {
    const { server, upstream } = await start(t, { threads: { on_disconnect: 'finish' }, ...logged },
                                             async x => { await delay(700); await echo(x); });
    assert.equal(await ask(server, { timeout: 500, maxRetries: 8 }), 're: hello');
    await until(() => arrived(server) >= 2, 'the client asked more than once');
    assert.equal(upstream.requests.length, 1);
    assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
  });

  test(`with on_disconnect = "cancel" the SDK's retry runs again, and is one turn (${form})`,
       async t => {
    const { server, upstream } = await start(t);
    upstream.once(() => {});
    assert.equal(await ask(server, { timeout: 500, maxRetries: 8 }), 're: hello');
    assert.equal(upstream.requests.length, 2);
    assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
  });
}

test('the SDK\'s retries after faults of the upstream make one turn', async t => {
  const { server, upstream } = await start(t);
  upstream.once(x => x.json({ error: { message: 'boom' } }, 500));
  upstream.once(x => x.cut());
  const answer = await clientOf(server, { maxRetries: 3 }).chat.completions.create(hello());
  assert.equal(answer.choices[0].message.content, 're: hello');
  assert.equal(upstream.requests.length, 3);
  assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
});

// -- joining and replaying ------------------------------------------------------------------------

for (const [name, { first, again }] of Object.entries(ways))
  for (const stream of [false, true]) {
    const form = `${name}, ${stream ? 'stream' : 'plain'}`;
    const body = hello({ stream, stream_options: stream ? { include_usage: true } : undefined });

    test(`a repeat joins the running turn (${form})`, async t => {
      const held = gate();
      const { server, upstream } = await start(t, logged, held.behaviour);
      const asked = [send(server, body, { headers: first })];
      await upstream.request(0);
      asked.push(send(server, body, { headers: again }), send(server, body, { headers: again }));
      await untilArrived(server, 3);
      held.open();
      const [original, ...repeats] = await Promise.all(asked);
      assert.equal(original.text, 're: hello');
      assert.ok(!isReplay(original));
      for (const repeat of repeats) {
        assertSame(original, repeat);
        assert.ok(isReplay(repeat));
      }
      assert.equal(upstream.requests.length, 1);
      assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
    });

    test(`a repeat of a stored turn gets its answer, over restarts, too (${form})`, async t => {
      let { server, upstream } = await start(t);
      const original = await send(server, body, { headers: first });
      await server.say('t', 'something else');
      const check = async () => {
        const repeat = await send(server, body, { headers: again });
        assertSame(original, repeat);
        assert.ok(isReplay(repeat));
        assert.equal(repeat.headers.get('x-thread-id'), 't');
        assert.deepEqual(repeat.body?.usage ?? repeat.chunks.at(-1).usage,
                         original.body?.usage ?? original.chunks.at(-1).usage);
        if (stream) {
          assert.ok(repeat.done);
          assert.match(repeat.headers.get('content-type'), /^text\/event-stream/);
        }
      };
      await check();
      server = await server.restart();
      await check();
      await server.kill();
      server = await server.restart();
      await check();
      assert.equal(upstream.requests.length, 2);
      assert.equal((await historyOf(server, 't')).length, 4);
    });

    test(`the first one leaves, the repeat gets the answer (${form})`, async t => {
      const held = gate();
      const { server, upstream } = await start(t, logged, held.behaviour);
      const abort = new AbortController();
      const left = send(server, body, { headers: first, signal: abort.signal });
      const request = await upstream.request(0);
      const repeats = [1, 2].map(() => send(server, body, { headers: again }));
      await untilArrived(server, 3);
      abort.abort();
      await assert.rejects(left);
      await delay(100); // a cancellation would be on its way by now
      held.open();
      for (const repeat of await Promise.all(repeats)) assert.equal(repeat.text, 're: hello');
      assert.equal(request.failed, undefined);
      assert.equal(upstream.requests.length, 1);
      assert.deepEqual(await historyOf(server, 't'), ONE_TURN);
    });

    test(`when all have left, the upstream is closed and nothing is stored (${form})`, async t => {
      const { server, upstream } = await start(t, logged, () => {});
      const abort = new AbortController();
      const left = [first, again, again].map(headers =>
        send(server, body, { headers, signal: abort.signal }).catch(() => 'left'));
      const request = await upstream.request(0);
      await untilArrived(server, 3);
      abort.abort();
      await within(3_000, request.closed, 'the upstream connection closes');
      assert.deepEqual(await Promise.all(left), ['left', 'left', 'left']);
      assert.equal(await historyOf(server, 't'), undefined);
      assert.equal(upstream.requests.length, 1);
    });
  }

test('a repeat of a turn that waits for its thread joins it there', async t => {
  const held = gate();
  const { server, upstream } = await start(t, logged);
  upstream.once(held.behaviour);
  const busy = server.say('t', 'busy');
  await upstream.request(0);
  const abort = new AbortController();
  const left = server.chat(hello(), { signal: abort.signal });
  await untilArrived(server, 2);
  const repeat = server.chat(hello(), { headers: RETRY });
  await untilArrived(server, 3);
  abort.abort();
  await assert.rejects(left);
  held.open();
  await busy;
  assert.equal((await repeat).text, 're: hello');
  assert.deepEqual(await historyOf(server, 't'), ['user: busy', 'assistant: re: busy', ...ONE_TURN]);
  assert.equal(upstream.requests.length, 2);
});

test('on_busy = "reject" lets a repeat join', async t => {
  const held = gate();
  const { server, upstream } = await start(t, { threads: { on_busy: 'reject' }, ...logged },
                                           held.behaviour);
  const original = server.chat(hello());
  await upstream.request(0);
  const repeat = server.chat(hello(), { headers: RETRY });
  await untilArrived(server, 2);
  assert.equal((await server.chat(hello({ user: 'other' }))).error.code, 'thread_busy');
  held.open();
  assertSame(await original, await repeat);
});

test('the newest of several equal requests is repeated', async t => {
  const { server, upstream } = await start(t, {}, x => x.answer(`answer ${x.number}`));
  for (const n of [0, 1, 2]) assert.equal((await server.chat(hello())).text, `answer ${n}`);
  assert.equal((await server.chat(hello(), { headers: RETRY })).text, 'answer 2');
  assert.equal(upstream.requests.length, 3);
});

test('a repeated stream has everything that the first one had', async t => {
  const call0 = { index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '' } };
  const { server, upstream } = await start(t, {}, async x => {
    await x.begin();
    for (const part of [
      chunk({ role: 'assistant', content: '' }), chunk({ reasoning_content: 'hm ' }),
      chunk({ reasoning_content: 'well' }), chunk({ content: 'first ' }),
      chunk({ content: 'second', refusal: null }, { index: 1 }), chunk({ content: 'Köln 🌷' }),
      chunk({ tool_calls: [call0] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '"\\"ü"}' } }] }),
      chunk({}, { finish_reason: 'tool_calls' }), chunk({}, { index: 1, finish_reason: 'length' }),
      usageChunk(), '[DONE]']) await x.piece(event(part));
    await x.end();
  });
  const body = hello({ n: 2, stream_options: { include_usage: true } });
  const [original, repeat] = [await server.stream(body),
                              await server.stream(body, { headers: RETRY })];
  assert.equal(upstream.requests.length, 1);
  assert.ok(isReplay(repeat) && repeat.done);
  assert.deepEqual(assembled(repeat), assembled(original));
  assert.equal(repeat.chunks.filter(x => x.choices[0]?.delta.role).length, 2, 'one role per choice');
  assert.deepEqual(repeat.chunks.at(-1).choices, []);
  assert.ok(repeat.chunks.slice(0, -1).every(x => x.usage === null));
  // The other form is another body, so another request; a plain one is repeated as it was.
  const plain = await server.chat(hello({ n: 2 }), { headers: RETRY });
  assert.ok(!isReplay(plain));
});

/** The choices of a stream as a client puts them together. */
function assembled({ chunks }) {
  const out = { usage: chunks.at(-1).usage, choices: [] };
  for (const choice of chunks.flatMap(x => x.choices)) {
    const whole = out.choices[choice.index] ??= { content: '', reasoning: '', name: '', args: '' };
    const { delta } = choice;
    whole.content += delta.content ?? '';
    whole.reasoning += delta.reasoning_content ?? '';
    whole.finish ??= choice.finish_reason ?? undefined;
    for (const x of delta.tool_calls ?? []) {
      whole.id ??= x.id;
      whole.name += x.function.name ?? '';
      whole.args += x.function.arguments ?? '';
    }
  }
  return out;
}

test('a stored answer needs no upstream', async t => {
  const { server, upstream } = await start(t);
  const original = await server.chat(hello(), { headers: withKey('k') });
  upstream.behave(x => x.cut());
  assertSame(original, await server.chat(hello(), { headers: withKey('k') }));
  assertSame(original, await server.chat(hello(), { headers: RETRY }));
});
