"""Client and upstream of one server in one thread, a step at a time: nothing depends on timing."""

import http.client
import json
import re
import select
import socket

import rig

ANSWER = "An answer of ordinary length."
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def chunk(delta, finish=None):
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


class Upstream:
    """Takes one request at a time, on whatever connection the server likes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.links = []

    def request(self, limit=60):
        """Waits for a request's end; its link is where the answer goes."""
        while True:
            ready, _, _ = select.select([self.listener, *self.links], [], [], limit)
            if not ready:
                raise SystemExit("the server did not ask its upstream")
            for link in ready:
                if link is self.listener:
                    made = link.accept()[0]
                    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.links.append(made)
                elif self._read(link):
                    return link

    def _read(self, link):
        data = link.recv(65536)
        if not data:
            self.links.remove(link)
            return False
        while b"\r\n\r\n" not in data:
            data += link.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        left = int(re.search(rb"content-length: (\d+)", head, re.I)[1]) - len(body)
        while left > 0:
            left -= len(link.recv(65536))
        return True


def send_event(link, data):
    event = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
    link.sendall(b"%x\r\n%s\r\n" % (len(event), event))


class Lockstep:
    """`connections` clients with keep-alive take turns."""

    def __init__(self, upstream, port, connections=4):
        self.upstream = upstream
        self.clients = [socket.create_connection(("127.0.0.1", port), timeout=60)
                        for _ in range(connections)]
        self.asked = 0

    def _ask(self, body):
        """Sends head and body in one piece, so that the server reads once."""
        client = self.clients[self.asked % len(self.clients)]
        self.asked += 1
        client.sendall(f"POST {rig.PATH} HTTP/1.1\r\nhost: localhost\r\n"
                       f"authorization: Bearer {rig.KEY}\r\ncontent-type: application/json\r\n"
                       f"content-length: {len(body)}\r\n\r\n{body}".encode())
        return http.client.HTTPResponse(client, method="POST"), self.upstream.request()

    def turn(self, thread):
        answer, link = self._ask(rig.chat(thread, "A question of ordinary length, I suppose."))
        body = json.dumps({
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": ANSWER}}]}).encode()
        link.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                     b"content-length: %d\r\n\r\n%s" % (len(body), body))
        answer.begin()
        said = answer.read()
        if answer.status != 200 or ANSWER.encode() not in said:
            raise SystemExit(f"no answer to a turn: {answer.status} {said.decode()}")

    def stream(self, thread, deltas):
        """Each delta is sent when the client has the one before."""
        answer, link = self._ask(rig.chat(thread, "A question of ordinary length, I suppose.",
                                          stream=True))
        link.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     b"transfer-encoding: chunked\r\n\r\n")
        send_event(link, chunk({"role": "assistant", "content": ""}))
        for i in range(deltas):
            send_event(link, chunk({"content": f" word{i}"}))
            if i == 0:
                answer.begin()
            self._until(answer, b" word%d\"" % i)
        send_event(link, chunk({}, "stop"))
        send_event(link, "[DONE]")
        link.sendall(b"0\r\n\r\n")
        self._until(answer, b"[DONE]")
        answer.read()

    @staticmethod
    def _until(answer, word):
        while word not in (line := answer.readline()):
            if not line:
                raise SystemExit(f"a stream ended early: {answer.status}")
