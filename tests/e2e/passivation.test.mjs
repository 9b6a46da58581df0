// Conversations leave memory and come back as they were.
import assert from 'node:assert/strict';
import { assistant, delay, start, test, user } from './harness.mjs';
import { historyOf, messagesOf } from './thread-client.mjs';

const system = content => ({ role: 'system', content });

/** Conversations leave after a moment; a pause that is too short can only miss a fault. */
const restless = (more = {}) => ({ threads: { idle_after: '20ms', ...more } });
const pause = () => delay(100);

test('an idle conversation leaves, and comes back with all it had', async t => {
  const { server, upstream } = await start(t, restless());
  await server.chat({ thread_id: 1, messages: [system('be brief'), user('one')] });
  await pause();
  await server.say(1, 'two');
  await pause();
  await server.stream({ thread_id: 1, messages: [user('three')] });
  assert.deepEqual(upstream.requests[2].transcript, [
    'system: be brief', 'user: one', 'assistant: re: one', 'user: two', 'assistant: re: two',
    'user: three']);
});

test('turns and departures at once lose and double nothing', async t => {
  const { server } = await start(t, restless({ idle_after: '10ms' }));
  const threads = Array.from({ length: 20 }, (_, i) => `t${i}`);
  await Promise.all(threads.map(async (id, i) => {
    for (let n = 0; n < 12; ++n) {
      assert.equal(await server.say(id, `${n}`), `re: ${n}`);
      await delay((i * 7 + n * 5) % 23); // before, at and after the moment of leaving
    }
  }));
  const expected = Array.from({ length: 12 }, (_, n) => [`user: ${n}`, `assistant: re: ${n}`]).flat();
  for (const id of threads) assert.deepEqual(await historyOf(server, id), expected);
});

test('a conversation with a running turn stays', async t => {
  const { server, upstream } = await start(t, restless());
  await server.say(1, 'one');
  upstream.once(async x => { await pause(); await x.answer('slow'); });
  assert.equal(await server.say(1, 'two'), 'slow');
  await server.say(1, 'three');
  assert.equal(upstream.requests[2].transcript.length, 5);
});

test('a client that resends everything, edits or regenerates after a pause', async t => {
  for (const limit of [0, 4]) {
    const { server, upstream } = await start(t, restless({ max_context_messages: limit }),
                                             x => x.answer(`answer ${x.number}`));
    const messages = [];
    for (let n = 0; n < 6; ++n) {
      messages.push(user(`turn ${n}`));
      const answer = await server.chat({ thread_id: 1, messages });
      messages.push(answer.body.choices[0].message);
      await pause();
    }
    const lines = messages.map(x => `${x.role}: ${x.content}`);
    assert.deepEqual(await historyOf(server, 1), lines, 'nothing is there twice');
    assert.ok(!limit || upstream.requests.at(-1).body.messages.length <= 5);

    // Edited in the middle: what followed it goes.
    const edited = [...messages.slice(0, 4), user('edited')];
    assert.equal((await server.chat({ thread_id: 1, messages: edited })).status, 200);
    assert.deepEqual(await historyOf(server, 1),
                     [...lines.slice(0, 4), 'user: edited', 'assistant: answer 6']);
    await pause();
    // Regenerated.
    await server.chat({ thread_id: 1, messages: edited });
    assert.deepEqual(await historyOf(server, 1),
                     [...lines.slice(0, 4), 'user: edited', 'assistant: answer 7']);
    await pause();
    // The end of the conversation and something new: an overlap.
    await server.chat({ thread_id: 1, messages: [user('edited'), assistant('answer 7'),
                                                 user('last')] });
    assert.deepEqual((await historyOf(server, 1)).slice(4), [
      'user: edited', 'assistant: answer 7', 'user: last', 'assistant: answer 8']);
  }
});

test('a budget gives the same prompts whether the thread was in memory or not', async t => {
  const prompts = [];
  for (const idle_after of ['20ms', '5m']) {
    const { server, upstream } = await start(t, { threads: { idle_after, max_context_messages: 5 } });
    const sizes = [];
    for (let n = 0; n < 12; ++n) {
      const messages = n === 0 ? [system('rules'), user('turn 0')] : [user(`turn ${n}`)];
      const answer = await server.chat({ thread_id: 1, messages });
      sizes.push(answer.headers.get('x-context-messages'));
      if (n % 3 === 2) await (idle_after === '20ms' ? pause() : undefined);
    }
    prompts.push({ sizes, transcripts: upstream.requests.map(x => x.transcript) });
    const last = upstream.requests.at(-1).transcript;
    assert.deepEqual([last[0], last.at(-1)], ['system: rules', 'user: turn 11']);
    assert.ok(last.length <= 6 && last.length >= 4);
    assert.equal(sizes.at(-1), `${last.length}/24`);
  }
  assert.deepEqual(prompts[0], prompts[1]);
});

test('a token budget gives the same prompts whether the thread was in memory or not', async t => {
  const prompts = [];
  for (const idle_after of ['20ms', '5m']) {
    const { server, upstream } = await start(t, { threads: { idle_after, max_context_tokens: 300 } });
    for (let n = 0; n < 9; ++n) {
      await server.say(1, `turn ${n} ${'word '.repeat(7 * (n % 4))}`);
      if (n % 2 && idle_after === '20ms') await pause();
    }
    prompts.push(upstream.requests.map(x => x.transcript));
  }
  assert.deepEqual(prompts[0], prompts[1]);
  assert.ok(prompts[0].at(-1).length < 17, 'the budget was too small for all');
});

test('2,000 threads in a small max_active_bytes: bounded memory, right histories', async t => {
  const filler = 'x'.repeat(12 * 1024); // so 48 MiB of histories
  const { server, upstream } = await start(t, { threads: { max_active_bytes: '4MiB' },
                                                store: { durability: 'os' } });
  const count = 2_000;
  const inTurn = async work => {
    let next = 0;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (next < count) await work(next++);
    }));
  };
  for (let i = 0; i < 50; ++i) await server.say(`warm-${i}`, filler);
  const before = server.rss();
  let most = 0;
  await inTurn(async i => {
    assert.equal(await server.say(i, `${i} ${filler}`), `re: ${i} ${filler}`);
    if (i % 100 === 0) most = Math.max(most, server.rss());
  });
  const grown = (Math.max(most, server.rss()) - before) / 2 ** 20;
  t.diagnostic(`RSS ${Math.round(before / 2 ** 20)} MiB, grew by ${Math.round(grown)} MiB`);
  assert.ok(grown < 40, `RSS grew by ${grown} MiB`);
  upstream.requests.length = 0;
  // Some come back, all are right.
  await inTurn(async i => {
    if (i % 20 === 0) await server.say(i, `again ${i}`);
    const texts = (await messagesOf(server, i)).map(x => x.message.content);
    assert.equal(texts.length, i % 20 === 0 ? 4 : 2);
    assert.ok(texts[0] === `${i} ${filler}` && texts[1] === `re: ${i} ${filler}`, `thread ${i}`);
  });
  assert.ok(upstream.requests.every(x => x.body.messages.length === 3));
});
