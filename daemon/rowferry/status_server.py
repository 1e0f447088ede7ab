"""The daemon's HTTP server: /metrics, /livez, /readyz, /status. Everything else is 404.

Knows its answers as functions; reads nothing from clients but the request line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from rowferry.errors import ConfigurationError

TIMEOUT_SECONDS: Final = 10
MAX_THREADS: Final = 16

Answer = tuple[int, str, bytes]


class StatusServer:
    """Serves until `close`."""

    def __init__(self, listen: str, answers: dict[str, Callable[[], Answer]]) -> None:
        """listen: address:port. answers: by path. Raises ConfigurationError if the port is taken."""
        host, _, port = listen.rpartition(":")
        slots = threading.BoundedSemaphore(MAX_THREADS)
        try:
            self._server = _Server((host.strip("[]"), int(port)), _handler(answers), slots)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not an address"
            raise ConfigurationError(
                "listen", f"http.listen={listen}", reason=reason, hint="Choose another address or port"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: Any, slots: threading.BoundedSemaphore) -> None:
        self._slots = slots
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(answers: dict[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_SECONDS
        server_version = "rowferry"
        sys_version = ""

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            code, kind, body = answer() if answer else (404, "text/plain", b"not found\n")
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged."""

    return Handler


def as_json(code: int, document: Any) -> Answer:
    """An answer that holds a JSON document."""
    return code, "application/json", json.dumps(document, default=str).encode() + b"\n"


def as_text(code: int, text: str) -> Answer:
    """An answer in plain text."""
    return code, "text/plain; charset=utf-8", text.encode() + b"\n"
