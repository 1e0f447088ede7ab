"""What `evolve` says of a statement, against what the server made of it: layout, old values, new values.

All statements of a server run on tables of their own, and the catalogue is read three times: before, after,
and after further statements, as a catalogue that is ahead of the binlog.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

import pymysql
import pytest
from pymysql.connections import Connection

from rowferry.alterations import read_change
from rowferry.convert import select_expression
from rowferry.evolve import Evolution, evolve
from rowferry.filled import for_postgres
from rowferry.mysql_catalog import read_tables
from rowferry.mysql_source import connect_for_copy, query
from rowferry.policies import select_column
from rowferry.settings import SourceSettings, TableSettings
from rowferry.table_schema import Column, TableId, TableSchema
from rowferry_lab.servers import RunningServer, fresh_source_database

COLUMNS: Final = """
id INT NOT NULL, spare INT, ti TINYINT, tu TINYINT UNSIGNED NOT NULL, n INT, nn INT NOT NULL, nu INT UNSIGNED,
c CHAR(10), v VARCHAR(20), vn VARCHAR(20) NOT NULL, Mixed VARCHAR(5), l VARCHAR(20) CHARACTER SET latin1,
lt TINYTEXT CHARACTER SET latin1, u3 VARCHAR(9) CHARACTER SET utf8, tt TINYTEXT, tx TEXT, d DATE, dn DATE NOT NULL,
dt DATETIME, ts TIMESTAMP NULL, tm TIME, de DECIMAL(8,2), du DECIMAL(8,2) UNSIGNED, f FLOAT, dbl DOUBLE,
e ENUM('a','b'), s SET('x','y'), vb VARBINARY(10), bl BLOB, PRIMARY KEY (id), KEY plain (n)"""
ROWS: Final = (
    "(1, 1, -128, 0, -2147483648, -1, 0, '', '', '', '', '', '', '', '', '', '0000-00-00', '0000-00-00',"
    " '0000-00-00 00:00:00', '0000-00-00 00:00:00', '-838:59:59', -999999.99, 0, -3.4e38, -1.7e308, '', '', '', '')",
    "(2, 2, 127, 255, 2147483647, 1, 4294967295, 'a b ', 'a  ', '  ', 'x  ', '\u20ac\u00fc', '\u20ac', '\u20ac', 'x ',"
    " REPEAT('\u20ac', 9), '9999-12-31', '2024-00-10', '9999-12-31 23:59:59', '2038-01-19 03:14:07',"
    " '838:59:59', 999999.99, 999999.99, 3.4e38, 1.7e308, 'b', 'x,y', X'00ff20', X'00')",
    "(3, NULL, NULL, 1, NULL, 0, NULL, NULL, NULL, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '0001-01-01',"
    " NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(4, 0, 0, 7, 0, 0, 5, '0', '0', '\u00e9\U0001f600', '1', REPEAT('\u00ff', 20), REPEAT('\u00ff', 255), 'abc',"
    " REPEAT('a', 255), 'x', '0001-01-01', '2024-02-29', '0001-01-01 00:00:00', '1970-01-01 00:00:01',"
    " '-00:00:01', 0.01, 0.01, 0.1, 0.1, 'a', 'y', X'20', X'2020')",
)
AHEAD: Final = ("ALTER TABLE {t} DROP COLUMN spare", "ALTER TABLE {t} ADD COLUMN later INT NOT NULL FIRST")


@dataclass(frozen=True)
class Case:
    """A statement on table {t}. certain: whether its effect must be, or for which product alone."""

    statement: str
    certain: bool | str = True
    engine: str = "InnoDB"
    columns: str = COLUMNS
    rows: Sequence[str] = ROWS


def added(*definitions: str, certain: bool | str = True) -> list[Case]:
    """Cases of ADD COLUMN, in both engines by turns."""
    return [
        Case(f"ALTER TABLE {{t}} ADD COLUMN {text}", certain, ("InnoDB", "MyISAM")[turn % 2])
        for turn, text in enumerate(definitions)
    ]


def altered(*actions: str, certain: bool | str = True) -> list[Case]:
    """Cases of ALTER TABLE, in both engines by turns."""
    return [
        Case(f"ALTER TABLE {{t}} {text}", certain, ("MyISAM", "InnoDB")[turn % 2])
        for turn, text in enumerate(actions)
    ]


CERTAIN: Final = [
    *added("a INT", "a INT NOT NULL", "a INT NOT NULL DEFAULT 0", "`a` TINYINT(1) DEFAULT '-5' FIRST"),
    *added(
        "a TINYINT UNSIGNED NOT NULL DEFAULT 255 AFTER n", "a BIGINT NOT NULL DEFAULT -9223372036854775808"
    ),
    *added(
        "a BIGINT UNSIGNED DEFAULT 18446744073709551615", "a INT(5) UNSIGNED ZEROFILL NOT NULL DEFAULT 42"
    ),
    *added(
        "a BOOL NOT NULL DEFAULT TRUE", "a BOOLEAN DEFAULT FALSE", "a MEDIUMINT DEFAULT NULL", "a INT8 NULL"
    ),
    *added(
        "a VARCHAR(10)",
        "a VARCHAR(10) NOT NULL",
        "a VARCHAR(10) NOT NULL DEFAULT 'it''s a '",
        "a CHAR(3) NOT NULL",
    ),
    *added("a CHAR(3) DEFAULT 'abc' COMMENT 'x, ) (''', y'", "a VARCHAR(8) CHARACTER SET latin1 DEFAULT 'x'"),
    *added("a VARCHAR(8) COLLATE utf8mb4_bin NOT NULL", "a TEXT", "a TEXT NOT NULL", "a MEDIUMTEXT NOT NULL"),
    *added(
        "a NCHAR(4) DEFAULT 'n'",
        "a NATIONAL VARCHAR(4)",
        "a CHARACTER VARYING(5) DEFAULT ''",
        "a LONG VARCHAR",
    ),
    *added(
        "a DATE",
        "a DATE NOT NULL",
        "a DATE NOT NULL DEFAULT '0001-01-01'",
        "a DATE NOT NULL DEFAULT '0000-00-00'",
    ),
    *added(
        "a DATETIME NOT NULL", "a DATETIME(3) NOT NULL", "a DATETIME NOT NULL DEFAULT '0001-01-01 00:00:00'"
    ),
    *added(
        "a DATETIME(2) DEFAULT '2024-02-29 23:59:59.99'",
        "a TIMESTAMP NULL",
        "a TIMESTAMP(3) NULL DEFAULT NULL",
    ),
    *added(
        "a TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00'",
        "a TIME NOT NULL",
        "a TIME(2) DEFAULT '-838:59:58.25'",
    ),
    *added(
        "a DECIMAL(10,2) NOT NULL",
        "a DEC DEFAULT 12",
        "a NUMERIC(8,3) NOT NULL DEFAULT '-1.5'",
        "a FIXED(4,4)",
    ),
    *added(
        "a FLOAT NOT NULL", "a DOUBLE NOT NULL DEFAULT 1.5", "a DOUBLE PRECISION DEFAULT '-3'", "a FLOAT(7,2)"
    ),
    *added(
        "a ENUM('x','y')",
        "a SET('a,b','c')''d')",
        "a BLOB",
        "a VARBINARY(5) NULL",
        "a BIT(3)",
        "a YEAR",
        "a JSON",
    ),
    *added("IF NOT EXISTS n INT", "IF NOT EXISTS a INT NOT NULL"),
    *altered(
        "ADD (a INT, b VARCHAR(3) NOT NULL)",
        "ADD a INT, ADD b INT AFTER a, ADD c2 INT FIRST",
        "ADD a INT, ALGORITHM=COPY",
    ),
    *altered(
        "ADD a INT /* , ADD b INT */ -- c\n",
        "/*! ADD */ a INT # x",
        "ADD COLUMN a INT NOT NULL, DROP COLUMN ti",
    ),
    *altered(
        "DROP COLUMN v", "DROP n, DROP COLUMN `d`", "DROP COLUMN IF EXISTS nothing", "DROP COLUMN MIXED"
    ),
    *altered(
        "RENAME COLUMN v TO w",
        "RENAME COLUMN id TO ident",
        "RENAME COLUMN mixed TO MIXED",
        "CHANGE v w VARCHAR(20)",
    ),
    *altered(
        "CHANGE COLUMN n number BIGINT AFTER v", "CHANGE mixed mixed VARCHAR(6)", "MODIFY mixed VARCHAR(7)"
    ),
    *altered(
        "MODIFY n BIGINT",
        "MODIFY ti SMALLINT",
        "MODIFY tu SMALLINT NOT NULL",
        "MODIFY nu BIGINT",
        "MODIFY nn INT",
    ),
    *altered(
        "MODIFY nn INT NOT NULL DEFAULT 7 COMMENT 'a,b' FIRST",
        "MODIFY id BIGINT NOT NULL",
        "MODIFY id BIGINT",
    ),
    *altered(
        "MODIFY v VARCHAR(255)",
        "MODIFY vn VARCHAR(21)",
        "MODIFY c CHAR(20)",
        "MODIFY v TEXT",
        "MODIFY tx MEDIUMTEXT",
    ),
    *altered(
        "MODIFY l VARCHAR(20) CHARACTER SET utf8mb4",
        "MODIFY lt TEXT CHARACTER SET utf8mb4",
        "MODIFY tt LONGTEXT",
    ),
    *altered("MODIFY u3 VARCHAR(9) CHARACTER SET utf8mb4", "MODIFY l VARCHAR(30) CHARSET latin1"),
    *altered(
        "MODIFY de DECIMAL(9,2)", "MODIFY de DECIMAL(12,4)", "MODIFY dt DATETIME(3)", "MODIFY tm TIME(6)"
    ),
    *altered("MODIFY ts TIMESTAMP(2) NULL", "MODIFY d DATETIME", "MODIFY dn DATETIME(3) NOT NULL"),
    *altered(
        "MODIFY e ENUM('a','b','c')",
        "MODIFY s SET('x','y','z')",
        "MODIFY vb VARBINARY(20)",
        "MODIFY bl MEDIUMBLOB",
    ),
    *altered(
        "ALTER COLUMN n SET DEFAULT 5",
        "ALTER n DROP DEFAULT",
        "ENGINE=InnoDB",
        "ENGINE = MyISAM ROW_FORMAT=DYNAMIC",
    ),
    *altered(
        "ADD INDEX more (v(5), n)", "ADD FULLTEXT KEY (tx)", "DROP INDEX plain", "ADD UNIQUE only_one (id, n)"
    ),
    *altered(
        "COMMENT='a', AUTO_INCREMENT=7", "DEFAULT CHARSET=latin1", "ADD CONSTRAINT small CHECK (id < 99)"
    ),
    *altered(
        "CONVERT TO CHARACTER SET utf8mb4", "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "FORCE"
    ),
    *altered("DISABLE KEYS", "RENAME INDEX plain TO plainer", "ADD KEY a (n), ADD a INT"),
    Case("TRUNCATE TABLE {t}"),
    Case("CREATE INDEX more ON {t} (n)", engine="MyISAM"),
    Case("CREATE UNIQUE INDEX more ON {t} (nn, id)"),
    Case("DROP INDEX plain ON {t}"),
    Case("/*!50100 ALTER TABLE {t} DISABLE KEYS */", engine="MyISAM"),
    Case("ALTER ONLINE TABLE {t} ADD COLUMN a INT NOT NULL DEFAULT 3"),
    Case("ALTER TABLE {t} WAIT 5 ADD COLUMN IF NOT EXISTS a INT"),
    Case("ALTER TABLE IF EXISTS {t} NOWAIT DROP COLUMN v"),
]
UNCERTAIN: Final = [
    *added("a INT NOT NULL DEFAULT 1.5", "a INT DEFAULT 0x41", "a VARCHAR(3) DEFAULT 5", 'a VARCHAR(9) DEFAULT "x"', certain=False),
    *added("a CHAR(3) DEFAULT 'x '", "a VARCHAR(9) DEFAULT 'a\\\\b'", "a VARCHAR(9) DEFAULT '\u00e9'", certain=False),
    *added("a DATETIME DEFAULT CURRENT_TIMESTAMP", "a TIMESTAMP", "a TIMESTAMP NOT NULL", certain=False),
    *added("a TIMESTAMP NULL DEFAULT '2024-01-01 00:00:00'", "a DATETIME DEFAULT '2024-01-01'", certain=False),
    *added("a ENUM('x','y') NOT NULL", "a BLOB NOT NULL", "a YEAR NOT NULL", "a DATETIME(2) DEFAULT '2024-01-01 00:00:00'", certain=False),
    *added("a INT GENERATED ALWAYS AS (n + 1) VIRTUAL", "a INT AS (id + 1) STORED", "a INT DEFAULT (1 + 1)", certain=False),
    *added("a DOUBLE DEFAULT 0.1", "a DECIMAL(4,1) DEFAULT 1.25", "a INT UNIQUE", "a REAL", "a TEXT(20)", certain=False),
    *altered("MODIFY n SMALLINT", "MODIFY n INT NOT NULL", "MODIFY nn INT UNSIGNED NOT NULL", "MODIFY nu INT", certain=False),
    *altered("MODIFY v VARCHAR(5)", "MODIFY c VARCHAR(10)", "MODIFY v CHAR(20)", "MODIFY tx VARCHAR(20)", certain=False),
    *altered("MODIFY v VARCHAR(20) CHARACTER SET latin1", "MODIFY de DECIMAL(8,1)", "MODIFY de DECIMAL(9,4)", certain=False),
    *altered("MODIFY f DOUBLE", "MODIFY dbl FLOAT", "MODIFY dt DATE", "MODIFY e ENUM('b','a')", "MODIFY n VARCHAR(20)", certain=False),
    *altered("MODIFY lt TINYTEXT CHARACTER SET utf8mb4", "MODIFY id INT NOT NULL AUTO_INCREMENT", "MODIFY ts TIMESTAMP", certain=False),
    *altered("RENAME COLUMN n TO nn2, RENAME COLUMN nn TO n", "CHANGE n v INT, CHANGE v n VARCHAR(20)", certain=False),
    *altered("DROP COLUMN n, ADD COLUMN n INT", "DROP PRIMARY KEY", "DROP PRIMARY KEY, ADD PRIMARY KEY (id, nn)", certain=False),
    *altered("RENAME COLUMN v TO w, RENAME COLUMN w TO v", "ORDER BY v", "ENGINE=MEMORY", "DROP COLUMN id", certain=False),
    Case("ALTER IGNORE TABLE {t} ADD UNIQUE one (nn)", False),
    Case("RENAME TABLE {t} TO {t}_x", False),
    Case("DROP TABLE {t}", False),
    Case("REPAIR TABLE {t}", False, "MyISAM"),
]  # fmt: skip
KEYS: Final = [
    Case("ALTER TABLE {t} MODIFY k VARCHAR(20) NOT NULL", False, columns="k VARCHAR(9) PRIMARY KEY, id INT, spare INT", rows=("('a', 1, 1)",)),
    Case("ALTER TABLE {t} ADD a INT", False, columns="id INT, spare INT", rows=("(1, 1)",)),
    Case("ALTER TABLE {t} COMMENT='x'", columns="id INT, spare INT", rows=("(1, 1)",)),
    Case("ALTER TABLE {t} ADD a INT", columns="id INT NOT NULL UNIQUE, spare INT", rows=("(1, 1)",)),
    Case("ALTER TABLE {t} ADD UNIQUE a (n)", False, columns="id INT NOT NULL UNIQUE, n INT NOT NULL, spare INT", rows=("(1, 1, 1)",)),
    Case("ALTER TABLE {t} MODIFY id INT", False, columns="id INT NOT NULL UNIQUE, spare INT", rows=("(1, 1)",)),
    Case("ALTER TABLE {t} DROP COLUMN n", False, columns="id INT NOT NULL UNIQUE, n INT, spare INT", rows=("(1, 1, 1)",)),
    Case("ALTER TABLE {t} MODIFY id BIGINT NOT NULL", columns="id INT NOT NULL UNIQUE, spare INT", rows=("(1, 1)",)),
    Case("ALTER TABLE {t} CHANGE d d DECIMAL(9,2) NOT NULL", columns="d DECIMAL(5,1), id INT, spare INT, PRIMARY KEY (d)", rows=("(1.5, 1, 1)",)),
]  # fmt: skip
CASES: Final = [*CERTAIN, *UNCERTAIN, *KEYS]
MARIADB_ALONE: Final = re.compile(r"IF (NOT )?EXISTS|WAIT|ONLINE|IGNORE|ENGINE = MyISAM ROW|LONG VARCHAR\Z")


@dataclass
class Seen:
    """What a server made of a case. refused: the number of its error, 0 if it took the statement."""

    case: Case
    refused: int = 0
    before: TableSchema | None = None
    after: TableSchema | None = None
    ahead: TableSchema | None = None
    old: dict[str, list[bytes | None]] = field(default_factory=dict)
    new: dict[str, list[bytes | None]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(source: RunningServer) -> Iterator[list[Seen]]:
    """Run every case once on a server."""
    with fresh_source_database(source, "evolve") as database:
        settings = SourceSettings(url=database.url)
        with database.connect() as writer, connect_for_copy(settings) as rows:
            found = [Seen(case) for case in CASES]
            _run_all(writer, database.name, rows, found)
            yield found


def _run_all(writer: Any, database: str, rows: Connection[Any], found: list[Seen]) -> None:
    with writer.cursor() as cursor:
        cursor.execute("SET sql_mode='', time_zone='+00:00', NAMES utf8mb4")
        for number, each in enumerate(found):
            case = each.case
            cursor.execute(
                f"CREATE TABLE t{number} ({case.columns}) ENGINE={case.engine} DEFAULT CHARSET utf8mb4"
            )
            cursor.execute(f"INSERT INTO t{number} VALUES {','.join(case.rows)}")
        before = _catalogue(writer, database)
        for number, each in enumerate(found):
            each.before = before[f"t{number}"]
            each.old = _values(rows, each.before)
            try:
                cursor.execute(each.case.statement.format(t=f"t{number}"))
            except pymysql.MySQLError as error:
                each.refused = error.args[0]
        after = _catalogue(writer, database)
        for number, each in enumerate(found):
            each.after = after.get(f"t{number}")
            if each.after is not None:
                each.new = _values(rows, each.after)
                for statement in AHEAD:
                    cursor.execute(statement.format(t=f"t{number}"))
        ahead = _catalogue(writer, database)
        for number, each in enumerate(found):
            each.ahead = ahead.get(f"t{number}")


def _catalogue(connection: Any, database: str) -> dict[str, TableSchema]:
    found = read_tables(connection, database, TableSettings())
    return {table.name: schema for table, schema in found.items()}


def _values(rows: Connection[Any], table: TableSchema) -> dict[str, list[bytes | None]]:
    """Each column's texts, as a copy reads them."""
    listed = ", ".join(select_expression(c, f"`{c.name}`") for c in table.columns)
    order = next(name for name in ("id", "ident", "spare") if table.column(name))
    found = query(rows, f"SELECT {listed} FROM {table.id.database}.{table.id.name} ORDER BY {order}")
    return {c.name: [row[at] for row in found] for at, c in enumerate(table.columns)}


