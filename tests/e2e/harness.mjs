// Starts the real binary with a generated config on a port of its own, and talks to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test as nodeTest } from 'node:test';
import { startUpstream } from './upstream.mjs';

export const binary = resolve(process.env.LANG_AGENT
  ?? fileURLToPath(new URL('../../build/release/lang-agent', import.meta.url)));

export const KEY = 'client-key-alice';
export const UPSTREAM_KEY = 'upstream-secret-4711';

/** How long "within a second" may take on a noisy machine. */
export const SOON = 1500;

/** Tables of a config for tests of single attempts: no retries, no breaker. */
export const ONE_ATTEMPT = {
  retry: { max_attempts: 1 },
  breaker: { consecutive_failures: 1_000_000, failure_rate: 1 },
};

export const delay = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Waits until `condition` gives something truthy, and gives that. */
export async function until(condition, what, limit = 20_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain: ${what}`);
    await delay(5);
  }
}

/** `promise`, or an error after `limit` ms. */
export async function within(limit, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A test that shows the logs of its servers when it fails. */
export function test(name, ...rest) {
  const fn = rest.pop();
  const options = { timeout: 60_000, ...rest.pop() };
  nodeTest(name, options, async t => {
    t.servers = [];
    try {
      await fn(t);
    } catch (error) {
      for (const server of t.servers)
        t.diagnostic(`log of server ${server.pid}:\n${server.log.slice(-4000)}`);
      throw error;
    }
  });
}

// -- config -------------------------------------------------------------------------------------

const isTable = x => typeof x === 'object' && !Array.isArray(x);
const tomlValue = x => (Array.isArray(x) ? `[${x.map(tomlValue).join(', ')}]` : JSON.stringify(x));

function tomlTable(header, table) {
  const lines = header ? [header] : [];
  const name = header.replaceAll(/[[\]]/g, '');
  const entries = Object.entries(table).filter(([, x]) => x !== undefined);
  for (const [key, x] of entries)
    if (!isTable(x)) lines.push(`${key} = ${tomlValue(x)}`);
  for (const [key, x] of entries)
    if (isTable(x)) lines.push(tomlTable(`[${name}.${key}]`, x));
  return lines.join('\n');
}

export function toml({ tenants, upstreams, routes = [], prices = [], upstream: _, ...tables }) {
  const parts = Object.entries(tables).map(([name, table]) => tomlTable(`[${name}]`, table));
  for (const tenant of tenants) parts.push(tomlTable('[[tenants]]', tenant));
  for (const upstream of upstreams) parts.push(tomlTable('[[upstreams]]', upstream));
  for (const route of routes) parts.push(tomlTable('[[routes]]', route));
  for (const price of prices) parts.push(tomlTable('[[prices]]', price));
  return parts.join('\n\n') + '\n';
}

/** A config for tests: port 0, a short drain so that a failing test ends soon. */
export function makeConfig(config = {}, upstream = undefined) {
  const main = upstream
    ? { name: 'main', kind: 'openai', base_url: upstream.url, api_key_env: 'TEST_UPSTREAM_KEY' }
    : { name: 'main', kind: 'builtin' };
  return {
    ...config,
    server: { listen: '127.0.0.1:0', threads: 2, drain_timeout: '3s', ...config.server },
    tenants: config.tenants ?? [{ name: 'alice', keys: [KEY] }],
    upstreams: config.upstreams ?? [{ ...main, ...config.upstream }],
  };
}

/** A new folder, which lives until the servers of the test have ended. */
export function makeFolder(t) {
  if (!t.folder) {
    t.folder = mkdtempSync(join(tmpdir(), 'lang-agent-e2e-'));
    t.after(async () => {
      await Promise.allSettled(t.servers.map(x => x.stop()));
      rmSync(t.folder, { recursive: true, force: true });
    });
  }
  return mkdtempSync(join(t.folder, 'f-'));
}

function writeConfig(folder, config) {
  const file = join(folder, 'test.toml');
  writeFileSync(file, typeof config === 'string' ? config : toml(config));
  return file;
}

/**
 * Runs the binary to its end: { code, stdout, stderr }. `config` is TOML text or undefined. The
 * working directory is a new folder: data_dir is inside unless it is an absolute path. It is killed
 * after `limit` ms. `onStart` gets the child.
 */
export async function run(t, args, { config, env, limit = 10_000, onStart } = {}) {
  const cwd = makeFolder(t);
  const file = config === undefined ? [] : ['--config', writeConfig(cwd, config)];
  const child = spawn(binary, [...args, ...file], { cwd, env: { ...process.env, ...env } });
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  onStart?.(child);
  const out = { cwd, file: file[1], stdout: '', stderr: '' };
  child.stdout.on('data', data => { out.stdout += data; });
  child.stderr.on('data', data => { out.stderr += data; });
  [out.code, out.signal] = await once(child, 'close');
  clearTimeout(timer);
  return out;
}

// -- server -------------------------------------------------------------------------------------

class Server {
  log = '';
  exit = undefined; // { code, signal } once the process has ended

  constructor(child) {
    this.child = child;
    this.pid = child.pid;
    child.stderr.setEncoding('utf8').on('data', data => { this.log += data; });
    child.stdout.resume();
    this.ended = once(child, 'close').then(([code, signal]) => { this.exit = { code, signal }; });
  }

  async ready() {
    const found = await until(
      () => this.exit || /listening url=http:\/\/\S+:(\d+)/.exec(this.log), 'the server listens');
    if (found === this.exit) throw new Error(`the server did not start:\n${this.log}`);
    this.port = Number(found[1]);
    this.url = `http://127.0.0.1:${this.port}`;
  }

  signal(name = 'SIGTERM') {
    this.signalled = true;
    if (!this.exit) process.kill(this.pid, name);
  }

  /** Ends the server as a crash or a loss of power would. That fails no test. */
  async kill() {
    this.mayFail = true;
    this.signal('SIGKILL');
    await this.ended;
  }

  /** Another server on the same data, when this one has ended. `more` replaces its options. */
  async restart(more = {}) {
    await this.stop();
    return startServer(this.test, { ...this.options, dataDir: this.dataDir, ...more });
  }

  /** Ends the server. A crash on the way fails the test. */
  async stop() {
    if (!this.signalled) this.signal(); // a second one would end it at once
    const killer = setTimeout(() => this.signal('SIGKILL'), 15_000);
    await this.ended;
    clearTimeout(killer);
    if (this.exit.code !== 0 && !this.mayFail)
      throw new Error(`server ended with ${JSON.stringify(this.exit)}:\n${this.log.slice(-4000)}`);
  }

  /** POST of a chat request; the fetch Response. */
  post(body, { key = KEY, headers = {}, signal } = {}) {
    return fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      signal,
    });
  }

  /** A plain turn: { status, headers, body, text }. */
  async chat(body, options) {
    const response = await this.post({ model: 'm', ...body }, options);
    const raw = await response.text();
    const json = JSON.parse(raw);
    return { status: response.status, headers: response.headers, raw, body: json,
             text: json.choices?.[0]?.message?.content, error: json.error };
  }

  /** A streamed turn, read to its end: the chunks, and whether [DONE] came. */
  async stream(body, options) {
    const response = await this.post({ model: 'm', stream: true, ...body }, options);
    return { status: response.status, headers: response.headers,
             ...parseEvents(await response.text()) };
  }

  /** Says `text` in a thread; the answer's text. Anything but a 200 is an error. */
  async say(thread_id, text, more = {}, options = {}) {
    const answer = await this.chat(
      { thread_id, messages: [{ role: 'user', content: text }], ...more }, options);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.raw}`);
    return answer.text;
  }

  /** Replaces its config file by one with these changes, as an editor would. */
  rewrite(config) {
    const next = `${this.configFile}.next`;
    writeFileSync(next, typeof config === 'string' ? config : toml({ ...this.config, ...config }));
    renameSync(next, this.configFile);
  }

  rss() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  logLines(pattern) {
    return this.log.split('\n').filter(line => pattern.test(line));
  }
}

/** What an SSE body says. */
export function parseEvents(raw) {
  const events = raw.split(/\r?\n\r?\n/)
    .map(block => block.split(/\r?\n/).filter(line => line.startsWith('data:'))
      .map(line => line.slice(5).trim()).join('\n'))
    .filter(data => data !== '');
  const done = events.at(-1) === '[DONE]';
  const chunks = events.filter(x => x !== '[DONE]').map(x => JSON.parse(x));
  const error = chunks.find(x => x.error)?.error;
  const text = chunks.map(x => x.choices?.[0]?.delta?.content ?? '').join('');
  return { raw, chunks, done, error, text };
}

/** A server with a data directory of its own, or in `dataDir`, where another one may have been. */
export async function startServer(t, options = {}) {
  const { config = {}, upstream, env = {}, args = [], dataDir } = options;
  const cwd = makeFolder(t);
  const store = { data_dir: dataDir ?? join(cwd, 'data'), ...config.store };
  const whole = makeConfig({ ...config, store }, upstream);
  const file = writeConfig(cwd, whole);
  const child = spawn(binary, ['--config', file, ...args], {
    cwd,
    env: { ...process.env, TEST_UPSTREAM_KEY: UPSTREAM_KEY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = new Server(child);
  Object.assign(server, { test: t, options, config: whole, configFile: file, dataDir: resolve(cwd, store.data_dir ?? 'lang-agent-data') });
  t.servers.push(server);
  t.after(() => server.stop());
  await server.ready();
  return server;
}

/**
 * A server in front of several scripted upstreams, one for each entry of `config.upstreams` (which
 * say what is special of each). In their order; `keys`: of an upstream, in its environment.
 */
export async function startMany(t, config, options = {}) {
  const upstreams = [];
  const tables = [];
  const env = {};
  for (const [i, { behaviour, keys, ...more }] of config.upstreams.entries()) {
    upstreams.push(await startUpstream(t, behaviour));
    env[`TEST_KEYS_${i}`] = (keys ?? [`key-of-upstream-${i}`]).join(',');
    tables.push({ name: `up${i}`, kind: 'openai', base_url: upstreams[i].url,
                  api_key_env: `TEST_KEYS_${i}`, ...more });
  }
  const server = await startServer(t, { ...options, config: { ...config, upstreams: tables },
                                        env: { ...env, ...options.env } });
  return { server, upstreams };
}

/** A server in front of a scripted upstream. */
export async function start(t, config = {}, behaviour = undefined, options = {}) {
  const upstream = await startUpstream(t, behaviour, options.upstream);
  const server = await startServer(t, { config, upstream, ...options, upstream });
  return { server, upstream };
}

export const user = content => ({ role: 'user', content });
export const assistant = content => ({ role: 'assistant', content });
