"""What stands in the dataset: its tables with their columns, unique indexes and owners, whoever made them.

Only read, from Postgres's own catalogue (https://www.postgresql.org/docs/current/catalogs.html).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from rowferry.destination import OWNER_PREFIX, Session, fetch

_COLUMNS: Final = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attnotnull,
       a.atthasdef AND a.attgenerated = ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname LIKE %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
_OWNERS: Final = """
SELECT c.relname, pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname LIKE %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
_INDEXES: Final = """
SELECT c.relname, coalesce(k.conname, x.relname), i.indisprimary,
       array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'p'
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
WHERE n.nspname = %s AND c.relname LIKE %s AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY c.relname, x.relname, i.indisprimary, k.conname"""

_BLOCKERS: Final = """
SELECT DISTINCT c.relname, a.attname, coalesce(
  CASE v.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' ELSE 'rule on ' END
    || vn.nspname || '.' || v.relname,
  pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON d.refclassid = 'pg_catalog.pg_class'::regclass AND c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid
WHERE n.nspname = %s AND c.relname LIKE %s AND d.refobjsubid > 0 AND NOT a.attisdropped
  AND (r.oid IS NOT NULL
    OR d.classid IN ('pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_trigger'::regclass,
                     'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_publication_rel'::regclass)
    OR f.adnum <> d.refobjsubid
    OR (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid > 0))
ORDER BY 1, 2, 3"""
"""What Postgres would have to change with a column's type, and does not: it refuses the ALTER TABLE
(https://www.postgresql.org/docs/current/catalog-pg-depend.html)."""


@dataclass(frozen=True, slots=True)
class StandingColumn:
    """A column of a table in Postgres. required: NOT NULL and without a default, so every INSERT names it.

    defaulted: whether it has a default, which no generated column has.
    """

    type: str
    required: bool = False
    not_null: bool = False
    defaulted: bool = False


@dataclass(slots=True)
class Standing:
    """A table in the dataset.

    primary: the columns of its primary key, empty without one. uniques: those of its other unique
    indexes that cover every row. owner: the source table that it says it was made for, "" if it does not.
    primary_name: the primary key's name. stand_in: the columns of the unique index `stand_in_name`, one of
    `uniques` too, which takes the place of the primary key until a copy is complete. blockers: by column,
    in words what depends on the column and does not let its type be changed (views, rules, policies,
    triggers, generated columns, ...).
    """

    columns: dict[str, StandingColumn] = field(default_factory=dict)
    primary: tuple[str, ...] = ()
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    owner: str = ""
    primary_name: str = ""
    stand_in: tuple[str, ...] = ()
    blockers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def keys(self) -> set[frozenset[str]]:
        """The columns of each index that tells rows apart."""
        return {frozenset(columns) for columns in (self.primary, *self.uniques) if columns}

    @property
    def types(self) -> dict[str, str]:
        """The columns' types by name."""
        return {name: column.type for name, column in self.columns.items()}


def stand_in_name(table: str) -> str:
    """The name of that index: short enough whatever the table's is."""
    return "_rowferry_key_" + hashlib.blake2b(table.encode(), digest_size=16).hexdigest()


def read_table(session: Session, dataset: str, table: str) -> Standing:
    """One table as it is now; without columns if there is none. Raises what `destination.fetch` raises."""
    pattern = re.sub(r"([\\\\%_])", r"\\\1", table)
    return read_standing(session, dataset, pattern).get(table, Standing())


def read_standing(session: Session, dataset: str, pattern: str = "%") -> dict[str, Standing]:
    """The dataset's tables by name; pattern: of LIKE. Raises what `destination.fetch` raises."""
    where = [dataset, pattern]
    found: dict[str, Standing] = {}
    for table, comment in fetch(session, _OWNERS, where):
        text = str(comment or "")
        owner = text.removeprefix(OWNER_PREFIX) if text.startswith(OWNER_PREFIX) else ""
        found[table] = Standing(owner=owner)
    for table, column, kind, *flags in fetch(session, _COLUMNS, where):
        found.setdefault(table, Standing()).columns[column] = StandingColumn(kind, *map(bool, flags))
    for table, name, primary, columns in fetch(session, _INDEXES, where):
        standing = found.setdefault(table, Standing())
        if primary:
            standing.primary, standing.primary_name = tuple(columns), name
        else:
            standing.uniques.append(tuple(columns))
            if name == stand_in_name(table):
                standing.stand_in = tuple(columns)
    for table, column, blocker in fetch(session, _BLOCKERS, where):
        blockers = found.setdefault(table, Standing()).blockers
        blockers[column] = (*blockers.get(column, ()), blocker)
    return found
