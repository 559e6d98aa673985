"""Connections to one server, kept open between requests and shared by threads."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
import weakref
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from llull.errors import InputError

_GONE = (http.client.RemoteDisconnected, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""How a connection fails that the server has closed since its last answer."""


class Answer(NamedTuple):
    """What a server sent back."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    content: bytes


class Connections:
    """Connections to one server: as many as there are threads that ask at once, each used again and again.

    Proxies are those that the environment names, as for `urllib`. Redirects are not followed, as they would carry a
    key to another server.

    Args:
        url: of the server; what is asked for is below its path.
        timeout: seconds without a sign of life.

    Raises:
        InputError: if the address is not one of HTTP.
    """

    def __init__(self, url: str, timeout: float) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = None, None, None
        if parts is None or parts.scheme not in ("http", "https") or not host:
            raise InputError(f"server {url!r}: give an address such as http://localhost:8000/v1")
        self.url = url
        self._host, self._port, self._timeout = host, port or (443 if parts.scheme == "https" else 80), timeout
        self._certificates = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self._proxy = (
            None if urllib.request.proxy_bypass(parts.netloc) else urllib.request.getproxies().get(parts.scheme)
        )
        # Through a proxy, http asks for whole addresses.
        self._before = f"{parts.scheme}://{parts.netloc}" if self._proxy and self._certificates is None else ""
        self._idle: list[http.client.HTTPConnection] = []
        weakref.finalize(self, _close, self._idle)

    def post(self, path: str, content: bytes, headers: dict[str, str], sending: Callable[[], None]) -> Answer:
        """Send a request and read all of its answer.

        A connection that the server has closed since its last answer says nothing about the server: the request is
        sent again, once, over a new one.

        Args:
            path: below the address.
            content: to be sent.
            headers: beside those of HTTP itself.
            sending: called each time before the request is sent.

        Raises:
            OSError: if there is no connection, or it breaks.
            http.client.HTTPException: if what comes back is no HTTP.
        """
        target = f"{self._before}{self._path}{path}"
        sending()
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._exchange(self._open(), target, content, headers)
        try:
            return self._exchange(kept, target, content, headers)
        except _GONE:
            _close(self._idle)
        sending()
        return self._exchange(self._open(), target, content, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, target: str, content: bytes, headers: dict[str, str]
    ) -> Answer:
        try:
            connection.request("POST", target, content, headers | self._proxy_headers(target))
            response = connection.getresponse()
            answer = Answer(response.status, response.reason, response.headers, response.read())
        except BaseException:
            connection.close()
            raise
        # Without a socket the server has said that it closes.
        if connection.sock is not None:
            self._idle.append(connection)
        return answer

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._host, self._port
        if self._proxy is not None:
            proxy = urlsplit(self._proxy if "//" in self._proxy else f"//{self._proxy}")
            if not proxy.hostname:
                raise InputError(
                    "the proxy that the environment names for this server is no address; correct or unset it"
                )
            host, port = proxy.hostname, proxy.port or 80
        if self._certificates is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        made = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._certificates)
        if self._proxy is not None:
            made.set_tunnel(self._host, self._port, self._proxy_key())
        return made

    def _proxy_headers(self, target: str) -> dict[str, str]:
        return self._proxy_key() if target.startswith("http://") else {}

    def _proxy_key(self) -> dict[str, str]:
        proxy = urlsplit(self._proxy if self._proxy and "//" in self._proxy else f"//{self._proxy or ''}")
        if proxy.username is None:
            return {}
        said = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _close(connections: list[http.client.HTTPConnection]) -> None:
    while connections:
        connections.pop().close()
