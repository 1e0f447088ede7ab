"""Types changed in place, on real Postgres: no value makes the ALTER fail, and none becomes another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import psycopg
import pytest

from rowferry.fitting import make_fit
from rowferry.retype import holds, keeps_apart, using
from rowferry.standing import Standing, read_table
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema
from rowferry_lab.servers import DestinationDatabase

pytestmark = pytest.mark.parametrize("destination", ["postgres_15", "postgres_17"], indirect=True)

WANTED = (
    "smallint", "integer", "bigint", "numeric(20,0)", "numeric(5,2)", "numeric(65,30)", "numeric",
    "real", "double precision", "boolean", "bit(3)", "varchar(3)", "varchar(40)", "varchar", "text", "bytea",
    "date", "timestamp(0) without time zone", "timestamp(3) without time zone",
    "timestamp(6) without time zone", "timestamp(0) with time zone", "timestamp(6) with time zone",
    "interval", "time without time zone", "json", "jsonb", "uuid", "inet", "real[]",
)  # fmt: skip
COLUMN = '"a ""b"'
_INTEGERS = {
    bits: ["0", "1", "-1", "2", "8388608", str(2 ** (bits - 1) - 1), str(-(2 ** (bits - 1)))]
    for bits in (16, 32, 64)
}
_TEXTS = (
    "", " ", "0", "-0", "1", "-1", " 1", "1 ", "1\n", "+1", "01", "1.0", "1.5", ".5", "5.", "1e5",
    "0x1", "NaN",
    "Infinity", "-inf", "true", "99999999999999999999", "32767", "32768", "-32768", "-32769", "2147483648",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "123.45", "999.995",
    "1000.00", "0.1",
    "9" * 400, "0." + "0" * 500 + "1", "9" * 2000, "2024-02-29", "2024-02-30", "2023-02-29", "0000-00-00",
    "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2024-13-01", "2024-01-31 23:59:59",
    "2024-01-31 23:59:60", "2024-01-31 24:00:00", "2024-02-30 00:00:00", "2024-01-31 23:59:59.5",
    "2024-01-31 23:59:59.123456", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "infinity",
    "now", "today",
    "10:00:00", "{}", "[1", '"\\u0000"', "{1,2}", "::1", "10.0.0.1/33", "B101", "\\x00", "٣", "１",
    "²", "é" * 50,
    "6ccd780c-baba-1026-9564-5b8c65602400", "6ccd780cbaba10269564-5b8c65602400", "x" * 41,
)  # fmt: skip
_MOMENTS = (
    "infinity", "-infinity", "4713-01-01 00:00:00 BC", "0001-01-01", "1970-01-01", "2024-02-29 00:00:00",
    "2024-02-29 23:59:59.999999", "2024-02-29 12:00:00.5", "9999-12-31 23:59:59.999999",
    "294276-12-31 23:59:59.999999",
)  # fmt: skip
STANDING: dict[str, tuple[str, ...]] = {
    "smallint": tuple(n for n in _INTEGERS[16] if n != "8388608"),
    "integer": tuple(_INTEGERS[32]),
    "bigint": tuple(_INTEGERS[64]),
    "numeric": (
        "NaN", "Infinity", "-Infinity", "0", "1", "-1.5", "0.1", "1.50", "999.99", "999.995",
        "1e-400", "1e400",
        "9223372036854775808", "-9223372036854775808", "1e131071", "1e-16383", "99999999999999999999", "1e20",
    ),
    "numeric(5,2)": ("NaN", "0", "1.00", "-1.50", "999.99"),
    "numeric(30,10)": ("NaN", "99999999999999999999", "0.1", "1.0000000001", "-32768"),
    "real": ("NaN", "Infinity", "-Infinity", "0", "-0", "1", "0.1", "3.4028235e38", "1e-45",
    "32768", "16777216"),
    "double precision": (
        "NaN", "Infinity", "-Infinity", "0", "-0", "1", "-32768", "32768", "0.1",
        "1.7976931348623157e308", "5e-324",
        "9223372036854775808", "-9223372036854775808", "9007199254740993", "3.5e38", "1e-40", "1.5",
    ),
    "boolean": ("true", "false"),
    "bit(1)": ("0", "1"),
    "bit(8)": ("00000000", "11111111"),
    "text": _TEXTS,
    "character varying": _TEXTS,
    "character varying(40)": tuple(t for t in _TEXTS if len(t) <= 40),
    "character(10)": tuple(t for t in _TEXTS if len(t) <= 10),
    "bytea": ("", "\\x00", "\\xff"),
    "date": ("infinity", "-infinity", "4713-01-01 BC", "0001-01-01", "2024-02-29", "9999-12-31",
    "5874897-12-31"),
    "timestamp without time zone": _MOMENTS,
    "timestamp(0) without time zone": tuple(m for m in _MOMENTS if "." not in m),
    "timestamp(3) with time zone": tuple(m for m in _MOMENTS if not m.startswith("294276")),
    "interval": ("-838:59:59", "0", "1 year 2 days", "838:59:59.999999"),
    "time without time zone": ("00:00:00", "24:00:00", "23:59:59.999999"),
    "json": ("null", "{}", '{"a":1,"a":2}', '"\\u0000"', "1e400"),
    "jsonb": ("null", "{}", "1.50"),
    "uuid": ("6ccd780c-baba-1026-9564-5b8c65602400",),
    "inet": ("10.0.0.1", "::1", "10.0.0.0/8"),
    "real[]": ("{}", "{1.5,NULL}"),
    "money": ("1.50",),
    "xml": ("<a/>",),
    "point": ("(1,2)",),
}  # fmt: skip
FAR = re.compile(r"NaN|infinity|BC|^[0-9]{5,}-")
"""What no column of the source can hold: only somebody else can have written it."""


@pytest.fixture
def session(destination_database: DestinationDatabase) -> Iterator[psycopg.Connection[Any]]:
    """Give a session as the daemon's are."""
    options = "-c timezone=UTC"
    with psycopg.connect(destination_database.url, autocommit=True, options=options) as connection:
        yield connection


