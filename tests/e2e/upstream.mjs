// A scripted model server on plain sockets: each request meets the behaviour that the test chose.
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const CREATED = 1_700_000_000;
export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** One chunk of a stream. */
export const chunk = (delta, more = {}) => ({
  id: 'chatcmpl-upstream', object: 'chat.completion.chunk', created: CREATED, model: 'up-model',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});

export const usageChunk = (usage = USAGE) => ({ ...chunk({}), choices: [], usage });

/** One plain answer. */
export const completion = (message, more = {}, top = {}) => ({
  id: 'chatcmpl-upstream', object: 'chat.completion', created: CREATED, model: 'up-model',
  choices: [{ index: 0, finish_reason: 'stop', logprobs: null, ...more,
              message: { role: 'assistant', content: null, refusal: null, ...message } }],
  usage: USAGE, ...top,
});

export const event = (data, end = '\n') =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}${end}${end}`;

/** The words of a text as an upstream would stream them. */
export const words = text => text.match(/\S+\s*/g) ?? [];

export function streamEvents(text, { usage = USAGE, done = true, finish = 'stop', end } = {}) {
  return [
    chunk({ role: 'assistant', content: '' }),
    ...words(text).map(content => chunk({ content })),
    chunk({}, { finish_reason: finish }),
    ...(usage ? [usageChunk(usage)] : []),
    ...(done ? ['[DONE]'] : []),
  ].map(x => event(x, end));
}

/** One request and its answer. */
class Exchange {
  closedAt = undefined; // when the connection closed

  constructor(connection, head, body) {
    this.connection = connection;
    this.socket = connection.socket;
    const [first, ...lines] = head.split('\r\n');
    [this.method, this.path] = first.split(' ');
    this.headers = Object.fromEntries(lines.map(line => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    this.raw = body.toString();
    try {
      this.body = JSON.parse(this.raw);
    } catch {
      this.body = {}; // of a damaged database; the test sees `raw`
    }
    this.closed = connection.closed;
  }

  get lastText() {
    return this.body.messages.at(-1)?.content;
  }

  /** Role and text of every message of the prompt, one a line: easy to compare. */
  get transcript() {
    return this.body.messages.map(x => `${x.role}: ${x.content}`);
  }

  /** Resolves when the bytes left for the kernel: waits under backpressure. */
  write(bytes) {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, error => (error ? reject(error) : resolve()));
    });
  }

  /** A whole answer with its size. */
  async send(status, body, headers = {}, type = 'application/json') {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    await this.write(Buffer.concat([
      Buffer.from(`HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\n${more}`
                  + `content-length: ${bytes.length}\r\n\r\n`), bytes]));
  }

  json(body, status = 200, headers = {}) {
    return this.send(status, body, headers);
  }

  /** The head of a chunked stream. */
  begin(headers = '') {
    return this.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${headers}`
                      + 'transfer-encoding: chunked\r\n\r\n');
  }

  /** One HTTP chunk with these bytes. */
  piece(bytes) {
    const data = Buffer.from(bytes);
    return this.write(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data,
                                     Buffer.from('\r\n')]));
  }

  end() {
    return this.write('0\r\n\r\n');
  }

  /** A whole answer of `text`, in the form that was asked for. */
  async answer(text, options = {}) {
    if (!this.body.stream) return this.json(completion({ content: text }));
    await this.begin();
    for (const x of streamEvents(text, options)) await this.piece(x);
    return this.end();
  }

  cut() {
    this.socket.destroy();
  }

  /** Resets the connection: the peer sees an error, not an end. */
  reset() {
    this.socket.resetAndDestroy();
  }
}

/** Default: the answer names what it answers, so that tests see who got whose answer. */
export const echo = x => x.answer(`re: ${x.lastText}`);

/** The upstream waits until the test opens the gate; then it echoes. */
export function gate() {
  const out = {};
  out.opened = new Promise(resolve => { out.open = resolve; });
  out.behaviour = async x => {
    await out.opened;
    await x.answer(`re: ${x.lastText}`);
  };
  return out;
}

export class Upstream {
  requests = [];
  connections = [];
  queued = [];

  constructor(behaviour = echo) {
    this.behaviour = behaviour;
  }

  /** From now on, requests meet this behaviour. */
  behave(behaviour) {
    this.behaviour = behaviour;
  }

  /** The next request meets this behaviour; may be called several times. */
  once(behaviour) {
    this.queued.push(behaviour);
  }

  /** Request number `n`, counted from 0, when it has come. */
  async request(n = 0, limit = 20_000) {
    const end = Date.now() + limit;
    while (this.requests.length <= n) {
      if (Date.now() > end) throw new Error(`upstream request ${n} never came`);
      await new Promise(resolve => setTimeout(resolve, 2));
    }
    return this.requests[n];
  }

  accept(socket) {
    const connection = { socket, requests: 0, open: true };
    connection.closed = new Promise(resolve => socket.once('close', () => {
      connection.open = false;
      connection.closedAt = Date.now();
      resolve(connection.closedAt);
    }));
    this.connections.push(connection);
    socket.on('error', () => {}); // a peer that resets is part of the tests
    socket.setNoDelay(true);
    let input = Buffer.alloc(0);
    let parts = [];
    let size = 0;
    socket.on('data', data => {
      parts.push(data);
      size += data.length;
      // Joins only when enough has come: bodies have many MiB in some tests.
      if (connection.wanted && size < connection.wanted) return;
      input = Buffer.concat(parts, size);
      for (;;) {
        const at = input.indexOf('\r\n\r\n');
        if (at < 0) break;
        const head = input.subarray(0, at).toString();
        const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        connection.wanted = at + 4 + length;
        if (input.length < connection.wanted) break;
        const exchange = new Exchange(connection, head, input.subarray(at + 4, connection.wanted));
        input = input.subarray(connection.wanted);
        connection.wanted = 0;
        connection.requests += 1;
        exchange.number = this.requests.length;
        this.requests.push(exchange);
        this.run(exchange);
      }
      parts = [input];
      size = input.length;
    });
  }

  async run(exchange) {
    const behaviour = this.queued.shift() ?? this.behaviour;
    try {
      await behaviour(exchange);
    } catch (error) {
      exchange.failed = error; // usually: the server closed the connection
    }
  }

  close() {
    for (const { socket } of this.connections) socket.destroy();
    return new Promise(resolve => this.listener.close(resolve));
  }
}

/** Listens on a port of its own at `listen`. `tls` are the options of a TLS server. */
export async function startUpstream(
  t, behaviour, { tls, path = '/v1', host = '127.0.0.1', listen = '127.0.0.1' } = {}) {
  const upstream = new Upstream(behaviour);
  const accept = socket => upstream.accept(socket);
  upstream.listener = tls ? createTlsServer(tls, accept) : createServer(accept);
  upstream.listener.on('tlsClientError', () => {});
  await new Promise(resolve => upstream.listener.listen(0, listen, resolve));
  upstream.port = upstream.listener.address().port;
  upstream.authority = `${host}:${upstream.port}`;
  upstream.url = `${tls ? 'https' : 'http'}://${upstream.authority}${path}`;
  t.after(() => upstream.close());
  return upstream;
}
