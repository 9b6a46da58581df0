// Starts `lang-agent simulate`: a model provider that can be told to fail.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { binary, makeFolder, until } from './harness.mjs';

const assignments = table => Object.entries(table).filter(([, x]) => x !== undefined)
  .map(([key, x]) => `${key} = ${JSON.stringify(x)}\n`).join('');

/** TOML of faults: text stays as it is, each object of an array becomes a [[faults]]. */
export const faultsToml = faults => (typeof faults === 'string' ? faults
  : faults.map(x => `[[faults]]\n${assignments(x)}`).join('\n'));

/** TOML of a model's keys. */
export const modelToml = model => (typeof model === 'string' ? model : assignments(model));

function configToml(config, model, faults) {
  const top = typeof config === 'string' ? config : assignments(config);
  return `${top}\n${model ? `[model]\n${modelToml(model)}\n` : ''}${faultsToml(faults)}`;
}

/** A self-signed certificate for localhost and 127.0.0.1: the files { cert, key }. */
export function selfSigned(t) {
  const folder = makeFolder(t);
  const out = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', out.key, '-out', out.cert,
  ], { stdio: 'pipe' });
  return out;
}

class Simulator {
  log = []; // a parsed line for each finished request, as they come on standard output
  errors = ''; // standard error
  exit = undefined;

  constructor(child, tls) {
    this.child = child;
    this.pid = child.pid;
    this.tls = tls;
    let unread = '';
    child.stdout.setEncoding('utf8').on('data', data => {
      const lines = (unread + data).split('\n');
      unread = lines.pop();
      this.log.push(...lines.map(line => JSON.parse(line)));
    });
    child.stderr.setEncoding('utf8').on('data', data => { this.errors += data; });
    this.ended = once(child, 'close').then(([code, signal]) => { this.exit = { code, signal }; });
  }

  async ready() {
    const found = await until(() => this.exit || /listening url=(https?:\/\/\S+:(\d+))/.exec(this.errors),
                              'the simulator listens');
    if (found === this.exit) throw new Error(`the simulator did not start:\n${this.errors}`);
    this.origin = found[1];
    this.port = Number(found[2]);
    this.url = `${this.origin}/v1`;
  }

  /** A control request: { status, text }. */
  control(method, path, body = '') {
    if (!this.tls)
      return fetch(`${this.origin}/simulator/${path}`, { method, body: body || undefined })
        .then(async response => ({ status: response.status, text: await response.text() }));
    return new Promise((resolve, reject) => {
      const asked = httpsRequest(`${this.origin}/simulator/${path}`, {
        method, ca: readFileSync(this.tls.cert), agent: false }, async response => {
        let text = '';
        for await (const piece of response.setEncoding('utf8')) text += piece;
        resolve({ status: response.statusCode, text });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }

  async expect(method, path, body) {
    const { status, text } = await this.control(method, path, body);
    if (status !== 200) throw new Error(`${method} /simulator/${path}: ${status} ${text}`);
    return text;
  }

  /** Replaces all faults. TOML text, or an array of objects; none by default. */
  async setFaults(faults = []) {
    return JSON.parse(await this.expect('PUT', 'faults', faultsToml(faults)));
  }

  /** The rules, with how often each was asked (`seen`) and hit (`hits`). */
  async faults() {
    return JSON.parse(await this.expect('GET', 'faults')).faults;
  }

  /** Replaces the model's settings; what is not named has its default again. */
  async setModel(model = {}) {
    return JSON.parse(await this.expect('PUT', 'model', modelToml(model)));
  }

  async state() {
    return JSON.parse(await this.expect('GET', 'state'));
  }

  /** The log as the simulator keeps it, from request number `since` on. Never late. */
  async keptLog(since = 0) {
    const text = await this.expect('GET', `log?since=${since}`);
    return text.split('\n').filter(Boolean).map(line => JSON.parse(line));
  }

  /** The first line of the log that `condition` is true of, when it has come. */
  logged(condition, what = 'a line in the log of the simulator', limit = 20_000) {
    return until(() => this.log.find(condition), what, limit);
  }

  /** All lines of the log, when at least `count` have come. */
  lines(count, limit = 20_000) {
    return until(() => this.log.length >= count && this.log,
                 `${count} lines in the log of the simulator`, limit);
  }

  /** Ends the simulator; all connections break. That it ends badly fails the test. */
  async stop() {
    if (!this.exit) process.kill(this.pid, 'SIGTERM');
    const killer = setTimeout(() => this.exit || process.kill(this.pid, 'SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(killer);
    if (this.exit.code !== 0)
      throw new Error(`the simulator ended with ${JSON.stringify(this.exit)}:\n${this.errors}`);
  }
}

/**
 * A simulator on a port of its own (or `config.listen`), ended after the test.
 *   config  top-level keys as an object, or TOML text
 *   model   the keys of [model] as an object, or TOML text
 *   faults  an array of objects, or TOML text with [[faults]]
 *   tls     true for a certificate of its own (`simulator.tls.cert` is the CA's file), or the files
 *           { cert, key }
 *   args    further arguments
 */
export async function startSimulator(t, options = {}) {
  const { config = {}, model, faults = [], args = [] } = options;
  t.servers ??= [];
  const tls = options.tls === true ? selfSigned(t) : options.tls;
  const cwd = makeFolder(t);
  const file = join(cwd, 'simulator.toml');
  writeFileSync(file, configToml(config, model, faults));
  const fixed = typeof config === 'string' ? /^listen/m.test(config) : config.listen;
  const child = spawn(binary, [
    'simulate', '--config', file,
    ...(fixed ? [] : ['--listen', '127.0.0.1:0']),
    ...(tls ? ['--tls-cert', tls.cert, '--tls-key', tls.key] : []),
    ...args,
  ], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const simulator = new Simulator(child, tls);
  t.servers.push({
    pid: `${child.pid} (simulator)`,
    get log() {
      return simulator.errors + simulator.log.map(x => `${JSON.stringify(x)}\n`).join('');
    },
    stop: () => simulator.stop(),
  });
  t.after(() => simulator.stop());
  await simulator.ready();
  return simulator;
}