def altered(session: psycopg.Connection[Any], standing: str, wanted: str) -> list[tuple[str, str | None]]:
    """Each value's text before and after; NULL stays NULL."""
    run: Any = session.execute
    run("DROP TABLE IF EXISTS t")
    run(f"CREATE TABLE t (n int, {COLUMN} {standing})")
    session.cursor().executemany(
        "INSERT INTO t VALUES (%s, %s)", [*enumerate(STANDING[standing]), (-1, None)]
    )
    before = dict(run(f"SELECT n, {COLUMN}::text FROM t").fetchall())
    run(f"ALTER TABLE t ALTER COLUMN {COLUMN} TYPE {wanted} USING {using(COLUMN, standing, wanted)}")
    after = dict(run(f"SELECT n, {COLUMN}::text FROM t").fetchall())
    assert after.pop(-1) is None
    return [(before[n], text) for n, text in after.items()]


def number(text: str) -> Decimal | None:
    """The number that a text is; None if it is none, or no finite one."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def nearest(text: str, standing: str, wanted: str) -> float:
    """A number as the narrower of two floating types holds it: the wider prints more digits of it."""
    plain = float({"true": "1", "false": "0"}.get(text, text))
    return float(np.float32(plain)) if "real" in (standing, wanted) else plain


def same(before: str, after: str, wanted: str) -> bool:
    """Whether two texts are the same value in the eyes of a person."""
    if wanted.startswith("bool"):
        return number({"true": "1", "false": "0"}.get(before, before)) == (1 if after == "true" else 0)
    if number(after) is not None and not wanted.startswith(("varchar", "text")):
        return number({"true": "1", "false": "0"}.get(before, before)) == number(after)
    if wanted.startswith(("timestamp", "date")):
        plain = [each.removesuffix("+00").removesuffix(" 00:00:00") for each in (before, after)]
        return plain[0] == plain[1]
    return before == after


@pytest.mark.parametrize("wanted", WANTED)
def test_no_value_makes_it_fail_and_none_becomes_another(
    session: psycopg.Connection[Any], wanted: str
) -> None:
    """From every type that may stand there, with the values that other casts stumble over."""
    for standing in STANDING:
        for before, after in altered(session, standing, wanted):
            if after is None:
                assert not holds(wanted, standing) or FAR.search(before), (standing, before)
            elif {"real", "double precision"} & {standing, wanted} and number(after) is not None:
                assert nearest(before, standing, wanted) == nearest(after, standing, wanted), before
            else:
                assert same(before, after, wanted), (standing, before, after)


CONVERTED = [
    ("character varying", "integer", "1", "1"),
    ("text", "bigint", "-9223372036854775808", "-9223372036854775808"),
    ("text", "bigint", "9223372036854775808", None),
    ("text", "integer", "01", None),
    ("text", "smallint", "32768", None),
    ("text", "numeric(5,2)", "1.5", "1.50"),
    ("text", "numeric(5,2)", "999.995", None),
    ("text", "date", "2024-02-29", "2024-02-29"),
    ("text", "date", "2024-02-30", None),
    ("text", "timestamp(3) without time zone", "2024-01-31 23:59:59.5", "2024-01-31 23:59:59.5"),
    ("text", "timestamp(3) without time zone", "2024-01-31 23:59:59.123456", None),
    ("text", "timestamp(6) with time zone", "2024-01-31 23:59:59", "2024-01-31 23:59:59+00"),
    ("text", "boolean", "1", "true"),
    ("text", "uuid", "6ccd780c-baba-1026-9564-5b8c65602400", "6ccd780c-baba-1026-9564-5b8c65602400"),
    ("text", "double precision", "0.1", "0.1"),
    ("text", "varchar(3)", "true", None),
    ("text", "varchar(3)", "1.5", "1.5"),
    ("integer", "smallint", "2147483647", None),
    ("integer", "bigint", "2147483647", "2147483647"),
    ("integer", "text", "-1", "-1"),
    ("bigint", "double precision", "9223372036854775807", None),
    ("numeric", "integer", "1.50", None),
    ("numeric", "bigint", "1", "1"),
    ("numeric", "numeric(5,2)", "999.99", "999.99"),
    ("numeric(5,2)", "real", "999.99", "999.99"),
    ("double precision", "integer", "32768", "32768"),
    ("double precision", "bigint", "9.223372036854776e+18", None),
    ("double precision", "real", "0.1", None),
    ("boolean", "smallint", "true", "1"),
    ("date", "timestamp(0) without time zone", "2024-02-29", "2024-02-29 00:00:00"),
    ("timestamp without time zone", "date", "2024-02-29 00:00:00", "2024-02-29"),
    ("timestamp without time zone", "date", "2024-02-29 12:00:00.5", None),
    ("timestamp without time zone", "timestamp(0) without time zone", "2024-02-29 12:00:00.5", None),
    ("jsonb", "json", "1.50", "1.50"),
]


def test_what_converts_exactly_is_converted(session: psycopg.Connection[Any]) -> None:
    """So that readers see it until the copy has come to its row."""
    for standing, wanted, before, after in CONVERTED:
        found = dict(altered(session, standing, wanted))
        key = next(text for text in found if text == before or text.strip() == before)
        assert found[key] == after, (standing, wanted, before)


def test_what_keeps_keys_apart_makes_no_null_and_no_equal_ones(session: psycopg.Connection[Any]) -> None:
    """Only then does a primary key stay while its column changes."""
    for standing in STANDING:
        for wanted in WANTED:
            if keeps_apart(standing, wanted):
                found = [after for _, after in altered(session, standing, wanted)]
                assert None not in found, (standing, wanted)
                assert len(set(found)) == len(found), (standing, wanted)


def test_what_holds_takes_every_value_and_gives_it_back(session: psycopg.Connection[Any]) -> None:
    """A column of the type that stays, filled with the values of the type that is wanted."""
    kinds = [k for k in STANDING if k not in ("numeric", "text", "character varying", "date", "xml", "json")]
    for wanted in kinds:
        for standing in STANDING:
            if holds(standing, wanted) and standing != wanted:
                for text in STANDING[wanted]:
                    query: Any = f"SELECT (%s::{wanted})::{standing}::{wanted} = %s::{wanted}"
                    row = session.execute(query, [text, text]).fetchone() if "inf" not in text else (True,)
                    assert row == (True,), (standing, wanted, text)


SOURCE = TableSchema(
    TableId("clinic", "t"),
    tuple(
        Column(n, ColumnType("varchar", length=40, charset="utf8mb4", text="varchar(40)"))
        for n in ("id", "a", "b", "c", "d", "e", "f", "g", "h")
    ),
    ("id",),
)
DEPEND = {
    "view s.v": ("a", "CREATE VIEW s.v AS SELECT a FROM s.t"),
    "materialized view s.m": ("b", "CREATE MATERIALIZED VIEW s.m AS SELECT b FROM s.t"),
    "rule on s.t": ("c", "CREATE RULE r AS ON DELETE TO s.t WHERE old.c = 'x' DO INSTEAD NOTHING"),
    "policy p on table s.t": ("d", "CREATE POLICY p ON s.t USING (d = 'x')"),
    "trigger g on table s.t": (
        "e",
        "CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
        " CREATE TRIGGER g BEFORE UPDATE OF e ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()",
    ),
    "default value for column made of table s.t": (
        "f",
        "ALTER TABLE s.t ADD made text GENERATED ALWAYS AS (f || 'x') STORED",
    ),
    "function s.q()": ("g", "CREATE FUNCTION s.q() RETURNS text BEGIN ATOMIC SELECT g FROM s.t; END"),
}


def test_all_that_depends_on_a_column_is_found_and_survives(session: psycopg.Connection[Any]) -> None:
    """Postgres refuses the ALTER for each of these, and for no other column; making fit loses nothing."""
    run: Any = session.execute
    run("CREATE SCHEMA s")
    for statement in make_fit("s", SOURCE, Standing()).statements:
        run(statement.text)
    run("GRANT SELECT ON s.t TO pg_monitor; CREATE INDEX i ON s.t (h)")
    run("INSERT INTO s.t (id, a, h, _loaded_at, _dlt_load_id) VALUES ('k', 'x', 'abc', now(), '1')")
    for _, definition in DEPEND.values():
        run(definition)
    found = read_table(session, "s", "t").blockers
    assert found == {column: (blocker,) for blocker, (column, _) in DEPEND.items()}
    for column in SOURCE.columns:
        change = f"ALTER TABLE s.t ALTER {column.name} TYPE varchar(60)"
        if column.name in found:
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                run(change)
        else:
            run(change)
    run("ALTER TABLE s.t ALTER h TYPE bytea USING h::bytea, ALTER id TYPE varchar(7), ALTER h SET NOT NULL")
    fit = make_fit("s", SOURCE, read_table(session, "s", "t"))
    for statement in fit.statements:
        run(statement.text)
    kinds = read_table(session, "s", "t").types
    assert kinds["h"] == kinds["id"] == "character varying(40)"
    assert run("SELECT a FROM s.v").fetchall() == [("x",)]
    assert run("SELECT has_table_privilege('pg_monitor', 's.t', 'SELECT')").fetchone() == (True,)
    assert run("SELECT count(*) FROM pg_indexes WHERE indexname = 'i'").fetchone() == (1,)
    assert read_table(session, "s", "t").primary == ("id",)
