"""What the scripts of this folder have in common: processes to measure, and what they use."""

import http.client
import json
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANG_AGENT = pathlib.Path(os.environ.get("LANG_AGENT", ROOT / "build/release/lang-agent"))
KEY = "benchmark-key"
PATH = "/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


class Process:
    """One of ours that says on standard error where it listens. Ends with its `with` block."""

    def __init__(self, command, folder, limit=20):
        self.log = folder / "log"
        if not LANG_AGENT.exists():
            raise SystemExit(f"{LANG_AGENT} is missing: scripts/build release lang-agent")
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=errors)
        self.pid = self.process.pid
        self.port = self._port(limit)
        self.url = f"http://127.0.0.1:{self.port}"

    def _port(self, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"listening url=https?://\S+:(\d+)", self.log.read_text())
            if found:
                return int(found[1])
            time.sleep(0.02)
        self.stop()
        raise SystemExit(f"it did not start: {self.process.args}\n{self.log.read_text()}")

    def stop(self, limit=90):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def rss(self):
        """Bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def cpu(self):
        """Seconds, of all threads that live, exact to the nanosecond."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((x / "schedstat").read_text().split()[0]) for x in tasks) / 1e9

    def ask(self, method, path, body=None):
        """Status and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, HEADERS)
        answer = connection.getresponse()
        out = answer.status, answer.read()
        connection.close()
        return out


class Server(Process):
    """lang-agent with SQLite store, one upstream (None: the model built in) and one tenant, or
    those that `tenants` maps to their settings. `settings` maps a section of the configuration to
    its keys; `wrapper` goes before the command."""

    def __init__(self, folder, upstream, settings=None, wrapper=(), limit=20, tenants=None):
        folder.mkdir(parents=True, exist_ok=True)
        sections = {"server": {"listen": "127.0.0.1:0"}, "store": {"data_dir": str(folder / "data")}}
        for name, keys in (settings or {}).items():
            sections[name] = sections.get(name, {}) | keys
        lines = []
        kind = ({"kind": "openai", "base_url": f"{upstream}/v1"} if upstream
                else {"kind": "builtin"})
        common = sections.pop("tenants", {})
        tables = [("tenants", {"name": name, "keys": [KEY]} | common | own)
                  for name, own in (tenants or {"benchmark": {}}).items()]
        tables.append(("upstreams", {"name": "main"} | kind | sections.pop("upstreams", {})))
        for name, keys in sections.items():
            lines += [f"[{name}]"] + [f"{key} = {json.dumps(x)}" for key, x in keys.items()]
        for name, keys in tables:
            lines += [f"[[{name}]]"] + [f"{key} = {json.dumps(x)}" for key, x in keys.items()]
        config = folder / "config.toml"
        config.write_text("\n".join(lines) + "\n")
        super().__init__([*wrapper, LANG_AGENT, "--config", config], folder, limit)


class Simulator(Process):
    """lang-agent simulate, without its log. `config` is TOML."""

    def __init__(self, folder, config=""):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "simulator.toml"
        file.write_text(config)
        super().__init__([LANG_AGENT, "simulate", "--quiet", "--listen", "127.0.0.1:0",
                          "--config", file], folder)

    def put(self, what, toml):
        """Replaces the `model` or the `faults`."""
        status, answer = self.ask("PUT", f"/simulator/{what}", toml)
        if status != 200:
            raise SystemExit(f"the simulator refused: {answer.decode()}")


def chat(thread, text, **more):
    """A request's body. A `thread` of None is that of nobody."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    if thread is not None:
        body["thread_id"] = thread
    return json.dumps(body)


def machine():
    """One line about where figures come from."""
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    kernel = re.match(r"[\d.]+", os.uname().release)[0]
    return f"{os.cpu_count()} processors ({model[1] if model else 'unknown'}), Linux {kernel}"
