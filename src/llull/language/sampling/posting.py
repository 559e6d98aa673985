"""JSON over HTTP to a server that may be busy, slow or broken for a while."""

from __future__ import annotations

import http.client
import json
import math
import random
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from llull.errors import InputError
from llull.language.sampling.connections import Answer, Connections

T = TypeVar("T")

_TRANSIENT = frozenset({408, 409, 425, 429})
"""What a server may answer now and not later, besides all of 500 and above."""

_LONGEST_REQUESTED_WAIT = 600.0
_LONGEST_SAID = 300


class Garbled(Exception):
    """An answer that is not what the server should have sent."""


class Stopped(Exception):
    """Posting was given up because of `Poster.stop`."""


class Refused(InputError):
    """The server does not take a request, and would not take it later.

    Args:
        message: for people.
        status: of HTTP.
        said: the server's own words.
    """

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status, self.said = status, said


class Budget:
    """Requests that may still be sent, counted over all threads.

    Args:
        requests: in all, those included that are sent again after a failure; None: any number.

    Raises:
        InputError: if it is not positive.
    """

    def __init__(self, requests: int | None) -> None:
        if requests is not None and requests < 1:
            raise InputError(f"max_requests is {requests}; give at least 1, or None for any number")
        self.requests = requests
        self._sent = 0
        self._lock = threading.Lock()

    def spend(self) -> bool:
        """Count a request that is about to be sent; False if none is left."""
        with self._lock:
            if self.requests is not None and self._sent >= self.requests:
                return False
            self._sent += 1
            return True


class Retry(NamedTuple):
    """How often and how long to try.

    Args:
        times: after a first failure.
        wait: seconds before the first new try; doubled with each, and each made longer or shorter by up to half.
        longest: seconds between tries, unless the server itself asks for more, of which ten minutes are granted.
    """

    times: int = 6
    wait: float = 1.0
    longest: float = 60.0


RETRY = Retry()
_ANY_NUMBER = Budget(None)


class Poster:
    """Posts JSON to one server, and tries again where that may help; for use from many threads.

    Args:
        connections: to the server.
        key: sent as a bearer token.
        retry: how often and how long to try.
        budget: of requests.
    """

    def __init__(
        self, connections: Connections, key: str | None = None, retry: Retry = RETRY, budget: Budget = _ANY_NUMBER
    ) -> None:
        self.url = connections.url
        self.stop = threading.Event()
        """Set it to make all threads give up soon."""
        self._connections, self._key, self._retry, self._budget = connections, key, retry, budget
        self._random = random.Random()

    def post(self, path: str, body: Any, read: Callable[[Any], T]) -> T:
        """Post, and read the answer.

        Args:
            path: below the address.
            body: anything JSON.
            read: makes something of the answer, or raises `Garbled`.

        Returns:
            What ``read`` returns.

        Raises:
            Refused: if the server refuses.
            InputError: if no try succeeds, or the budget is spent.
            Stopped: if `stop` was set meanwhile.
        """
        content = json.dumps(body).encode()
        problem = ""
        for attempt in range(self._retry.times + 1):
            requested: float | None = None
            try:
                answer = self._answer(path, content, problem)
                if 200 <= answer.status < 300:
                    return read(_json(answer.content))
                said = self._said(answer)
                if answer.status not in _TRANSIENT and answer.status < 500:
                    message = f"{self.url}{path}: the server refuses ({answer.status}): {said}"
                    raise Refused(message, answer.status, said)
                requested = _requested_wait(answer.headers.get("Retry-After"))
                problem = f"answered {answer.status}: {said}"
            except Garbled as fault:
                problem = f"sent a garbled answer: {fault}"
            except (OSError, http.client.HTTPException) as fault:
                if isinstance(fault, ssl.SSLCertVerificationError):
                    raise InputError(f"{self.url}: its certificate cannot be trusted: {fault.verify_message}") from None
                problem = _why(fault)
            if attempt < self._retry.times:
                self._pause(attempt, requested)
            elif self.stop.is_set():
                raise Stopped
        times = self._retry.times + 1
        raise InputError(
            f"{self.url}{path}: no answer in {times} tries; at the last the server {problem}. Run again when it is "
            "well: what has come is kept where there is a cache"
        )

    def _pause(self, attempt: int, requested: float | None) -> None:
        wait = min(self._retry.wait * 2**attempt, self._retry.longest) * self._random.uniform(0.5, 1.5)
        if requested is not None:
            wait = max(wait, min(requested, _LONGEST_REQUESTED_WAIT))
        if self.stop.wait(wait):
            raise Stopped

    def _answer(self, path: str, content: bytes, problem: str) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "llull"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"

        def sending() -> None:
            if self.stop.is_set():
                raise Stopped
            if not self._budget.spend():
                last = f"; at the last the server {problem}" if problem else ""
                raise InputError(
                    f"{self.url}{path}: all {self._budget.requests:,} requests that max_requests allows were sent"
                    f"{last}. Allow more and run again: what has come is kept where there is a cache"
                )

        return self._connections.post(path, content, headers, sending)

    def _said(self, answer: Answer) -> str:
        """The server's own message, in one line."""
        received = answer.content.decode("utf-8", "replace")
        try:
            found = json.loads(received)
        except ValueError:
            found = received
        for name in ("error", "message", "detail"):
            if isinstance(found, dict) and name in found:
                found = found[name]
        said = found if isinstance(found, str) else json.dumps(found)
        # Some servers repeat the key that they do not like.
        said = said.replace(self._key, "(key)") if self._key else said
        return " ".join(said.split())[:_LONGEST_SAID] or answer.reason


def address(url: str) -> str:
    """An address that paths are added to; without a path of its own, ``/v1`` is added."""
    bare = url.rstrip("/")
    return bare if urlsplit(url).path.strip("/") else f"{bare}/v1"


def _json(received: bytes) -> Any:
    try:
        return json.loads(received)
    except ValueError:
        raise Garbled(f"no JSON: {received[:80]!r}") from None


def _requested_wait(said: str | None) -> float | None:
    """Seconds that the server asks to wait, from a number or a date; None where it says neither."""
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
            seconds = (until - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _why(reason: Any) -> str:
    if isinstance(reason, TimeoutError):
        return "took too long"
    return f"could not be reached ({type(reason).__name__}: {reason})"
