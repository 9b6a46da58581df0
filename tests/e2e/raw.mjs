// An HTTP client on a plain socket: sends exactly the bytes that a test wants.
import assert from 'node:assert/strict';
import { connect } from 'node:net';

class RawClient {
  input = Buffer.alloc(0);
  ended = false; // the server closed its side
  wakeups = [];

  constructor(socket) {
    this.socket = socket;
    const wake = () => this.wakeups.splice(0).forEach(resolve => resolve());
    socket.on('data', data => {
      this.input = Buffer.concat([this.input, data]);
      wake();
    });
    const end = () => { this.ended = true; wake(); };
    socket.on('end', end);
    socket.on('error', error => { this.error = error; end(); });
    this.closed = new Promise(resolve => socket.once('close', () => { end(); resolve(Date.now()); }));
  }

  /** Errors are seen by whoever reads: a server may answer and close before it has read all. */
  send(data) {
    return new Promise(resolve => this.socket.write(data, () => resolve()));
  }

  /** Closes our side; the server may still answer. */
  half() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }

  async more(limit) {
    if (this.ended) return false;
    let timer;
    const woken = await Promise.race([
      new Promise(resolve => this.wakeups.push(() => resolve(true))),
      new Promise(resolve => { timer = setTimeout(() => resolve(false), limit); }),
    ]);
    clearTimeout(timer);
    if (!woken) throw new Error(`no bytes for ${limit} ms; so far: ${this.input.toString('latin1')}`);
    return true;
  }

  /** Waits until `text` came; does not take it. */
  async until(text, limit = 20_000) {
    while (!this.input.includes(text))
      if (!await this.more(limit))
        throw new Error(`closed before ${JSON.stringify(text)}: ${this.input.toString('latin1')}`);
  }

  /** Waits until the server has closed its side; gives all that came. */
  async end(limit = 20_000) {
    while (await this.more(limit));
    return this.input;
  }

  async take(count, limit) {
    while (this.input.length < count)
      if (!await this.more(limit))
        throw new Error(`closed after ${this.input.length} of ${count} bytes`);
    const out = this.input.subarray(0, count);
    this.input = this.input.subarray(count);
    return out;
  }

  async line(limit) {
    await this.until('\r\n', limit);
    const out = await this.take(this.input.indexOf('\r\n'), limit);
    await this.take(2, limit);
    return out.toString('latin1');
  }

  /** Reads one response off the socket. `bodiless` for answers to HEAD. */
  async response({ limit = 20_000, bodiless = false } = {}) {
    const first = await this.line(limit);
    const match = /^(HTTP\/1\.[01]) (\d{3})/.exec(first);
    if (!match) throw new Error(`no status line: ${first}`);
    const headers = {};
    const names = [];
    for (let line = await this.line(limit); line !== ''; line = await this.line(limit)) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      names.push(name);
      headers[name] = line.slice(colon + 1).trim();
    }
    const status = Number(match[2]);
    const out = { version: match[1], status, headers, names };
    if (status < 200 || bodiless || status === 204 || status === 304) out.bytes = Buffer.alloc(0);
    else if (headers['transfer-encoding'] === 'chunked') out.bytes = await this.chunkedBody(limit);
    else if (headers['content-length'] !== undefined)
      out.bytes = Buffer.from(await this.take(Number(headers['content-length']), limit));
    else {
      out.bytes = await this.end(limit);
      this.input = Buffer.alloc(0);
    }
    out.text = out.bytes.toString();
    try {
      out.body = JSON.parse(out.text);
    } catch {
      // not every body is JSON
    }
    return out;
  }

  async chunkedBody(limit) {
    const parts = [];
    for (;;) {
      const size = parseInt(await this.line(limit), 16);
      if (size === 0) break;
      parts.push(Buffer.from(await this.take(size, limit)));
      await this.take(2, limit);
    }
    while (await this.line(limit) !== '');
    return Buffer.concat(parts);
  }
}

/** A connection that stays open on our side until the test ends it. */
export async function open(t, port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const client = new RawClient(socket);
  t.after(() => client.destroy());
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return client;
}

/** The text of a request; adds Host, and Content-Length for a body. */
export function request(method, path, headers = {}, body = '') {
  const all = { host: 'localhost', ...headers };
  const bytes = Buffer.from(body);
  if (bytes.length > 0 && all['transfer-encoding'] === undefined) all['content-length'] ??= bytes.length;
  const lines = Object.entries(all).filter(([, x]) => x !== undefined)
    .map(([name, x]) => `${name}: ${x}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`), bytes]);
}

/** The request of a chat turn. */
export function chatRequest(key, body, headers = {}) {
  return request('POST', '/v1/chat/completions', {
    authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers,
  }, typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

/** `bytes` as an HTTP chunk. */
export const asChunk = bytes => {
  const data = Buffer.from(bytes);
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
};

/** Sends bytes on a connection of their own; the first response. */
export async function exchange(t, server, bytes, options) {
  const client = await open(t, server.port);
  await client.send(bytes);
  return { client, ...await client.response(options) };
}

/** An error answer of OpenAI's shape. */
export function assertError(answer, status, what) {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.deepEqual(Object.keys(answer.body.error).sort(), ['code', 'message', 'param', 'type'], what);
  assert.equal(typeof answer.body.error.message, 'string');
  assert.ok(answer.headers['x-request-id'], what);
}

export const healthRequest = request('GET', '/health');

/** The server still answers others. */
export async function assertAlive(t, server) {
  assert.equal((await exchange(t, server, healthRequest)).body.status, 'healthy');
}