def evolved(each: Seen, now: TableSchema | None) -> Evolution | str:
    """What we say of the case."""
    assert each.before is not None
    change = read_change(each.case.statement.format(t=each.before.id.name))
    if change is None:
        return "not understood"
    assert (change.database, change.table) == ("", each.before.id.name)
    return evolve(change, each.before, now, computed=False)


def taken(seen: list[Seen]) -> list[Seen]:
    """The cases whose statement the server took."""
    return [each for each in seen if not each.refused]


def test_what_is_certain(seen: list[Seen], source: RunningServer) -> None:
    """Neither more nor less; and a server refuses only what another product alone has."""
    assert len(CERTAIN) >= 60
    wrong = []
    open("/tmp/refused_" + source.spec.version, "w").write(
        "\n".join(f"{e.refused} {e.case.certain} {e.case.statement}" for e in seen if e.refused)
    )
    for each in seen:
        if each.refused:
            continue
        found = evolved(each, each.after)
        if isinstance(found, Evolution) != (each.case.certain in (True, source.spec.product)):
            wrong.append((each.case.statement, found if isinstance(found, str) else "certain"))
    assert wrong == []


def test_the_layout_is_the_catalogues(seen: list[Seen]) -> None:
    """Types, nullability, key, engine and order; also when the catalogue is ahead."""
    wrong = []
    for each in taken(seen):
        for now in (each.after, each.ahead):
            found = evolved(each, now)
            if isinstance(found, Evolution) and found.table != each.after:
                wrong.append((each.case.statement, found.table, each.after))
    assert wrong == []


