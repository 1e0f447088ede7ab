"""The daemon's HTTP server: a few answers, given by one thread to any number of clients, at a bounded cost.

Knows its answers as functions of the query; reads of a request no more than its first line. One thread waits
for all clients at once, so that a slow one costs a socket and nothing else. What it may cost altogether is
bounded: sockets, bytes, seconds for each client, and its share of one processor (`pace`): the stream needs
the rest.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from rowferry import logs
from rowferry.errors import ConfigurationError
from rowferry.pace import Cached, Pace
from rowferry.setting_groups import split_listen

MAX_CLIENTS: Final = 64
MAX_REQUEST_BYTES: Final = 8_192
REQUEST_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 30.0
_BACKLOG: Final = 128
_ACCEPTS_AT_ONCE: Final = 16
_CHUNK: Final = 65_536
_TURN_SECONDS: Final = 0.5

_HEADERS: Final = (
    "Connection: close",
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "Referrer-Policy: no-referrer",
    "Server: rowferry",
)
_NO_ASSETS: Final = "default-src 'none'; frame-ancestors 'none'"

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code, the body's content type and the body. policy: what a browser may load for it."""

    code: int
    kind: str
    body: bytes
    policy: str = _NO_ASSETS
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Gives an answer to a query. flags: the queries that it knows; any other is not looked at."""

    answer: Callable[[Query], Answer]
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class _Client:
    """deadline: a time of the monotonic clock."""

    connection: socket.socket
    address: str
    deadline: float
    request: bytearray = field(default_factory=bytearray)
    answer: list[memoryview] = field(default_factory=list)


class StatusServer:
    """Serves until `close`."""

    def __init__(
        self, listen: str, endpoints: Mapping[str, Endpoint], each_turn: Callable[[], None] = lambda: None
    ) -> None:
        """listen: address:port. endpoints: by path. each_turn: called at least twice a second in its thread.

        Raises ConfigurationError if the port is taken.
        """
        self._endpoints = endpoints
        self._each_turn = each_turn
        self._pace = Pace()
        self._cached: dict[tuple[str, ...], Cached[Answer]] = {}
        self._clients: dict[socket.socket, _Client] = {}
        self._stopped = threading.Event()
        self._log = logs.get()
        self._listener = _listen(listen)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop serving."""
        self._stopped.set()
        with suppress(OSError), closing(socket.create_connection(self._listener.getsockname()[:2], 1.0)):
            pass  # wakes it
        self._thread.join(TIMEOUT_SECONDS)

    def _serve(self) -> None:
        try:
            while not self._stopped.is_set():
                ready = self._selector.select(_TURN_SECONDS)
                began = time.thread_time()
                for key, _ in ready:
                    self._attend(key.fileobj)
                self._end_late_ones()
                self._each_turn()
                self._stopped.wait(self._pace.rest(time.monotonic(), time.thread_time() - began))
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listener.close()

    def _attend(self, ready: Any) -> None:
        if ready is self._listener:
            self._accept()
        elif (client := self._clients.get(ready)) is not None:
            self._go_on(client)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            client = _Client(connection, address[0], time.monotonic() + REQUEST_SECONDS)
            if len(self._clients) >= MAX_CLIENTS:
                self._make_room()
            self._clients[connection] = client
            self._selector.register(connection, selectors.EVENT_READ)
            self._go_on(client)  # whoever asks at once is answered before others can crowd it out

    def _make_room(self) -> None:
        """Close the oldest connection of the address that has the most."""
        crowd = Counter(client.address for client in self._clients.values()).most_common(1)[0][0]
        self._drop(next(client for client in self._clients.values() if client.address == crowd))

    def _end_late_ones(self) -> None:
        now = time.monotonic()
        for client in [c for c in self._clients.values() if c.deadline < now]:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.connection]
        self._selector.unregister(client.connection)
        client.connection.close()

    def _go_on(self, client: _Client) -> None:
        try:
            done = self._write(client) if client.answer else self._read(client)
        except BlockingIOError:
            return
        except OSError:
            done = True
        if done:
            self._drop(client)

    def _read(self, client: _Client) -> bool:
        """Take what has come of a request; whether the client is done with."""
        part = client.connection.recv(_CHUNK)
        client.request += part
        ended = b"\r\n\r\n" in client.request or b"\n\n" in client.request
        too_long = len(client.request) > MAX_REQUEST_BYTES
        if not ended and not too_long:
            return not part
        head, body = self._respond(client.request, too_long=too_long)
        client.answer = [memoryview(part) for part in (head, body) if part]
        client.deadline += TIMEOUT_SECONDS - REQUEST_SECONDS
        self._selector.modify(client.connection, selectors.EVENT_WRITE)
        return self._write(client)

    def _write(self, client: _Client) -> bool:
        """Hand out what the client takes; whether that was all."""
        while client.answer:
            sent = client.connection.send(client.answer[0][:_CHUNK])
            client.answer[0] = client.answer[0][sent:]
            if not client.answer[0]:
                del client.answer[0]
        client.connection.shutdown(socket.SHUT_WR)
        return True

    def _respond(self, request: bytearray, *, too_long: bool) -> tuple[bytes, bytes]:
        """Header and body. A HEAD has no body."""
        line = bytes(request).partition(b"\n")[0].decode("latin-1").split()
        method = line[0] if line else ""
        if too_long:
            answer = as_text(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long")
        elif len(line) != 3 or not line[2].startswith("HTTP/1."):
            answer = as_text(HTTPStatus.BAD_REQUEST, "not a request")
        elif method not in ("GET", "HEAD"):
            refused = as_text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
            answer = Answer(refused.code, refused.kind, refused.body, headers=("Allow: GET, HEAD",))
        else:
            answer = self._answer(*line[1].partition("?")[::2])
        head = [
            f"HTTP/1.1 {int(answer.code)} {HTTPStatus(answer.code).phrase}",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {len(answer.body)}",
            f"Content-Security-Policy: {answer.policy}",
            *_HEADERS,
            *answer.headers,
        ]
        return "\r\n".join([*head, "\r\n"]).encode("latin-1"), b"" if method == "HEAD" else answer.body

    def _answer(self, path: str, query: str) -> Answer:
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            return as_text(HTTPStatus.NOT_FOUND, "not found")
        given = dict(parse_qsl(query, keep_blank_values=True))
        known = {flag: "1" for flag in endpoint.flags if _holds(flag, given)}
        cached = self._cached.setdefault((path, *known), Cached())
        try:
            return cached.get(lambda: endpoint.answer(known))
        except Exception as error:  # noqa: BLE001 - a defect in one answer must not end the others
            self._log.error("answer_failed", path=path, error=type(error).__name__)
            return as_text(HTTPStatus.INTERNAL_SERVER_ERROR, "this page failed; the log says why")


def _holds(flag: str, given: Query) -> bool:
    """A flag is `name` (whatever it is set to) or `name=value`."""
    name, equals, value = flag.partition("=")
    return given.get(name) == value if equals else name in given


def _listen(listen: str) -> socket.socket:
    host, port = split_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not an address"
        raise ConfigurationError(
            "listen", f"http.listen={listen}", reason=reason, hint="Choose another address or port"
        ) from None
    listener.setblocking(False)
    return listener


def as_json(code: int, document: Any) -> Answer:
    """An answer that holds a JSON document."""
    return Answer(code, "application/json", json.dumps(document, default=str).encode() + b"\n")


def as_text(code: int, text: str) -> Answer:
    """An answer in plain text."""
    return Answer(code, "text/plain; charset=utf-8", text.encode() + b"\n")
