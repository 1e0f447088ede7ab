"""`rowferry resync` mends another type in Postgres in place; views stay, and what they hold is kept."""

from __future__ import annotations

import json
from typing import Any

from rowferry.retype import holds
from rowferry.standing import stand_in_name
from tests.acceptance.harness import Ferry

COLUMNS = {
    "ti": "tinyint",
    "small": "smallint",
    "inte": "int",
    "big": "bigint",
    "ubig": "bigint unsigned",
    "deci": "decimal(10,2)",
    "flo": "float",
    "dou": "double",
    "chars": "varchar(20)",
    "long_text": "mediumtext",
    "kind": "enum('a','bb')",
    "tags": "set('x','y')",
    "day": "date",
    "moment": "datetime(3)",
    "plain": "datetime",
    "stamp": "timestamp(3) NULL",
    "clock": "time(2)",
    "flag": "bit(1)",
    "bits": "bit(9)",
    "bytes": "varbinary(20)",
    "doc": "json",
    "y": "year",
}
ROWS = (
    "(1, 1, -2, 3, 4, 18446744073709551615, 1.50, 0.1, 0.1, 'abc', 'long', 'a', 'x,y', '2024-02-29',"
    " '2024-02-29 10:11:12.500', '2024-02-29 10:11:12', '2024-02-29 10:11:12.500', '-10:11:12.25', b'1',"
    " b'000000001', x'00ff', '[1]', 2024)",
    "(2, -128, -32768, -2147483648, -9223372036854775808, 0, -99999999.99, -3.4e38, 1.7e308, '', '',"
    " 'bb', '', '0001-01-01', '0001-01-01 00:00:00', '9999-12-31 23:59:59', '1971-01-01 00:00:00',"
    " '838:59:59', b'0', b'111111111', '', '{}', 1901)",
    f"({', '.join(['3'] + ['NULL'] * len(COLUMNS))})",
)
OTHERS = (
    "bytea",
    "text",
    "boolean",
    "date",
    "xml",
    "integer",
    "character varying(3)",
    "jsonb",
    "numeric(3,1)",
)
KEPT = {
    "ti": "bigint",
    "small": "integer",
    "inte": "numeric(20,0)",
    "big": "numeric",
    "ubig": "numeric(24,2)",
    "deci": "numeric(20,4)",
    "flo": "double precision",
    "chars": "character varying(60)",
    "long_text": "text",
    "kind": "character varying",
    "tags": "text",
    "day": "timestamp without time zone",
    "moment": "timestamp without time zone",
    "plain": "timestamp(2) without time zone",
    "stamp": "timestamp with time zone",
    "y": "numeric(9,1)",
}
"""Wider types of the same family: a resync leaves them as they are."""


def fill(ferry: Ferry) -> None:
    """One table with a column of every kind, its key a number and a text."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
    ferry.source.run(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns}) CHARACTER SET utf8mb4",
        *(f"INSERT INTO t VALUES {row}" for row in ROWS),
    )


def alter(ferry: Ferry, kinds: dict[str, str], using: str = "NULL") -> None:
    """Another type for some columns, behind Rowferry's back."""
    parts = [f'ALTER "{name}" TYPE {kind} USING {using}::{kind}' for name, kind in kinds.items()]
    ferry.destination.run(f"ALTER TABLE raw.t {', '.join(parts)}")


def types(ferry: Ferry, table: str = "t") -> dict[str, str]:
    """The types in Postgres."""
    sql = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = 'raw.{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return {str(row[0]): str(row[1]) for row in ferry.destination.rows(sql)}


def resynced(ferry: Ferry, *tables: str) -> None:
    """A resync that must end with 0."""
    done = ferry.run("resync", *(tables or ("t",)))
    assert done.returncode == 0, done.stderr[-3000:]


def verified(ferry: Ferry) -> dict[str, str]:
    """What `verify` says of each table."""
    done = ferry.run("verify", "--json")
    assert done.stdout, done.stderr[-3000:]
    return {
        r["table"]: r["result"] if r["result"] != "different" else json.dumps(r)
        for r in json.loads(done.stdout)["tables"]
    }


def notes(ferry: Ferry, table: str = "t") -> dict[str, list[dict[str, Any]]]:
    """The differences that `schema` tells of, by kind."""
    done = ferry.run("schema", "--json", table)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for difference in json.loads(done.stdout)["tables"][0]["differences"]:
        found.setdefault(difference["kind"], []).append(difference)
    return found


