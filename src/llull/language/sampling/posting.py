"""JSON over HTTP to a server that may be busy, slow or broken for a while."""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from llull.errors import InputError

T = TypeVar("T")

_TRANSIENT = frozenset({408, 409, 425, 429})
"""What a server may answer now and not later, besides all of 500 and above."""

_LONGEST_REQUESTED_WAIT = 600.0
_LONGEST_SAID = 300


class Garbled(Exception):
    """An answer that is not what the server should have sent."""


class Stopped(Exception):
    """Posting was given up because of `Poster.stop`."""


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


class Poster:
    """Posts JSON to one server, and tries again where that may help; for use from many threads.

    Args:
        url: that paths are added to; without a path of its own, ``/v1`` is added.
        key: sent as a bearer token.
        timeout: seconds without a sign of life.
        retry: how often and how long to try.

    Raises:
        InputError: if the address is not one of HTTP.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 600.0, retry: Retry = RETRY) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(f"server {url!r}: give an address such as http://localhost:8000/v1")
        self.url = url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"
        self.stop = threading.Event()
        """Set it to make all threads give up soon."""
        self._key, self._timeout, self._retry = key, timeout, retry
        # A redirect would carry the key to another server.
        self._opener = urllib.request.build_opener(_NoRedirect)
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
            InputError: if the server refuses, or no try succeeds.
            Stopped: if `stop` was set meanwhile.
        """
        content = json.dumps(body).encode()
        problem = ""
        for attempt in range(self._retry.times + 1):
            requested: float | None = None
            try:
                return read(self._answer(path, content))
            except urllib.error.HTTPError as fault:
                said = self._said(fault)
                if fault.code not in _TRANSIENT and fault.code < 500:
                    raise InputError(f"{self.url}{path}: the server refuses ({fault.code}): {said}") from None
                requested = _requested_wait(fault.headers.get("Retry-After"))
                problem = f"answered {fault.code}: {said}"
            except Garbled as fault:
                problem = f"sent a garbled answer: {fault}"
            except (OSError, http.client.HTTPException) as fault:
                reason = fault.reason if isinstance(fault, urllib.error.URLError) else fault
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise InputError(
                        f"{self.url}: its certificate cannot be trusted: {reason.verify_message}"
                    ) from None
                problem = _why(reason)
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

    def _answer(self, path: str, content: bytes) -> Any:
        if self.stop.is_set():
            raise Stopped
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "llull"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url + path, content, headers, method="POST")
        with self._opener.open(request, timeout=self._timeout) as response:
            received = response.read()
        try:
            return json.loads(received)
        except ValueError:
            raise Garbled(f"no JSON: {received[:80]!r}") from None

    def _said(self, fault: urllib.error.HTTPError) -> str:
        """The server's own message, in one line."""
        try:
            received = fault.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            received = ""
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
        return " ".join(said.split())[:_LONGEST_SAID] or str(fault.reason)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _requested_wait(said: str | None) -> float | None:
    """Seconds that the server asks to wait, from a number or a date."""
    if said is None:
        return None
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


def _why(reason: Any) -> str:
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return "took too long"
    return f"could not be reached ({type(reason).__name__}: {reason})"
