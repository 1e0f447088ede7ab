"""Rows that cannot be carried are set aside by their key; what is in Postgres stays true; they come back."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence

import pytest

from rowferry_lab.compare import compare
from tests.acceptance.harness import Ferry, wait_until

BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
MARIADB = pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
MYSQL = pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
NUL = "CONCAT('a', CHAR(0), 'secret')"
ENTRIES = "SELECT table_name, key, column_name, policy FROM raw._rowferry_quarantine ORDER BY 1, 2"


def compared(text: str) -> str:
    """A part of a key as the comparer names it: numbers as they are, text in hexadecimal."""
    return text if text.isdigit() else text.encode().hex()


def assert_equal_but(ferry: Ferry, **aside: Sequence[tuple[str, ...]]) -> None:
    """The copy equals the source, save for these rows, which are missing in it."""
    canonical = {table: {tuple(map(compared, key)) for key in keys} for table, keys in aside.items()}
    result = compare(ferry.source.url, ferry.destination.url, set_aside=canonical)
    assert result.equal, result.describe()
    found: dict[str, list[tuple[str, ...]]] = {}
    for table, key, _, policy in ferry.destination.rows(ENTRIES):
        found.setdefault(table, []).append(tuple(key))
        assert policy == "invalid_text"
    assert found == {table: sorted(keys) for table, keys in aside.items() if keys}


@pytest.mark.parametrize(
    ("source", "engine"), [("mariadb_10_5", "MyISAM"), ("mysql_9_7", "InnoDB")], indirect=["source"]
)
def test_a_row_is_set_aside_and_comes_back(ferry: Ferry, engine: str) -> None:
    """By the copy and by the stream; updates, deletes, changed keys; an older version does not stay."""
    ferry.source.run(
        f"CREATE TABLE notes (id int PRIMARY KEY, n int, t text) ENGINE={engine}",
        f"INSERT INTO notes VALUES (1, 1, 'fine'), (2, 2, {NUL}), (3, 3, {NUL})",
        f"INSERT INTO notes VALUES (4, 4, {NUL}), (5, 5, 'fine')",
    )
    ferry.catch_up()
    assert_equal_but(ferry, notes=[("2",), ("3",), ("4",)])
    ferry.source.run(
        "UPDATE notes SET t = 'mended' WHERE id = 2",
        "DELETE FROM notes WHERE id = 3",
        "UPDATE notes SET n = 44 WHERE id = 4",
        f"UPDATE notes SET t = {NUL} WHERE id = 5",
        f"INSERT INTO notes VALUES (6, 6, {NUL}), (7, 7, 'fine')",
        "UPDATE notes SET id = 60 WHERE id = 6",
    )
    ferry.catch_up()
    assert_equal_but(ferry, notes=[("4",), ("5",), ("60",)])
    ferry.source.run(
        "UPDATE notes SET id = 40, t = 'mended' WHERE id = 4",
        "UPDATE notes SET t = 'a' WHERE id = 5",
        f"UPDATE notes SET t = {NUL} WHERE id = 5",
        "UPDATE notes SET t = 'b' WHERE id = 5",
        "DELETE FROM notes WHERE id = 60",
    )
    ferry.catch_up()
    assert_equal_but(ferry)


@BOTH
def test_rows_are_known_by_keys_of_every_kind(ferry: Ferry) -> None:
    """Also by a key that itself cannot be carried: then by its bytes."""
    kinds = {
        "words": ("varchar(20) CHARACTER SET latin1", "'Zoë'", "Zoë"),
        "bytes": ("varbinary(8)", "X'00FF'", "hex:00ff"),
        "days": ("datetime(3)", "'2024-02-29 01:02:03.4'", "2024-02-29 01:02:03.400"),
        "decimals": ("decimal(12,2)", "-12.5", "-12.50"),
        "years": ("year", "2024", "2024"),
        "bits": ("bit(5)", "b'101'", "00101"),
        "labels": ("enum('a','ü')", "'ü'", "ü"),
        "hexes": ("varchar(20)", "'hex:41'", "text:hex:41"),
    }
    for table, (kind, literal, _) in kinds.items():
        ferry.source.run(
            f"CREATE TABLE {table} (a int, k {kind}, t varchar(20), PRIMARY KEY (k, a))",
            f"INSERT INTO {table} (a, k, t) VALUES (1, {literal}, {NUL}), (2, {literal}, 'fine')",
        )
    ferry.source.run(
        "CREATE TABLE odd_keys (k varchar(20) PRIMARY KEY, n int)", f"INSERT INTO odd_keys VALUES ({NUL}, 1)"
    )
    ferry.catch_up()
    keys: dict[str, tuple[str, ...]] = {table: (shown, "1") for table, (_, _, shown) in kinds.items()}
    keys["odd_keys"] = ("hex:" + b"a\0secret".hex(),)
    found = {table: tuple(key) for table, key, _, _ in ferry.destination.rows(ENTRIES)}
    assert found == keys
    ferry.source.run(*(f"UPDATE {table} SET t = 'mended'" for table in kinds), "UPDATE odd_keys SET n = 2")
    ferry.catch_up()
    assert {table: tuple(key) for table, key, _, _ in ferry.destination.rows(ENTRIES)} == {
        "odd_keys": keys["odd_keys"]
    }
    ferry.source.run("DELETE FROM odd_keys")
    ferry.catch_up()
    assert_equal_but(ferry)


@MYSQL
def test_the_operator_sees_them_everywhere_and_never_their_values(ferry: Ferry) -> None:
    """Command line, status, metrics, log."""
    ferry.source.run(
        "CREATE TABLE notes (id int PRIMARY KEY, t text)", f"INSERT INTO notes VALUES (1, {NUL}), (2, 'x')"
    )
    assert "nothing was copied yet" in ferry.run("quarantine", "list").stderr
    with ferry.daemon() as daemon:
        daemon.wait_state("notes", "streaming")
        wait_until("status tells", lambda: daemon.table("notes").get("rows_set_aside") == 1)
        assert 'quarantine_rows{source="' in daemon.get("/metrics")[1]
        ferry.source.run(f"INSERT INTO notes VALUES (3, {NUL})")
        wait_until("status tells", lambda: daemon.table("notes").get("rows_set_aside") == 2)
        dropped = ferry.run("quarantine", "drop", "notes")
        assert dropped.stdout == "2 entries dropped\n"
        wait_until("status tells", lambda: daemon.table("notes").get("rows_set_aside") == 0)
        ferry.source.run(f"INSERT INTO notes VALUES (4, {NUL})")
        wait_until("status tells", lambda: daemon.table("notes").get("rows_set_aside") == 1)
        log = daemon.log.read_text()
        refused = ferry.run("quarantine", "retry")
        assert refused.returncode == 75
    shown = ferry.run("quarantine", "list").stdout
    assert "notes (4): column t: the character U+0000" in shown
    [entry] = json.loads(ferry.run("quarantine", "list", "--json").stdout)
    assert (entry["table"], entry["key"], entry["column"], entry["values"]) == ("notes", ["4"], "t", None)
    assert entry["position"].startswith("binlog.")
    told = ferry.run("status")
    status = told.stdout
    assert "1 rows are set aside" in status, told.stderr
    for text in (log, shown, status, json.dumps(entry)):
        assert "secret" not in text
    assert "rows_set_aside" in log
    for action in ("list", "drop", "retry"):
        unknown = ferry.run("quarantine", action, "ntoes")
        assert unknown.returncode == 1
        assert "table ntoes): it is not among the copied tables" in unknown.stderr
    assert ferry.run("quarantine", "drop").returncode == 2
    assert ferry.run("quarantine", "drop", "--all").stdout == "1 entries dropped\n"
    assert ferry.run("quarantine", "list", "notes").stdout == "no rows are set aside\n"


@MARIADB
def test_values_are_kept_if_the_operator_allows_it(ferry: Ferry) -> None:
    """All columns, the odd one in hexadecimal."""
    ferry.settings["ROWFERRY_QUARANTINE__KEEP_VALUES"] = "true"
    ferry.source.run(
        "CREATE TABLE notes (id int PRIMARY KEY, d date, t text)",
        f"INSERT INTO notes VALUES (1, '2024-01-02', {NUL})",
    )
    ferry.catch_up()
    ferry.source.run(f"INSERT INTO notes VALUES (2, NULL, {NUL})")
    ferry.catch_up()
    found = ferry.destination.rows("SELECT row_values FROM raw._rowferry_quarantine ORDER BY key")
    odd = "hex:" + b"a\0secret".hex()
    assert [values for (values,) in found] == [
        {"id": "1", "d": "2024-01-02", "t": odd},
        {"id": "2", "d": None, "t": odd},
    ]


@MARIADB
def test_retry_carries_what_fits_now(ferry: Ferry) -> None:
    """Rows mended without a trace in the binlog, rows that are gone, rows that still do not fit."""
    ferry.source.run(
        "CREATE TABLE notes (k varchar(20), id bigint unsigned, t text, PRIMARY KEY (k, id))",
        *(f"INSERT INTO notes VALUES ('é{n}', 18446744073709551615 - {n}, {NUL})" for n in range(4)),
    )
    ferry.catch_up()
    keys = [(f"é{n}", str(18446744073709551615 - n)) for n in range(4)]
    assert_equal_but(ferry, notes=keys)
    ferry.source.run(
        "SET SESSION sql_log_bin = 0",
        "UPDATE notes SET t = 'mended' WHERE k = 'é0'",
        "DELETE FROM notes WHERE k = 'é1'",
    )
    ferry.source.run("INSERT INTO notes VALUES ('later', 1, 'x')")
    done = ferry.run("quarantine", "retry", "notes")
    assert done.returncode == 1
    assert done.stdout == "1 rows carried, 1 gone at the source, 2 still set aside\n"
    assert_equal_but(ferry, notes=keys[2:])
    ferry.source.run("SET SESSION sql_log_bin = 0", "UPDATE notes SET t = 'mended' WHERE id > 1")
    done = ferry.run("quarantine", "retry")
    assert (done.returncode, done.stdout) == (0, "2 rows carried, 0 gone at the source, 0 still set aside\n")
    assert_equal_but(ferry)


@MYSQL
def test_too_many_rows_stop_the_table(ferry: Ferry) -> None:
    """By the copy at once, by the stream in the course of time; then it is no matter of single rows."""
    ferry.settings["ROWFERRY_QUARANTINE__MAX_ROWS"] = "3"
    ferry.source.run(
        "CREATE TABLE a (id int PRIMARY KEY, t text)",
        "CREATE TABLE b (id int PRIMARY KEY, t text)",
        "INSERT INTO a VALUES " + ", ".join(f"({n}, {NUL})" for n in range(4)),
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "quarantine.max_rows" in ferry.tracked("error", "a")
    for n in range(4):
        assert ferry.tracked("state", "b") == "streaming"
        ferry.source.run(f"INSERT INTO b VALUES ({n}, {NUL})")
        ferry.run("run", "--until-caught-up")
    assert ferry.tracked("state", "b") == "stopped"
    assert "quarantine.max_rows" in ferry.tracked("error", "b")


@MARIADB
def test_a_copy_confirms_what_is_set_aside(ferry: Ferry) -> None:
    """Entries of rows that went or were mended unseen end with the next copy, as rows do."""
    ferry.source.run(
        "CREATE TABLE notes (id int PRIMARY KEY, t text)",
        f"INSERT INTO notes VALUES (1, {NUL}), (2, {NUL}), (3, {NUL}), (4, 'x')",
    )
    ferry.catch_up()
    ferry.source.run(
        "SET SESSION sql_log_bin = 0",
        "DELETE FROM notes WHERE id = 1",
        "UPDATE notes SET t = 'mended' WHERE id = 2",
    )
    assert ferry.run("resync", "notes").returncode == 0
    assert_equal_but(ferry, notes=[("3",)])
    ferry.source.run("CREATE TABLE other (id int PRIMARY KEY)")
    ferry.catch_up(ROWFERRY_TABLES__EXCLUDE="notes")
    assert ferry.destination.rows(ENTRIES) == []


@MYSQL
@pytest.mark.parametrize("fail_point", ["load-merged", "before-commit", "after-commit"])
def test_entries_and_rows_commit_together(ferry: Ferry, fail_point: str) -> None:
    """Killed at any place, a row is never in both, and never in neither."""
    ferry.source.run(
        "CREATE TABLE notes (id int PRIMARY KEY, t text)",
        f"INSERT INTO notes VALUES (1, 'x'), (2, {NUL})",
    )
    ferry.catch_up()
    ferry.source.run(
        f"UPDATE notes SET t = {NUL} WHERE id = 1",
        "UPDATE notes SET t = 'mended' WHERE id = 2",
        f"INSERT INTO notes VALUES (3, {NUL})",
    )
    killed = ferry.run("run", "--until-caught-up", ROWFERRY_FAILPOINT=fail_point)
    assert killed.returncode == -signal.SIGKILL
    committed = fail_point == "after-commit"
    rows = [(2,)] if committed else [(1,)]
    assert ferry.destination.rows("SELECT id FROM raw.notes") == rows
    aside = [["1"], ["3"]] if committed else [["2"]]
    assert [key for _, key, _, _ in ferry.destination.rows(ENTRIES)] == aside
    ferry.catch_up()
    assert_equal_but(ferry, notes=[("1",), ("3",)])
