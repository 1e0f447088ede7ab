"""A SELECT's rows from a connection: all of them, or an error and no doubt about the connection."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from rowferry.errors import RowferryError, SchemaMoved, SelectTooLong, Unreachable
from rowferry.raw_rows import select_columns
from tests.unit.test_text_columns import EOF, Row, packets_of, payload_of

ROWS: list[Row] = [(b"1", None), (b"2", b"x" * 300), (b"3", b"")]
PAYLOADS = [*map(payload_of, ROWS)]
FIRST = 7


class Driver:
    """Stands in for pymysql's connection after it has read the columns' descriptions."""

    def __init__(self, wire: bytes, *, has_rows: bool = True) -> None:
        self._rfile: Any = io.BufferedReader(io.BytesIO(wire))
        self._next_seq_id = FIRST
        self._result = SimpleNamespace(field_count=2, unbuffered_active=has_rows)
        self.open = True

    def query(self, sql: str, unbuffered: bool) -> None:
        """Nothing is to be sent."""
        assert unbuffered

    def _force_close(self) -> None:
        self.open = False


def selected(driver: Any) -> list[Row]:
    """The rows; nothing of them is left for the driver to read."""
    try:
        return list(select_columns(driver, "SELECT"))
    finally:
        assert driver._result.unbuffered_active is False


def error(code: int, text: bytes = b"secret") -> bytes:
    """An error packet's payload."""
    return b"\xff" + code.to_bytes(2, "little") + b"#HY000" + text


def test_rows_end_with_an_eof_packet() -> None:
    """And the connection is kept."""
    driver = Driver(packets_of([*PAYLOADS, EOF], FIRST))
    assert selected(driver) == ROWS
    assert driver.open


@pytest.mark.parametrize("before", range(len(PAYLOADS) + 1))
@pytest.mark.parametrize(
    ("code", "kind"),
    [(1969, SelectTooLong), (3024, SelectTooLong), (1412, SchemaMoved), (1317, Unreachable)],
)
def test_an_error_ends_the_rows_too(before: int, code: int, kind: type[RowferryError]) -> None:
    """It is raised, without its text, and the connection is kept."""
    driver = Driver(packets_of([*PAYLOADS[:before], error(code)], FIRST))
    with pytest.raises(kind) as caught:
        selected(driver)
    assert "secret" not in str(caught.value)
    assert driver.open


def test_rows_without_an_end_are_not_all() -> None:
    """Wherever the connection breaks; it is closed."""
    wire = packets_of([*PAYLOADS, EOF], FIRST)
    for size in range(len(wire)):
        driver = Driver(wire[:size])
        with pytest.raises(Unreachable):
            selected(driver)
        assert not driver.open


@pytest.mark.parametrize(
    "payloads",
    [
        [*PAYLOADS, b"\x01x", EOF],
        [PAYLOADS[0][:-1], EOF],
        [*PAYLOADS, b"\xfe\x00\x00\x0a\x00"],
        [*PAYLOADS, b"\xfe\x00\x00\x02\x00\x00\x00"],
        [*PAYLOADS, b"\xfe"],
        [*PAYLOADS, b"", EOF],
    ],
    ids=["a value missing", "a row cut", "another result", "another end", "half an end", "an empty row"],
)
def test_what_is_no_result_is_an_error(payloads: list[bytes]) -> None:
    """The connection is closed, and no value told."""
    driver = Driver(packets_of(payloads, FIRST))
    with pytest.raises(Unreachable, match="the answer is no result") as caught:
        selected(driver)
    assert "x" * 9 not in str(caught.value)
    assert not driver.open


def test_packets_out_of_turn_are_an_error() -> None:
    """As where one was lost."""
    driver = Driver(packets_of([*PAYLOADS, EOF], FIRST + 1))
    with pytest.raises(Unreachable):
        selected(driver)
    assert not driver.open


def test_a_statement_without_rows_is_an_error() -> None:
    """Nothing of it is left to be read."""
    driver = Driver(b"", has_rows=False)
    with pytest.raises(Unreachable, match="it has no rows"):
        selected(driver)
    assert driver.open


def test_a_refused_statement_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the driver raises it."""

    def refuse(*_: object, **__: object) -> None:
        raise pymysql.OperationalError(3024, "secret")

    driver = Driver(b"", has_rows=False)
    monkeypatch.setattr(driver, "query", refuse)
    with pytest.raises(SelectTooLong) as caught:
        selected(driver)
    assert "secret" not in str(caught.value)
