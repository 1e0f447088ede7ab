"""The HTTP server: small, local, and never in anyone's way."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from rowferry.errors import ConfigurationError
from rowferry.status_server import MAX_THREADS, Answer, StatusServer, as_json, as_text

ANSWERS: dict[str, Callable[[], Answer]] = {
    "/livez": lambda: as_text(200, "ok"),
    "/readyz": lambda: as_text(503, "copying"),
    "/status": lambda: as_json(200, {"a": 1, "b": object}),
}
PATIENCE = 30


@pytest.fixture
def server() -> Iterator[StatusServer]:
    """On any free port."""
    with closing(StatusServer("127.0.0.1:0", ANSWERS)) as running:
        yield running


def ask(server: StatusServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Code, content type and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as client:
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()


def test_each_path_has_its_answer(server: StatusServer) -> None:
    """A query does not matter."""
    assert ask(server, "/livez") == (200, "text/plain; charset=utf-8", b"ok\n")
    assert ask(server, "/livez?verbose=1")[0] == 200
    assert ask(server, "/readyz")[0] == 503


def test_json_is_json_whatever_is_in_it(server: StatusServer) -> None:
    """Times and positions are told as text."""
    code, kind, body = ask(server, "/status")
    assert (code, kind) == (200, "application/json")
    assert json.loads(body)["a"] == 1


@pytest.mark.parametrize("path", ["/", "/livez/", "/metricsx", "/../livez", "/%6civez", "*"])
def test_everything_else_is_not_found(server: StatusServer, path: str) -> None:
    """No files, no listings."""
    assert ask(server, path)[0] == 404


def test_other_methods_are_refused(server: StatusServer) -> None:
    """Nothing can be changed over HTTP."""
    assert ask(server, "/livez", "POST")[0] == 501


def test_it_does_not_tell_its_versions(server: StatusServer) -> None:
    """Nor Python's."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as client:
        client.request("GET", "/livez")
        assert client.getresponse().headers["Server"].strip() == "rowferry"


def test_a_slow_client_does_not_block_others(server: StatusServer) -> None:
    """One that connects and says nothing, one that stops in the middle, one that never reads."""
    clients = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(3)]
    try:
        clients[1].sendall(b"GET /li")
        clients[2].sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        for _ in range(5):
            assert ask(server, "/livez")[0] == 200
    finally:
        for client in clients:
            client.close()


def test_clients_are_bounded(server: StatusServer) -> None:
    """One too many is turned away at once; when the others leave, there is room again."""
    clients = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(MAX_THREADS)]
    try:
        with closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE)) as extra:
            assert extra.recv(1) == b""
    finally:
        for client in clients:
            client.close()
    for _ in range(1_000):
        try:
            assert ask(server, "/livez")[0] == 200
            return
        except (ConnectionError, http.client.HTTPException):
            continue
    pytest.fail("no room after the clients left")


def test_a_client_that_leaves_is_no_news(server: StatusServer, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback on stderr, no access log."""
    with closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE)) as client:
        client.sendall(b"\x00\xff nonsense\r\n\r\n")
        client.recv(10)
    ask(server, "/nothing")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def refused(listen: str) -> str:
    """The one line that an address is refused with."""
    with pytest.raises(ConfigurationError) as caught:
        StatusServer(listen, ANSWERS).close()
    line = str(caught.value)
    assert "\n" not in line
    assert f"http.listen={listen}" in line
    assert "another address or port" in line
    return line


def test_a_port_that_is_taken_is_one_clear_error(server: StatusServer) -> None:
    """The usual mistake with two daemons."""
    assert "in use" in refused(f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "no.such.host.invalid:80", "192.0.2.1:80", "a..b:80"])
def test_an_address_that_is_not_ours_is_one_clear_error(listen: str) -> None:
    """Not a traceback."""
    refused(listen)


def test_the_port_is_free_again_after_closing() -> None:
    """A restart takes the same one."""
    with closing(StatusServer("127.0.0.1:0", ANSWERS)) as first:
        port = first.port
    with closing(StatusServer(f"127.0.0.1:{port}", ANSWERS)) as second:
        assert ask(second, "/livez")[0] == 200
