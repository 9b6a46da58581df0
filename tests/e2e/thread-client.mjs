// The thread API and the database files, as tests want them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KEY, makeFolder } from './harness.mjs';

export const threadPath = (id, rest = '') => `/v1/threads/${encodeURIComponent(id)}${rest}`;

/** Any request: { status, headers, text, body, error }. `body` may be text or what becomes JSON. */
export async function call(server, method, path, { body, key = KEY, headers = {}, signal } = {}) {
  const json = typeof body === 'object' && !(body instanceof Uint8Array);
  const response = await fetch(`${server.url}${path}`, {
    method, signal, duplex: 'half',
    headers: { authorization: `Bearer ${key}`, ...(json && { 'content-type': 'application/json' }),
               ...headers },
    body: json ? JSON.stringify(body) : body,
  });
  const out = { status: response.status, headers: response.headers, text: await response.text() };
  try {
    out.body = JSON.parse(out.text);
    out.error = out.body.error;
  } catch {
    // exports are lines, answers to HEAD are empty
  }
  return out;
}

/** The same, when it must work: the document. */
export async function get(server, path, options) {
  const answer = await call(server, 'GET', path, options);
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.text}`);
  return answer.body;
}

/** All elements of a list, page by page. Checks the shape of each page. */
export async function listAll(server, path, query = {}, options = {}) {
  const out = [];
  for (let after; ;) {
    const parameters = new URLSearchParams({ ...query, ...(after && { after }) });
    const page = await get(server, `${path}?${parameters}`, options);
    assert.deepEqual(Object.keys(page), ['object', 'data', 'first_id', 'last_id', 'has_more']);
    assert.equal(page.object, 'list');
    assert.equal(page.first_id, page.data[0]?.id ?? null);
    assert.equal(page.last_id, page.data.at(-1)?.id ?? null);
    assert.ok(page.data.length > 0 || !page.has_more, 'an empty page is the last one');
    if (page.has_more) assert.equal(page.data.length, Number(query.limit ?? 20));
    out.push(...page.data);
    if (!page.has_more) return out;
    after = page.last_id;
  }
}

export const messagesOf = (server, id, query = { limit: 100 }, options = {}) =>
  listAll(server, threadPath(id, '/messages'), query, options);

/** Role and text of all live messages, one a line; none: there is no such thread. */
export async function historyOf(server, id, options = {}) {
  const { status } = await call(server, 'GET', threadPath(id), options);
  if (status === 404) return undefined;
  const messages = await messagesOf(server, id, { limit: 100 }, options);
  return messages.map(({ message }) => `${message.role}: ${message.content}`);
}

export const exportOf = async (server, id, options = {}) => {
  const answer = await call(server, 'GET', threadPath(id, '/export'), options);
  if (answer.status !== 200) throw new Error(`export of ${id}: ${answer.status} ${answer.text}`);
  return answer.text;
};

/** Body may be text, bytes, or an iterable of them. */
export const importInto = (server, body, options = {}) => call(server, 'POST',
  '/v1/threads/import', { body, ...options,
                          headers: { 'content-type': 'application/jsonl', ...options.headers } });

/** The export of a thread with `count` messages of `length` letters each. */
export function exportFile(id, count, length = 20) {
  const lines = [{ object: 'thread', format: 'lang-agent.thread/1', id, created_ms: 1,
                   updated_ms: 1, turns: count / 2, metadata: {}, instructions: [] }];
  for (let i = 0; i < count; ++i)
    lines.push({ object: 'thread.message', id: `msg_${i + 1}`, created_ms: 1, superseded: false,
                 message: { role: i % 2 ? 'assistant' : 'user', content: 'x'.repeat(length) } });
  lines.push({ object: 'thread.end', id, messages: count });
  return lines.map(x => `${JSON.stringify(x)}\n`).join('');
}

/** Every user message is followed by the answer to it: no turn is there in part. */
export function assertWholeTurns(history, answerOf) {
  assert.equal(history.length % 2, 0, `a turn lacks its answer: ${history.at(-1)}`);
  for (let i = 0; i < history.length; i += 2) {
    const asked = /^user: (.*)$/s.exec(history[i]);
    assert.ok(asked, `message ${i} should be a user's: ${history[i]}`);
    assert.ok(history[i + 1].startsWith(`assistant: ${answerOf(asked[1])}`),
              `${history[i]} is followed by ${history[i + 1]}`);
  }
}

// -- files ----------------------------------------------------------------------------------------

export const databaseOf = dataDir => join(dataDir, 'lang-agent.db');

/** Runs Python with its sqlite3; the text that it prints. */
export function python(script, ...args) {
  const out = spawnSync('python3', ['-c', script, ...args], { encoding: 'utf8' });
  if (out.status !== 0) throw new Error(`python3: ${out.error ?? out.stderr}`);
  return out.stdout.trim();
}

/** A copy of a data directory that no server uses at the time. */
export function copyData(t, dataDir) {
  const copy = join(makeFolder(t), 'data');
  mkdirSync(copy);
  for (const name of ['lang-agent.db', 'lang-agent.db-wal'])
    if (existsSync(join(dataDir, name))) cpSync(join(dataDir, name), join(copy, name));
  return copy;
}

/** What SQLite finds wrong with the database is nothing. Looks at a copy: reading would change it. */
export function assertIntact(t, dataDir) {
  const file = databaseOf(copyData(t, dataDir));
  assert.equal(python('import sqlite3, sys\n'
    + 'for row in sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check"): print(row[0])',
                      file), 'ok');
}

/** Random numbers that are the same in each run: [0, 1). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
