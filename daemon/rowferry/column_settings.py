"""What `rowferry.toml` may say of columns: policies, overrides, other names; and of the quarantine.

`[columns.TABLE.COLUMN]`, both names or globs. Where several sections fit a column, what a more exact one
sets wins: an exact table before a glob, then an exact column before a glob, then the later section.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rowferry.table_schema import NO_POLICY, Column, TableSchema

MAX_NAME_BYTES: Final = 63
OVERRIDES: Final = re.compile(
    r"boolean|smallint|integer|bigint|double precision|text|date|time|jsonb?|uuid"
    r"|numeric(\([1-9][0-9]{0,2},(0|[1-9][0-9]{0,2})\))?|varchar(\([1-9][0-9]{0,7}\))?"
)
TYPES: Final = (
    "boolean, smallint, integer, bigint, numeric, numeric(p,s), double precision, text, varchar(n),"
    " date, time, jsonb, json, uuid"
)


class ColumnSettings(BaseModel):
    """The settings of one column, or of all that fit two globs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(default=None, description="its name in the destination")
    type: str | None = Field(default=None, description=f"Postgres type instead of the default: {TYPES}")
    zero_dates: str | None = Field(
        default=None, description="null, keep (in text), stop, quarantine, or a date to write instead"
    )
    invalid_text: Literal["quarantine", "stop"] | None = Field(
        default=None, description="text with U+0000 or invalid bytes: set the row aside, or stop the table"
    )
    misfits: Literal["stop", "quarantine"] | None = Field(
        default=None, description="values that the destination's type cannot hold"
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        return None if value is None else destination_name(value)

    @field_validator("type")
    @classmethod
    def _check_type(cls, value: str | None) -> str | None:
        if value is not None and not OVERRIDES.fullmatch(value):
            raise ValueError(f"must be one of: {TYPES}")
        return value

    @field_validator("zero_dates")
    @classmethod
    def _check_zero_dates(cls, value: str | None) -> str | None:
        if value is None or value in ("null", "keep", "stop", "quarantine"):
            return value
        try:
            dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be null, keep, stop, quarantine, or a date such as 1900-01-01") from None
        return value


class QuarantineSettings(BaseModel):
    """Rows that cannot be carried and are set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_rows: int = Field(default=1_000, ge=0, description="a table with more rows set aside stops")
    keep_values: bool = Field(default=False, description="keep the values of rows that are set aside, too")


Columns = Mapping[str, Mapping[str, ColumnSettings]]


def destination_name(value: str) -> str:
    """A name that Postgres can have. Raises ValueError."""
    if not value or len(value.encode()) > MAX_NAME_BYTES or "\0" in value:
        raise ValueError(f"must have 1 to {MAX_NAME_BYTES} bytes")
    return value


def configured(table: TableSchema, columns: Columns, rename: Mapping[str, str]) -> TableSchema:
    """The table with what the settings say of it and of its columns."""
    named = tuple(_configured(table.id.name, column, columns) for column in table.columns)
    target = rename.get(table.id.name, "")
    return replace(table, columns=named, target=target if target != table.id.name else "")


def reconfigured(table: TableSchema, columns: Columns, rename: Mapping[str, str]) -> TableSchema:
    """The table with what the settings say now, and nothing of what they said before."""
    plain = tuple(replace(c, policy=NO_POLICY, target="") for c in table.columns)
    return configured(replace(table, columns=plain, target=""), columns, rename)


def _configured(table: str, column: Column, columns: Columns) -> Column:
    for settings in _fitting(table, column.name, columns):
        given = {k: v for k, v in settings.model_dump(exclude_none=True).items() if k not in ("name", "type")}
        given |= {"as_type": settings.type} if settings.type is not None else {}
        column = replace(column, policy=replace(column.policy, **given))
        if settings.name is not None:
            column = replace(column, target=settings.name if settings.name != column.name else "")
    return column


def _fitting(table: str, column: str, columns: Columns) -> Iterator[ColumnSettings]:
    """The sections that fit, the weakest first."""
    found = [
        ((table == table_glob, column == column_glob), settings)
        for table_glob, sections in columns.items()
        if fits(table, table_glob)
        for column_glob, settings in sections.items()
        if fits(column, column_glob)
    ]
    return (settings for _, settings in sorted(found, key=lambda pair: pair[0]))


def unused(columns: Columns, rename: Mapping[str, str], tables: list[TableSchema]) -> list[str]:
    """Sections that fit no column, and renamed tables that are not there: typing errors, as a rule."""
    found = [
        f"columns.{table_glob}.{column_glob}"
        for table_glob, sections in columns.items()
        for column_glob in sections
        if not any(
            fits(table.id.name, table_glob) and any(fits(c.name, column_glob) for c in table.columns)
            for table in tables
        )
    ]
    known = {table.id.name for table in tables}
    return found + [f"tables.rename.{name}" for name in rename if name not in known]


def fits(name: str, glob: str) -> bool:
    """Whether a name is that name, or fits that glob."""
    return name == glob or fnmatchcase(name, glob)