def test_a_catalogue_that_is_ahead_says_the_same(seen: list[Seen]) -> None:
    """Unless it lacks what the statement leaves open."""
    for each in taken(seen):
        assert evolved(each, each.ahead) == evolved(each, each.after), each.case.statement


def test_old_values_stay_what_they_are(seen: list[Seen]) -> None:
    """Byte by byte, or, where the type changed, by value."""
    for each in taken(seen):
        found = evolved(each, each.after)
        if isinstance(found, str):
            continue
        if found.truncated:
            assert not any(each.new.values())
            continue
        names = dict(found.renamed)
        retyped = {old.name: (old, new) for old, new in found.retyped}
        for name, old in each.old.items():
            if name in found.dropped:
                assert name not in each.new
            elif name in retyped:
                before, after = retyped[name]
                assert _plain(before, after, old) == _plain(after, after, each.new[after.name]), each.case
            else:
                assert each.new[names.get(name, name)] == old, each.case


def _plain(column: Column, final: Column, texts: list[bytes | None]) -> list[Any]:
    """Values of one kind of Python's, so that those of both types can be compared."""
    found = select_column(column, key=False)(texts).array.to_pylist()
    if final.type.base == "datetime":
        return [dt.datetime.combine(v, dt.time()) if type(v) is dt.date else v for v in found]
    if final.type.base == "time":
        return [v and (v if "." in v else v + ".").rstrip("0") for v in found]
    return [Decimal(v) if isinstance(v, int) else v for v in found]


