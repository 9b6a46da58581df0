#!/usr/bin/env python3
"""Tries a running server with Python requests, step by step, and shows what it can do.

    python3 test_openai_api.py [BASE_URL] [API_KEY]
"""

import json
import sys
import uuid

import requests

BASE_URL = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8488"
API_KEY = sys.argv[2] if len(sys.argv) > 2 else "123tangledup-ai"
HEADERS = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
THREAD = f"demo-{uuid.uuid4()}"

failures = 0


def say(text):
    print(f"\n\033[1m{text}\033[0m")


def expect(what, condition):
    global failures
    print(f"  {'ok' if condition else 'FAILED'}: {what}")
    failures += not condition


def chat(content, **fields):
    body = {"model": "qwen-plus", "thread_id": THREAD,
            "messages": [{"role": "user", "content": content}], **fields}
    return requests.post(f"{BASE_URL}/v1/chat/completions", headers=HEADERS, json=body,
                         stream=fields.get("stream", False), timeout=120)


def health():
    say("1. Is the server there?")
    try:
        answer = requests.get(f"{BASE_URL}/health", timeout=10)
    except requests.ConnectionError:
        sys.exit(f"No server answers at {BASE_URL}. Start one with scripts/serve.")
    print(answer.json())
    expect("it is healthy", answer.json() == {"status": "healthy"})


def first_turn():
    say(f"2. A chat turn on the thread '{THREAD}'")
    answer = chat("My favourite colour is teal.")
    print(json.dumps(answer.json(), indent=2, ensure_ascii=False))
    choice = answer.json()["choices"][0]
    expect("status 200", answer.status_code == 200)
    expect("the assistant answers", choice["message"]["role"] == "assistant")
    expect("it says why it stopped", choice["finish_reason"] in ("stop", "length"))
    expect("tokens are counted", answer.json()["usage"]["total_tokens"] > 0)


def memory():
    say("3. The next turn sends only what is new; the server remembers the rest")
    answer = chat("Which colour do I like?")
    print(answer.json()["choices"][0]["message"]["content"])
    print("x-context-messages:", answer.headers["x-context-messages"])
    expect("the model saw the whole conversation",
           answer.headers["x-context-messages"] == "3/3")
    expect("the answer tells its thread", answer.headers["x-thread-id"] == THREAD)


def stream():
    say("4. The same as a stream, with usage at the end")
    lines = [line for line in chat("Once more, please.", stream=True,
                                   stream_options={"include_usage": True})
             .iter_lines(decode_unicode=True) if line]
    expect("it ends properly", lines[-1] == "data: [DONE]")
    chunks = [json.loads(line[len("data: "):]) for line in lines[:-1]]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    print(text)
    expect("the pieces make an answer", len(text) > 0)
    expect("all pieces have one id", len({c["id"] for c in chunks}) == 1)
    expect("usage comes last", chunks[-1]["usage"]["total_tokens"] > 0)


def mistakes():
    say("5. Mistakes are explained")
    wrong_key = requests.post(f"{BASE_URL}/v1/chat/completions", json={},
                              headers={"Authorization": "Bearer wrong"}, timeout=10)
    print(wrong_key.status_code, wrong_key.json())
    expect("a wrong key is refused", wrong_key.status_code == 401)
    wrong_value = chat("hi", temperature=9)
    print(wrong_value.status_code, wrong_value.json())
    expect("the field at fault is named", wrong_value.json()["error"]["param"] == "temperature")


if __name__ == "__main__":
    health()
    first_turn()
    memory()
    stream()
    mistakes()
    say(f"{failures} checks FAILED." if failures else "All steps passed.")
    sys.exit(1 if failures else 0)
