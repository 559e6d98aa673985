"""A small real HTTP server with OpenAI's protocol, on loopback, that can be told to fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request with texts that follow from its prompt and seed, unless a fault is due."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: list[str] = []
        """Taken from the front, one for each request: "ok", or what goes wrong."""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.connections = 0
        self.knows_max_tokens = True
        """Whether chats may say ``max_tokens``, which newer models of OpenAI refuse."""
        self.most_choices: int | None = None
        self.at_once = 0
        self.most_at_once = 0
        self.pause = 0.0
        self.answers_before_it_hangs: int | None = None
        self.released = threading.Event()
        self.lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            fault = server.faults.pop(0) if server.faults else "ok"
            server.requests.append({"path": self.path, **body})
            server.headers.append(dict(self.headers))
            server.times.append(time.monotonic())
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            hangs = server.answers_before_it_hangs is not None and len(server.requests) > server.answers_before_it_hangs
        try:
            if hangs:
                server.released.wait(30)
            time.sleep(server.pause * (1 + len(json.dumps(body)) % 3))
            self._reply(fault, body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with server.lock:
                server.at_once -= 1

    def _reply(self, fault: str, body: dict[str, Any]) -> None:
        kind, _, detail = fault.partition(" ")
        if "max_tokens" in body and not self.server.knows_max_tokens and self.path.endswith("/chat/completions"):
            message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
            self._send(400, json.dumps({"error": {"message": message, "param": "max_tokens"}}).encode())
            return
        answer = completion(self.path, body)
        answer["choices"] = answer["choices"][: self.server.most_choices]
        if kind == "slow":
            self.server.released.wait(float(detail))
        elif kind == "refuse_the_last_of":
            while len(self.server.requests) < int(detail) and not self.server.released.wait(0.01):
                pass
            self._send(400, b"{}")
            return
        elif kind == "hangup":
            self.close_connection = True
            return
        elif kind == "ok_and_close":
            # Without saying so: what the next request over this connection finds.
            self.close_connection = True
        elif kind == "garbled":
            self._send(200, b'{"choices": [{"index"')
            return
        elif kind == "empty":
            answer["choices"] = []
        elif kind == "few":
            answer["choices"] = answer["choices"][: int(detail)]
        elif kind == "reversed":
            answer["choices"] = answer["choices"][::-1]
        elif kind == "finish":
            answer["choices"][0]["finish_reason"] = None if detail == "null" else detail
        elif kind == "silent":
            for choice in answer["choices"]:
                choice.pop("logprobs", None)
        elif kind == "redirect":
            self._send(307, b"", {"Location": detail})
            return
        elif kind.isdigit():
            said = json.dumps({"error": {"message": f"no: {self.headers.get('Authorization')}", "type": "t"}}).encode()
            self._send(int(kind), said, {"Retry-After": detail} if detail else {})
            return
        self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def completion(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a server in good health."""
    choices = []
    for index in range(body["n"]):
        text = text_of(body.get("messages", body.get("prompt")), body["seed"], index)
        values = [-0.5 * (at + 1) for at in range(len(text.split()))]
        choice: dict[str, Any] = {"index": index, "finish_reason": "stop"}
        if path.endswith("/chat/completions"):
            choice["message"] = {"role": "assistant", "content": text}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": [{"token": "t", "logprob": value} for value in values]}
        else:
            choice["text"] = text
            if body.get("logprobs") is not None:
                choice["logprobs"] = {"token_logprobs": values, "tokens": text.split()}
        choices.append(choice)
    return {"id": "1", "object": "completion", "choices": choices}


def text_of(prompt: Any, seed: int, index: int) -> str:
    said = prompt[-1]["content"] if isinstance(prompt[-1], dict) else str(prompt)
    return f"answer to {said} with {seed} choice {index}"


@contextmanager
def serving() -> Iterator[ScriptedServer]:
    """A server for a while; it is gone afterwards, whatever it was at."""
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
