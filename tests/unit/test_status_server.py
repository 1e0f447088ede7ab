"""The HTTP server: small, local, and never in anyone's way."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from rowferry.errors import ConfigurationError
from rowferry.status_server import MAX_CLIENTS, MAX_REQUEST_BYTES, Endpoint, StatusServer, as_json, as_text

BIG = "x" * 8_000_000


def _defect(_query: object) -> None:
    raise KeyError("Canary")


ANSWERS = {
    "/livez": Endpoint(lambda _: as_text(200, "ok")),
    "/readyz": Endpoint(lambda query: as_text(503, f"copying {sorted(query)}"), ("verbose", "standby=ok")),
    "/status": Endpoint(lambda _: as_json(200, {"a": 1, "b": object})),
    "/big": Endpoint(lambda _: as_text(200, BIG)),
    "/defect": Endpoint(_defect),  # type: ignore[arg-type]
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
    assert ask(server, "/livez", "POST")[0] == 405


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


def connections(server: StatusServer, number: int) -> list[socket.socket]:
    """Clients that connect, begin a request, and say no more."""
    clients = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        with suppress(OSError):  # it may have been closed for a newer one
            client.sendall(b"GET /li")
        clients.append(client)
    return clients


def test_the_crowd_makes_room_for_others(server: StatusServer) -> None:
    """Clients are bounded; a connection of another address outlasts those of the one that has the most."""
    with closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE, ("127.0.0.9", 0))) as other:
        other.sendall(b"GET /livez HTTP/1.1\r\n")
        clients = connections(server, 2 * MAX_CLIENTS)
        try:
            assert ask(server, "/livez")[0] == 200
            assert len(server._clients) <= MAX_CLIENTS
            other.sendall(b"\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200 ")
        finally:
            for client in clients:
                client.close()


def test_a_flood_leaves_the_others_their_answers(server: StatusServer) -> None:
    """Four clients ask as fast as they can, a hundred dawdle: another is answered."""
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            with suppress(OSError, http.client.HTTPException):
                ask(server, "/status")

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    clients = connections(server, 100)
    try:
        for _ in range(5):
            other = http.client.HTTPConnection("127.0.0.1", server.port, PATIENCE, ("127.0.0.9", 0))
            with closing(other):
                other.request("GET", "/livez")
                assert other.getresponse().status == 200
    finally:
        stop.set()
        for client in clients:
            client.close()
        for each in threads:
            each.join(PATIENCE)


def test_a_long_answer_arrives_whole(server: StatusServer) -> None:
    """More than a socket holds at once."""
    assert ask(server, "/big")[2] == BIG.encode() + b"\n"


def test_a_request_is_bounded(server: StatusServer) -> None:
    """Headers without end are refused, not kept."""
    connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    with closing(connection) as client, suppress(ConnectionError):
        client.sendall(b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * MAX_REQUEST_BYTES)
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")
    assert ask(server, "/livez")[0] == 200


def test_a_defect_in_an_answer_ends_no_server(server: StatusServer) -> None:
    """It is a 500 without a word of its message."""
    code, _, body = ask(server, "/defect")
    assert code == 500
    assert b"Canary" not in body
    assert ask(server, "/livez")[0] == 200


def test_only_known_queries_reach_an_answer(server: StatusServer) -> None:
    """So that no query makes the same answer be made again."""
    assert ask(server, "/readyz?x=1&verbose=1&standby=no")[2] == b"copying ['verbose']\n"
    assert ask(server, "/readyz?standby=ok")[2] == b"copying ['standby=ok']\n"
    assert len(server._cached) == 2


def test_answers_say_what_a_browser_may_do(server: StatusServer) -> None:
    """No script, no frame, no guess, no copy kept. HEAD says the same, without a body."""
    for method in ("GET", "HEAD"):
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as client:
            client.request(method, "/livez")
            answer = client.getresponse()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Length"] == "3"
            assert answer.read() == (b"ok\n" if method == "GET" else b"")


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