def test_columns_of_any_other_type_are_mended_in_place(mariadb_ferry: Ferry) -> None:
    """Every family; the table stays the same one, with the grants and the index that people gave it."""
    ferry = mariadb_ferry
    fill(ferry)
    ferry.catch_up()
    usual = types(ferry)
    [(made,)] = ferry.destination.rows("SELECT 'raw.t'::regclass::oid")
    ferry.destination.run("GRANT SELECT ON raw.t TO pg_monitor", 'CREATE INDEX by_chars ON raw.t ("chars")')
    for turn in range(3):
        other = {name: OTHERS[(at + 3 * turn) % len(OTHERS)] for at, name in enumerate(COLUMNS)}
        changed = {name: kind for name, kind in other.items() if usual[name] != kind and name != "chars"}
        alter(ferry, {**changed, "chars": "character varying(3)"})
        resynced(ferry)
        found = types(ferry)
        assert all(found[n] == usual[n] or holds(changed[n], usual[n]) for n in COLUMNS), (turn, found)
        assert verified(ferry) == {"t": "equal"}, turn
    assert ferry.destination.rows("SELECT 'raw.t'::regclass::oid") == [(made,)]
    assert ferry.destination.rows("SELECT has_table_privilege('pg_monitor', 'raw.t', 'SELECT')") == [(True,)]
    assert ferry.destination.rows("SELECT 1 FROM pg_indexes WHERE indexname = 'by_chars'") == [(1,)]


def test_types_that_hold_more_stay_and_verify_says_equal(mariadb_ferry: Ferry) -> None:
    """By the copy, by the stream, and after a restart; each is told as a note."""
    ferry = mariadb_ferry
    fill(ferry)
    ferry.catch_up()
    alter(ferry, KEPT)
    ferry.destination.run("ALTER TABLE raw.t ALTER id TYPE numeric(12,1)")
    resynced(ferry)
    for _ in range(2):
        found = types(ferry)
        assert {name: found[name] for name in KEPT} == KEPT
        assert verified(ferry) == {"t": "equal"}
        notes_now = notes(ferry)
        assert {d["column"] for d in notes_now["column_kept"]} == {"id", *KEPT} - {"long_text"}
        assert set(notes_now) == {"column_kept"}
        assert all(d["harmless"] for d in notes_now["column_kept"])
        ferry.source.run(
            ROWS[0].replace("(1,", "INSERT INTO t VALUES (10,", 1),
            "UPDATE t SET day = '2000-01-01', deci = 7, chars = 'later' WHERE id < 3",
            "ALTER TABLE t COMMENT 'another'",
        )
        ferry.catch_up()
        ferry.source.run("DELETE FROM t WHERE id = 10")
    ferry.destination.run('UPDATE raw.t SET "day" = "day" + interval \'1 second\' WHERE id = 1')
    assert verified(ferry)["t"] != "equal"
    assert ferry.run("verify", "--repair").returncode == 0
    assert verified(ferry) == {"t": "equal"}


