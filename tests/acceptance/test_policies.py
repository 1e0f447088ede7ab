"""What the settings say of columns: zero dates, invalid text, other types and names, by both ways in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rowferry_lab.compare import compare
from tests.acceptance.harness import Ferry, wait_until

BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
MARIADB = pytest.mark.parametrize("source", ["mariadb_10_5"], indirect=True)
MYSQL = pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)


def columns(**tables: dict[str, dict[str, str]]) -> dict[str, str]:
    """The environment with these sections of columns."""
    return {"ROWFERRY_COLUMNS": json.dumps(tables)}


def both_ways(ferry: Ferry, table: str, layout: str, rows: list[str], settings: dict[str, str]) -> None:
    """Rows are copied, then the same rows with keys 100 higher come through the binlog."""
    ferry.source.run(f"CREATE TABLE {table} (id int PRIMARY KEY, {layout})")
    insert(ferry, table, rows, 0)
    ferry.settings |= settings
    ferry.catch_up()
    insert(ferry, table, rows, 100)
    ferry.catch_up()


def insert(ferry: Ferry, table: str, rows: list[str], above: int) -> None:
    """Rows with keys from `above` on."""
    values = ", ".join(f"({above + n}, {row})" for n, row in enumerate(rows))
    ferry.source.run("SET SESSION sql_mode=''", f"INSERT INTO {table} VALUES {values}")


def copied_and_streamed(ferry: Ferry, selected: str, table: str) -> list[tuple[Any, ...]]:
    """The rows of the copy, after those of the stream were found to be the same."""
    query = f"SELECT {selected} FROM raw.{table} WHERE id {{}} ORDER BY id"
    copied = ferry.destination.rows(query.format("< 100"))
    assert ferry.destination.rows(query.format(">= 100")) == copied
    return copied


def metric(text: str, name: str, **labels: str) -> float:
    """The value of a metric in the text of /metrics."""
    for line in text.splitlines():
        if line.startswith(f"rowferry_{name}{{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no metric {name} with {labels}")


ZERO_DATES = ["'0000-00-00', '0000-00-00', '2024-00-10', '0000-00-00 00:00:00.5', '2024-02-31', 0, 0"]
ZERO_DATES += ["NULL, NULL, NULL, NULL, NULL, NULL, NULL"]
ZERO_DATES += [
    "'2024-02-29', '0001-01-01', '0001-01-01', '2024-01-02 03:04:05.25', '9999-12-31',"
    " '2024-01-02 03:04:05', '2024-01-02 03:04:05.123'"
]


@BOTH
def test_zero_dates_follow_their_columns_policy(ferry: Ferry) -> None:
    """NULL, a literal, their own text; whatever is a date stays what it is."""
    layout = "a date, b date, c date, d datetime(2), e datetime, f timestamp NULL, g timestamp(3) NULL"
    policies = {
        "b": {"zero_dates": "1900-01-01"},
        "c": {"zero_dates": "keep", "type": "text"},
        "d": {"zero_dates": "keep", "type": "text"},
        "e": {"zero_dates": "1900-01-01 12:00:00"},
        "f": {"zero_dates": "1970-01-01"},
        "g": {"zero_dates": "keep", "type": "text"},
    }
    both_ways(ferry, "dates", layout, ZERO_DATES, columns(dates=policies))
    shown = "a::text, b::text, c, d, e::text, (f AT TIME ZONE 'UTC')::text, g"
    first, nulls, real = copied_and_streamed(ferry, shown, "dates")
    assert nulls == (None,) * 7
    source = ferry.source.rows("SELECT CAST(d AS CHAR), CAST(g AS CHAR) FROM dates ORDER BY id LIMIT 1")[0]
    assert first[0] is None
    assert first[1:4] == ("1900-01-01", "2024-00-10", source[0])
    assert first[4:] == ("1900-01-01 12:00:00", "1970-01-01 00:00:00", source[1])
    assert real[:5] == (
        "2024-02-29", "0001-01-01", "0001-01-01", "2024-01-02 03:04:05.25", "9999-12-31 00:00:00",
    )  # fmt: skip


@MARIADB
@pytest.mark.parametrize("policy", ["stop", "quarantine"])
def test_zero_dates_stop_their_table_or_are_set_aside(ferry: Ferry, policy: str) -> None:
    """Of two columns the one with the policy; counted."""
    ferry.source.run("CREATE TABLE visits (id int PRIMARY KEY, day date, n int)")
    ferry.settings |= columns(visits={"day": {"zero_dates": policy}})
    with ferry.daemon() as daemon:
        daemon.wait_state("visits", "streaming")
        insert(ferry, "visits", ["'2024-01-01', 1", "'0000-00-00', 2"], 1)
        if policy == "stop":
            daemon.wait_state("visits", "stopped")
            assert metric(daemon.get("/metrics")[1], "policy_stops_total", reason="zero_date") == 1
            error = daemon.table("visits")["error"]
            assert "column day, row with key id=2" in error
            assert ferry.destination.rows("SELECT id FROM raw.visits") == []
            return
        aside = {"table": "visits", "reason": "zero_date"}
        wait_until(
            "the row is counted",
            lambda: metric(daemon.get("/metrics")[1], "quarantined_rows_total", **aside) == 1,
        )
        assert daemon.table("visits")["state"] == "streaming"
    assert ferry.destination.rows("SELECT id, n FROM raw.visits") == [(1, 1)]


UUID = "6ccd780c-baba-1026-9564-5b8c65602400"
OVERRIDES = {
    "flag": ("tinyint", "boolean", ["0", "1"], ["false", "true"]),
    "bit": ("bit(1)", "smallint", ["b'0'", "b'1'"], ["0", "1"]),
    "bits": ("bit(12)", "integer", ["b'101'", "4095"], ["5", "4095"]),
    "big": ("bigint unsigned", "bigint", ["0", "9223372036854775807"], ["0", "9223372036854775807"]),
    "small": ("int", "smallint", ["-32768", "32767"], ["-32768", "32767"]),
    "years": ("year", "text", ["0", "2024"], ["0000", "2024"]),
    "money": ("decimal(12,2)", "numeric", ["1.10", "-9999999999.99"], ["1.10", "-9999999999.99"]),
    "cents": ("decimal(12,2)", "bigint", ["12.00", "-5"], ["12", "-5"]),
    "fine": ("decimal(12,4)", "numeric(12,2)", ["1.1000", "-5"], ["1.10", "-5.00"]),
    "wide": ("float", "double precision", ["0.5", "-1.25"], ["0.5", "-1.25"]),
    "exact": ("double", "numeric", ["0.1", "-12345.678"], ["0.1", "-12345.678"]),
    "typed": ("varchar(20)", "numeric", ["'12.50'", "'-7'"], ["12.50", "-7"]),
    "number": ("varchar(20)", "integer", ["'42'", "'-7'"], ["42", "-7"]),
    "id36": ("char(36)", "uuid", [f"'{UUID.upper()}'"], [UUID]),
    "id16": ("binary(16)", "uuid", [f"X'{UUID.replace('-', '')}'"], [UUID]),
    "doc": ("text", "jsonb", ["'{\"a\": [1, 2.50]}'", "'null'"], ['{"a": [1, 2.50]}', "null"]),
    "raw": ("varbinary(20)", "text", ["'é'", "''"], ["é", ""]),
    "short": ("text", "varchar(5)", ["'añejo'", "''"], ["añejo", ""]),
    "moment": ("datetime", "date", ["'2024-02-29 00:00:00'"], ["2024-02-29"]),
    "clock": ("time(2)", "time", ["'00:00:00'", "'23:59:59.25'"], ["00:00:00", "23:59:59.25"]),
    "span": ("time(2)", "text", ["'-838:59:59'", "'1:02:03.5'"], ["-838:59:59.00", "01:02:03.50"]),
    "label": ("enum('a','ü')", "text", ["'ü'", "'a'"], ["ü", "a"]),
    "stamp": ("timestamp(1) NULL", "text", ["'2024-01-02 03:04:05.6'"], ["2024-01-02 03:04:05.6"]),
}  # fmt: skip


@BOTH
def test_a_column_may_have_another_type(ferry: Ferry) -> None:
    """Each on offer, by both ways in; NULL stays NULL."""
    kinds = {name: kind.removesuffix(" NULL") for name, (kind, *_) in OVERRIDES.items()}
    layout = ", ".join(f"`{name}` {kind} NULL" for name, kind in kinds.items())
    literals = [literals for _, _, literals, _ in OVERRIDES.values()]
    rows = [", ".join(v[n] if n < len(v) else "NULL" for v in literals) for n in range(3)]
    settings = {name: {"type": wanted} for name, (_, wanted, *_) in OVERRIDES.items()}
    ferry.source.run("SET GLOBAL time_zone = '+00:00'")
    both_ways(ferry, "overrides", layout, rows, columns(overrides=settings))
    shown = ", ".join(f'"{name}"::text' for name in OVERRIDES)
    found = copied_and_streamed(ferry, shown, "overrides")
    for index, (name, (_, wanted, _, expected)) in enumerate(OVERRIDES.items()):
        assert [row[index] for row in found] == [*expected, *[None] * (3 - len(expected))], (name, wanted)


MISFITS = [
    ("tinyint", "boolean", "2"),
    ("bigint unsigned", "bigint", "18446744073709551615"),
    ("decimal(12,4)", "numeric(12,2)", "0.0001"),
    ("decimal(12,2)", "integer", "0.50"),
    ("varchar(20)", "numeric", "'12,50'"),
    ("varchar(20)", "integer", "' 7'"),
    ("varchar(20)", "integer", "'007'"),
    ("text", "jsonb", "'{\"a\": secret}'"),
    ("text", "jsonb", '\'{"a": "\\\\u0000"}\''),
    ("char(36)", "uuid", "'secret'"),
    ("varbinary(20)", "text", "X'FF'"),
    ("text", "varchar(3)", "'secret'"),
    ("datetime", "date", "'2024-01-01 00:00:01'"),
    ("time", "time", "'-00:00:01'"),
    ("time", "time", "'24:00:00'"),
]


@MARIADB
def test_what_an_override_cannot_hold_is_told_by_column_and_key(ferry: Ferry) -> None:
    """By both ways: the table stops, the value is not told; with the other policy the row is set aside."""
    settings: dict[str, dict[str, dict[str, str]]] = {}
    for number, (kind, wanted, _) in enumerate(MISFITS):
        for policy in ("stop", "quarantine"):
            name = f"{policy}{number}"
            ferry.source.run(f"CREATE TABLE {name} (a int, b int, v {kind}, PRIMARY KEY (a, b))")
            ferry.source.run(f"INSERT INTO {name} VALUES (1, 1, NULL)")
            settings[name] = {"v": {"type": wanted, "misfits": policy}}
    ferry.settings |= columns(**settings)
    ferry.catch_up()
    for name in settings:
        literal = MISFITS[int(name.removeprefix("stop").removeprefix("quarantine"))][2]
        ferry.source.run(
            "SET SESSION sql_mode=''", f"INSERT INTO {name} VALUES (1, 2, NULL), (3, 4, {literal})"
        )
    done = ferry.run("run", "--until-caught-up")
    assert done.returncode == 1
    assert "secret" not in done.stderr
    for name in settings:
        kept = ferry.destination.rows(f"SELECT a, b FROM raw.{name} ORDER BY 1, 2")
        if name.startswith("quarantine"):
            assert kept == [(1, 1), (1, 2)], name
            query = "SELECT key, column_name FROM raw._rowferry_quarantine WHERE table_name = %s"
            assert ferry.destination.rows(query, [name]) == [(["3", "4"], "v")], name
            continue
        assert ferry.tracked("state", name) == "stopped", name
        assert "column v, row with key a=3, b=4" in ferry.tracked("error", name), name
        assert "secret" not in ferry.tracked("error", name)
        assert kept == [(1, 1)]
    again = ferry.run("resync", "stop0")
    assert again.returncode == 1
    assert "row with key a=3, b=4" in ferry.tracked("error", "stop0")


@MYSQL
def test_what_is_not_on_offer_stops_its_table_before_the_first_row(ferry: Ferry) -> None:
    """`check` says so; and names sections that fit nothing."""
    ferry.source.run(
        "CREATE TABLE offers (id int PRIMARY KEY, v date, w date)", "CREATE TABLE good (id int PRIMARY KEY)"
    )
    for policy, words in (
        ({"type": "boolean"}, "date cannot be had as boolean"),
        ({"zero_dates": "keep"}, "only as text"),
        ({"zero_dates": "1900-01-01 00:00:00"}, "no value of date"),
    ):
        settings = columns(offers={"v": policy, "w": {}}, good={"typo": {"type": "text"}})
        shown = ferry.run("check", **settings).stdout
        assert words in shown, shown
        assert "columns.good.typo" in shown
    settings = columns(offers={"id": {"type": "jsonb"}})
    assert "id" in ferry.run("check", **settings).stdout
    bad = ferry.run("check", **columns(offers={"v": {"type": "money"}}))
    assert bad.returncode == 78
    assert "columns.offers.v.type" in bad.stderr
    bad = ferry.run("check", **columns(offers={"v": {"zero_dates": "never"}}))
    assert bad.returncode == 78
    assert "1900-01-01" in bad.stderr


@MYSQL
def test_a_changed_policy_copies_the_table_again(ferry: Ferry) -> None:
    """What was copied before would hold other values than what comes."""
    ferry.source.run("CREATE TABLE visits (id int PRIMARY KEY, day date)")
    insert(ferry, "visits", ["'0000-00-00'", "'2024-01-01'"], 0)
    ferry.catch_up()
    days = "SELECT day::text FROM raw.visits ORDER BY id"
    assert ferry.destination.rows(days) == [(None,), ("2024-01-01",)]
    sections = columns(**{"v*": {"d*": {"zero_dates": "1900-01-01"}}, "visit": {"day": {"type": "text"}}})
    log = ferry.catch_up(**sections).stderr
    assert "setting_fits_nothing" in log
    assert "columns.visit.day" in log
    assert ferry.destination.rows(days) == [("1900-01-01",), ("2024-01-01",)]


@MARIADB
def test_tables_and_columns_may_have_other_names(ferry: Ferry) -> None:
    """Names that Postgres cannot have, or that are taken; keys too; the stream, DDL and resync follow."""
    long, column = "t" * 64, "c" * 64
    ferry.source.run(
        f"CREATE TABLE {long} (`{column}` int, _loaded_at int, v int, PRIMARY KEY (`{column}`, v))",
        f"INSERT INTO {long} VALUES (1, 2, 3), (4, 5, 6)",
        'CREATE TABLE `100% "odd"` (id int PRIMARY KEY)',
        'INSERT INTO `100% "odd"` VALUES (1)',
    )
    first = ferry.run("run", "--until-caught-up")
    assert first.returncode == 1
    assert f"Set tables.rename.{long}" in ferry.tracked("error", long)
    names = {column: {"name": "first %"}, "_loaded_at": {"name": "loaded"}}
    ferry.settings |= {
        "ROWFERRY_TABLES__RENAME": json.dumps({long: 'short "one" %s', '100% "odd"': "even"}),
        **columns(**{long: names}),
    }
    ferry.run("resync", long, '100% "odd"')
    ferry.source.run(
        f"UPDATE {long} SET `{column}` = 7 WHERE v = 3",
        f"DELETE FROM {long} WHERE v = 6",
        f"INSERT INTO {long} VALUES (8, 9, 10)",
        f"ALTER TABLE {long} ADD COLUMN extra int",
        'INSERT INTO `100% "odd"` VALUES (2)',
    )
    ferry.catch_up()
    query = 'SELECT "first %", loaded, v, extra FROM raw."short ""one"" %s" ORDER BY 1'
    assert ferry.destination.rows(query) == [(7, 2, 3, None), (8, 9, 10, None)]
    assert ferry.destination.rows("SELECT id FROM raw.even ORDER BY 1") == [(1,), (2,)]
    result = compare(
        ferry.source.url,
        ferry.destination.url,
        renamed={
            long: 'short "one" %s',
            (long, column): "first %",
            (long, "_loaded_at"): "loaded",
            '100% "odd"': "even",
        },
    )
    assert result.equal, result.describe()
    ferry.source.run("CREATE TABLE even (id int PRIMARY KEY)")
    ferry.run("run", "--until-caught-up")
    assert "tables.rename" in ferry.tracked("error", "even")
    assert ferry.destination.rows("SELECT count(*) FROM raw.even") == [(2,)]


@MYSQL
def test_a_name_that_is_taken_stops_the_renamed_table_and_leaves_the_other_alone(ferry: Ferry) -> None:
    """Somebody's own, or the copy of a table that is no longer selected: its rows would be swept out."""
    ferry.source.run(
        "CREATE TABLE old (id int PRIMARY KEY, v int)",
        "CREATE TABLE new (id int PRIMARY KEY, w int)",
        "INSERT INTO old VALUES (1, 1), (99, 99)",
        "INSERT INTO new VALUES (1, 2)",
    )
    ferry.catch_up()
    own = "CREATE TABLE raw.mine (id int PRIMARY KEY, w int, _loaded_at timestamptz, _dlt_load_id text)"
    ferry.destination.run(own, "INSERT INTO raw.mine VALUES (77, 77, now(), '')")
    ferry.settings["ROWFERRY_TABLES__EXCLUDE"] = "old"
    for taken, rows in (("old", [(1,), (99,)]), ("mine", [(77,)])):
        ferry.settings["ROWFERRY_TABLES__RENAME"] = json.dumps({"new": taken})
        assert ferry.run("resync", "new").returncode == 1
        error = ferry.tracked("error", "new")
        assert f"the destination has a table {taken} already" in error
        assert ferry.destination.rows(f"SELECT id FROM raw.{taken} ORDER BY 1") == rows
    ferry.settings["ROWFERRY_TABLES__RENAME"] = json.dumps({"new": "free"})
    assert ferry.run("resync", "new").returncode == 0
    assert ferry.destination.rows("SELECT id, w FROM raw.free") == [(1, 2)]
