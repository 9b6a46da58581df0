// A small HTTP proxy: CONNECT, and requests whose target is a whole URL. It alone knows the names
// of the hosts behind it.
import { connect, createServer } from 'node:net';

/**
 * `hosts` gives the port on 127.0.0.1 for each "name:port". `credentials`, e.g. "me:secret", are
 * asked for where they are given. `answer` may play the proxy's part after CONNECT: it gets the
 * socket and the target, and returns true when it has answered.
 */
export async function startProxy(t, { hosts = {}, credentials, answer = () => false } = {}) {
  const proxy = { heads: [], sockets: [], hosts };
  const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;

  const refuse = (socket, status) =>
    socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);

  const join = (socket, port, first) => {
    const out = connect(port, '127.0.0.1', () => {
      if (first) out.write(first);
      else socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(out).pipe(socket);
    });
    proxy.sockets.push(out);
    for (const [x, y] of [[out, socket], [socket, out]]) {
      x.on('error', () => y.destroy());
      x.on('close', () => y.destroy());
    }
  };

  const onHead = (socket, head, rest) => {
    proxy.heads.push(head);
    const [method, target] = head.split(' ');
    if (wanted && !head.includes(`\r\nproxy-authorization: ${wanted}\r\n`)) return refuse(socket, 407);
    if (method === 'CONNECT' && answer(socket, target)) return undefined;
    const url = method === 'CONNECT' ? undefined : new URL(target);
    const place = url ? `${url.hostname}:${url.port || 80}` : target;
    if (!hosts[place]) return refuse(socket, 502);
    return join(socket, hosts[place], url && Buffer.concat([
      Buffer.from(head.replace(target, url.pathname).replace(/proxy-authorization: .*\r\n/, '')), rest]));
  };

  const listener = createServer(socket => {
    proxy.sockets.push(socket);
    socket.on('error', () => {});
    let input = Buffer.alloc(0);
    const onData = data => {
      input = Buffer.concat([input, data]);
      const at = input.indexOf('\r\n\r\n');
      if (at < 0) return;
      socket.off('data', onData);
      onHead(socket, input.subarray(0, at + 4).toString(), input.subarray(at + 4));
    };
    socket.on('data', onData);
  });
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  proxy.port = listener.address().port;
  proxy.url = `http://${credentials ? `${credentials}@` : ''}127.0.0.1:${proxy.port}`;
  t.after(() => {
    proxy.sockets.forEach(x => x.destroy());
    listener.close();
  });
  return proxy;
}