def test_a_view_holds_the_type_of_its_column(mariadb_ferry: Ferry) -> None:
    """Values that fit go on; one that does not stops the table, naming the column; then the view goes."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE t (id int PRIMARY KEY, name varchar(40), n bigint, at datetime(3))",
        "INSERT INTO t VALUES (1, 'abc', 5, '2024-01-01 00:00:00')",
    )
    ferry.catch_up()
    narrow = {"name": "character varying(5)", "n": "integer", "at": "date"}
    alter(ferry, narrow)
    ferry.destination.run('CREATE VIEW raw.names AS SELECT id, "name", n, "at" FROM raw.t')
    resynced(ferry)
    assert {name: types(ferry)[name] for name in narrow} == narrow
    assert verified(ferry) == {"t": "equal"}
    ferry.source.run("INSERT INTO t VALUES (2, 'fits!', -5, '2024-01-02 00:00:00')")
    ferry.catch_up()
    assert ferry.destination.rows("SELECT count(*), min(name) FROM raw.names") == [(2, "abc")]
    assert verified(ferry) == {"t": "equal"}
    [note] = [d for d in notes(ferry)["column_kept"] if d["column"] == "name"]
    assert "view raw.names" in note["remedy"]
    for change in ("name = 'too long'", "n = 2147483648", "at = '2024-01-02 00:00:00.001'"):
        ferry.source.run(f"UPDATE t SET {change} WHERE id = 2")
        assert ferry.run("run", "--until-caught-up").returncode == 1
        assert ferry.tracked("state", "t") == "stopped"
        error = ferry.tracked("error", "t")
        assert f"column {change.split()[0]}" in error
        assert "too long" not in error
        ferry.source.run("UPDATE t SET name = 'fits!', n = -5, at = '2024-01-02' WHERE id = 2")
        resynced(ferry)
    ferry.source.run("UPDATE t SET name = 'too long for five' WHERE id = 2")
    assert ferry.run("resync", "t").returncode == 1
    ferry.destination.run("DROP VIEW raw.names")
    resynced(ferry)
    assert types(ferry)["name"] == "character varying(40)"
    ferry.assert_equal("t")
    assert verified(ferry) == {"t": "equal"}


def test_a_view_on_a_type_that_cannot_stay_stops_the_table_and_is_named(mariadb_ferry: Ferry) -> None:
    """Nothing is changed until it is dropped."""
    ferry = mariadb_ferry
    ferry.source.run("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 5)")
    ferry.catch_up()
    alter(ferry, {"n": "date"})
    ferry.destination.run("CREATE MATERIALIZED VIEW raw.held AS SELECT n FROM raw.t")
    failed = ferry.run("resync", "t")
    assert failed.returncode == 1
    for word in ("column n is date in the destination, integer is needed", "materialized view raw.held"):
        assert word in ferry.tracked("error", "t")
    ferry.destination.run("DROP MATERIALIZED VIEW raw.held")
    resynced(ferry)
    ferry.assert_equal("t")


def test_a_key_of_another_type_comes_back(mariadb_ferry: Ferry) -> None:
    """Widened it stays one; where values may be lost it is taken off for the time of the copy."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE t (a varchar(20), b int, c decimal(6,2), PRIMARY KEY (a, b, c))",
        "INSERT INTO t VALUES ('x', 1, 1.5), ('y', 1, 1.5), ('x', 2, 0)",
    )
    ferry.catch_up()
    usual = types(ferry)
    key = (
        "SELECT array_agg(attname::text ORDER BY attname) FROM pg_index JOIN pg_attribute"
        " ON attrelid = indrelid AND attnum = ANY (indkey) WHERE indisprimary"
        " AND indrelid = 'raw.t'::regclass"
    )
    for kinds in (
        {"b": "text USING b::text", "c": "text USING c::text"},
        {"a": "bytea USING a::bytea", "c": "double precision"},
        {"b": "bigint", "a": "text", "c": "numeric"},
    ):
        ferry.destination.run(
            *(f"ALTER TABLE raw.t ALTER {name} TYPE {kind}" for name, kind in kinds.items())
        )
        resynced(ferry)
        assert ferry.destination.rows(key) == [(["a", "b", "c"],)]
        assert verified(ferry) == {"t": "equal"}, kinds
        ferry.source.run("UPDATE t SET c = c + 1 WHERE b = 1", "DELETE FROM t WHERE b = 2")
        ferry.catch_up()
        assert verified(ferry) == {"t": "equal"}, kinds
        ferry.source.run("INSERT INTO t VALUES ('x', 2, 0)")
    assert {**usual, "a": "text", "b": "bigint", "c": "numeric"} == types(ferry)


def test_the_index_of_a_copy_that_was_not_completed_goes_with_its_key(mariadb_ferry: Ferry) -> None:
    """A unique index stands in for the primary key until then; the key may change in that time, too."""
    ferry = mariadb_ferry
    index = stand_in_name("t")
    ferry.source.run(
        "CREATE TABLE t (a varchar(20), b int, c decimal(6,2), PRIMARY KEY (a))",
        "INSERT INTO t VALUES ('x', 1, 1.5), ('y', 2, 1.5), ('z', 3, 0)",
    )
    ferry.catch_up()
    for statement in (
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)",
        "ALTER TABLE t DROP PRIMARY KEY",
    ):
        ferry.destination.run(
            "ALTER TABLE raw.t DROP CONSTRAINT IF EXISTS t_pkey",
            f"DROP INDEX IF EXISTS raw.{index}",
            f"CREATE UNIQUE INDEX {index} ON raw.t (a)",
        )
        ferry.source.run(statement, "INSERT INTO t VALUES ('x', 9, 0)")
        ferry.catch_up()
        ferry.assert_equal()
        ferry.source.run("DELETE FROM t WHERE b = 9")
        ferry.catch_up()
    ferry.source.run("ALTER TABLE t ADD PRIMARY KEY (b)", "INSERT INTO t VALUES ('x', 9, 0)")
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT count(*) FROM pg_index WHERE indrelid = 'raw.t'::regclass") == [
        (1,)
    ]
