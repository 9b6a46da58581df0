// Runs `lang-agent bench` and reads its result.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { delay, makeFolder, run, until } from './harness.mjs';

/**
 * The result of a load on `url` as { result, runs, run (the first), code, stderr }. The load's own
 * end may take `limit` ms.
 */
export async function bench(t, url, args, { code = 0, limit = 20_000, ...options } = {}) {
  const targets = [url].flat().flatMap(x => ['--target', x]);
  const out = await run(t, ['bench', ...targets, ...args, '--json', '-', '--quiet'],
                        { limit, ...options });
  assert.equal(out.code, code, `${out.signal} ${out.stderr}`);
  const result = JSON.parse(out.stdout);
  return { ...out, result, runs: result.runs, run: result.runs[0] };
}

/** How a load that cannot begin ends: { code, stderr }. */
export const refused = (t, args) => run(t, ['bench', ...args]);

/** How many descriptors a process may have at most. */
export function descriptorLimit() {
  const line = /Max open files\s+\S+\s+(\S+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line[1] === 'unlimited' ? Infinity : Number(line[1]);
}

/** A server of the test's own making: `answer(body, response)`. Its base URL. */
export async function serve(t, answer) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    if (request.method === 'POST') return answer(JSON.parse(text), response);
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${server.address().port}/v1`;
}

/** A plain answer. */
export const say = (response, content) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
  }));

/** A server that says `answers` byte for byte, one after the other, each in pieces of `size`. */
export async function serveBytes(t, answers, size) {
  const left = [...answers];
  const server = createTcpServer(socket => {
    let unread = '';
    socket.setNoDelay(true).on('error', () => {}).on('data', async data => {
      unread += data;
      if (!unread.endsWith('}')) return; // the end of a request's body
      unread = '';
      const { bytes, close } = left.shift();
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.slice(at, at + size));
        if (size < bytes.length) await delay(1);
      }
      if (close) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/v1`;
}

/** Somebody else's server, which knows nothing of ours: @dwmkerr/mock-llm. Its base URL. */
export async function startMockLlm(t) {
  const main = createRequire(import.meta.url).resolve('@dwmkerr/mock-llm');
  // It has no port 0 of its own: take one that is free now.
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  free.close();
  await once(free, 'close');
  const child = spawn(process.execPath, [main], {
    cwd: makeFolder(t), stdio: 'ignore',
    env: { ...process.env, HOST: '127.0.0.1', PORT: String(port) },
  });
  t.after(async () => {
    child.kill();
    await once(child, 'close');
  });
  await until(() => fetch(`http://127.0.0.1:${port}/health`).then(x => x.ok, () => false),
              'mock-llm listens');
  return { url: `http://127.0.0.1:${port}/v1`, pid: child.pid };
}

/** Stops a process for a while. */
export async function freeze(pid, ms) {
  process.kill(pid, 'SIGSTOP');
  await delay(ms);
  process.kill(pid, 'SIGCONT');
}