def test_added_columns_have_the_value(seen: list[Seen]) -> None:
    """That a copy would have brought, in every old row."""
    count = 0
    for each in taken(seen):
        found = evolved(each, each.after)
        for filled in found.added if isinstance(found, Evolution) else ():
            texts = each.new[filled.column.name]
            values = for_postgres(select_column(filled.column, key=False)(texts).array, filled.column.type)
            assert values == [filled.value] * len(each.case.rows), each.case.statement
            count += 1
    assert count >= 50


def test_without_a_catalogue(seen: list[Seen]) -> None:
    """For a plan: the statement's own words give the same layout, but for character sets it leaves open."""
    for each in taken(seen):
        found, certain = evolved(each, None), evolved(each, each.after)
        if isinstance(found, Evolution) and isinstance(certain, Evolution):
            assert _without_charsets(found.table) == _without_charsets(certain.table), each.case.statement


def _without_charsets(table: TableSchema) -> list[tuple[Any, ...]]:
    return [(c.name, replace(c.type, charset=None, length=None), c.nullable) for c in table.columns]


def test_a_generated_column_may_be_made_of_a_columns_text(source: RunningServer) -> None:
    """Why a column that keeps its values, but not its text, is uncertain beside generated ones."""
    with fresh_source_database(source, "evolve") as database:
        database.run(
            "CREATE TABLE t (id INT PRIMARY KEY, d DECIMAL(5,1), g VARCHAR(20) AS (CONCAT('x', d)) VIRTUAL)",
            "INSERT INTO t (id, d) VALUES (1, 1.5)",
        )
        statement = "ALTER TABLE t MODIFY d DECIMAL(7,3)"
        with database.connect() as connection:
            before = _catalogue(connection, database.name)["t"]
            database.run(statement)
            after = _catalogue(connection, database.name)["t"]
        assert database.rows("SELECT g FROM t") == [("x1.500",)]
        change = read_change(statement)
        assert change is not None
        assert isinstance(evolve(change, before, after), str)
        assert before.id == TableId(database.name, "t")


def test_comments_that_a_server_does_not_execute_are_plain_in_the_binlog(source: RunningServer) -> None:
    """So that a conditional comment in a statement of the binlog was executed."""
    with fresh_source_database(source, "evolve") as database:
        with database.connect() as connection, connection.cursor() as cursor:
            is_mysql = source.spec.product == "mysql"
            cursor.execute("SHOW BINARY LOG STATUS" if is_mysql else "SHOW MASTER STATUS")
            file, position = cursor.fetchone()[:2]
            cursor.execute("CREATE TABLE t (id INT PRIMARY KEY)")
            cursor.execute("ALTER TABLE t ADD a INT /*!99999 , ADD b INT */ /*!50100 , ADD c INT */")
            cursor.execute(f"SHOW BINLOG EVENTS IN '{file}' FROM {position}")
            texts = [row[5] for row in cursor.fetchall()]
            cursor.execute("SHOW COLUMNS FROM t")
            assert [row[0] for row in cursor.fetchall()] == ["id", "a", "c"]
        [text] = [text for text in texts if "ALTER TABLE t" in text]
        change = read_change(text.partition(";")[2].strip() or text)
        assert change is not None
        assert [action.definition.name for action in change.actions] == ["a", "c"]  # type: ignore[union-attr]
