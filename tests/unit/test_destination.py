"""Names and statements for Postgres, and its errors without values."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from rowferry.destination import (
    add_columns,
    columns_of,
    create_table,
    name,
    same_type,
    translate,
    url_with_password,
)
from rowferry.errors import ConfigurationError, LoadFailed, RowferryError, TableStopped, Unreachable
from rowferry.settings import DestinationSettings
from rowferry.table_schema import ColumnPolicy, ColumnType, TableSchema
from tests.unit.flow import table

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_any_name_stays_a_name(schema: str, text: str) -> None:
    """Quotes doubled for Postgres, per cent signs for psycopg, which takes them off again."""
    quoted = name(schema, text) % ()
    assert quoted == ".".join('"' + part.replace('"', '""') + '"' for part in (schema, text))


def test_odd_names_are_quoted() -> None:
    """By example."""
    assert name('a"b', "100%s") == '"a""b"."100%%s"'
    assert name("x; DROP TABLE y") == '"x; DROP TABLE y"'


@pytest.mark.parametrize("password", ["simple", "p@ss/w:rd?#[]%41 é&=", "'\"\\"])
def test_the_password_is_put_into_the_url(password: str) -> None:
    """Whatever its characters; one in the URL gives way."""
    settings = DestinationSettings(
        url="postgresql://wri%40ter:old@db.example:5433/dwh?sslmode=require", password=SecretStr(password)
    )
    assert conninfo_to_dict(url_with_password(settings)) == {
        "user": "wri@ter",
        "password": password,
        "host": "db.example",
        "port": "5433",
        "dbname": "dwh",
        "sslmode": "require",
    }


def test_a_url_with_its_own_password_is_left_alone() -> None:
    """Nothing to add."""
    url = "postgresql://writer:old@db/dwh"
    assert url_with_password(DestinationSettings(url=url)) == url


class _Refused(psycopg.OperationalError):
    """An error of a connection that never was."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.InvalidPassword("secret"), ConfigurationError),
        (psycopg.errors.InsufficientPrivilege("secret"), ConfigurationError),
        (psycopg.errors.InvalidCatalogName("secret"), ConfigurationError),
        (_Refused('FATAL:  password authentication failed for user "x"'), ConfigurationError),
        (_Refused('FATAL:  database "x" does not exist'), ConfigurationError),
        (_Refused("fe_sendauth: no password supplied"), ConfigurationError),
        (_Refused('FATAL:  role "x" does not exist'), ConfigurationError),
        (_Refused('FATAL:  no pg_hba.conf entry for host "::1"'), ConfigurationError),
        (_Refused("connection refused\nIs the server running?"), Unreachable),
        (_Refused(""), Unreachable),
        (psycopg.errors.AdminShutdown("x"), Unreachable),
        (psycopg.errors.ConnectionFailure("x"), Unreachable),
        (psycopg.errors.UniqueViolation("secret"), LoadFailed),
        (psycopg.errors.CheckViolation("secret"), LoadFailed),
        (psycopg.errors.DiskFull("secret"), LoadFailed),
    ],
)
def test_an_error_says_whether_a_retry_can_help_and_no_value(
    error: psycopg.Error, kind: type[RowferryError]
) -> None:
    """The text of a constraint's error holds the row."""
    found = translate(error, "load", "table x")
    assert type(found) is kind
    assert "secret" not in str(found)
    assert "\n" not in str(found)


def test_columns_have_postgres_types() -> None:
    """In the source's order, without the metadata columns."""
    schema = table("id", "n", "d", types={"n": ColumnType("bigint", unsigned=True), "d": ColumnType("date")})
    assert columns_of(schema) == [("id", "integer"), ("n", "numeric(20,0)"), ("d", "date")]


def test_a_type_is_known_by_the_name_that_postgres_gives_it() -> None:
    """Postgres names varchar in its own way."""
    assert same_type("character varying(40)", "varchar(40)")
    assert same_type("integer", "integer")
    assert not same_type("character varying(39)", "varchar(40)")


def renamed(target: str = "", **columns: str) -> TableSchema:
    """A table, and some of its columns, under other names."""
    schema = table()
    named = tuple(replace(c, target=columns.get(c.name, "")) for c in schema.columns)
    return replace(schema, target=target, columns=named)


@pytest.mark.parametrize("text", ["_loaded_at", "_dlt_load_id", "xmin", "ctid", "tableoid", "cmax"])
@pytest.mark.parametrize("own", [True, False])
def test_columns_cannot_have_the_names_of_others(text: str, own: bool) -> None:
    """Rowferry's and Postgres's, whether the source or a setting names them so."""
    schema = table("id", text) if own else renamed(name=text)
    with pytest.raises(TableStopped, match=f"the name {text} is .*'s own") as caught:
        columns_of(schema)
    assert f"columns.patient.{text if own else 'name'}.name" in caught.value.hint
    other = tuple(replace(c, target="fine" if c.name == text else "") for c in schema.columns)
    assert not own or [n for n, _ in columns_of(replace(schema, columns=other))] == ["id", "fine"]


@pytest.mark.parametrize("text", ["_rowferry_tables", "_dlt_loads", "_dlt_x"])
def test_tables_cannot_have_rowferrys_names(text: str) -> None:
    """Nor be given one."""
    for schema in (table(name=text), renamed(text)):
        with pytest.raises(TableStopped, match="reserved"):
            columns_of(schema)
    columns_of(replace(table(name=text), target="fine"))


def test_two_columns_cannot_have_one_name() -> None:
    """However they came by it."""
    with pytest.raises(TableStopped, match="two columns would have the name id"):
        columns_of(renamed(name="id"))
    assert [n for n, _ in columns_of(renamed(name="id", id="name"))] == ["name", "id"]


def test_statements_use_the_destinations_names_and_types() -> None:
    """Of the table, of its columns, in its key."""
    schema = renamed("p", id="number")
    typed = tuple(replace(c, policy=ColumnPolicy(as_type="text")) for c in schema.columns)
    schema = replace(schema, columns=typed)
    made = create_table("raw", schema).text
    assert made.startswith('CREATE TABLE IF NOT EXISTS "raw"."p" ("number" text NOT NULL, "name" text,')
    assert made.endswith('PRIMARY KEY ("number"))')
    added = add_columns("raw", schema, schema.columns[:1]).text
    assert added == 'ALTER TABLE "raw"."p" ADD COLUMN IF NOT EXISTS "number" text'


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (ColumnPolicy(as_type="date"), "cannot be had as date"),
        (ColumnPolicy(as_type="numeric(5,9)"), "no type of Postgres"),
    ],
)
def test_what_is_not_on_offer_stops_the_table(policy: ColumnPolicy, words: str) -> None:
    """Before anything is made; the error names the column."""
    schema = table()
    columns = tuple(replace(c, policy=policy) if c.name == "name" else c for c in schema.columns)
    with pytest.raises(TableStopped, match=words) as caught:
        create_table("raw", replace(schema, columns=columns))
    assert "column name" in str(caught.value)
