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
lt TINYTEXT CHARACTER SET latin1, u3 VARCHAR(9) CHARACTER SET utf8, tt TINYTEXT, tx TEXT,
d DATE, dn DATE NOT NULL, dt DATETIME, ts TIMESTAMP NULL, tm TIME, de DECIMAL(8,2), du DECIMAL(8,2) UNSIGNED,
f FLOAT, dbl DOUBLE, e ENUM('a','b'), s SET('x','y'), vb VARBINARY(10), bl BLOB,
PRIMARY KEY (id), KEY plain (n)"""
ROWS: Final = (
    "(1, 1, -128, 0, -2147483648, -1, 0, '', '', '', '', '', '', '', '', '',"
    " '0000-00-00', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '-838:59:59', -999999.99, 0,"
    " -3.4e38, -1.7e308, '', '', '', '')",
    "(2, 2, 127, 255, 2147483647, 1, 4294967295, 'a b ', 'a  ', '  ', 'x  ', '€ü', '€', '€', 'x ',"
    " REPEAT('€', 9), '9999-12-31', '2024-00-10', '9999-12-31 23:59:59', '2038-01-19 03:14:07',"
    " '838:59:59', 999999.99, 999999.99, 3.4e38, 1.7e308, 'b', 'x,y', X'00ff20', X'00')",
    "(3, NULL, NULL, 1, NULL, 0, NULL, NULL, NULL, 'A', NULL, NULL, NULL, NULL, NULL, NULL,"
    " NULL, '0001-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(4, 0, 0, 7, 0, 0, 5, '0', '0', 'é😀', '1', REPEAT('ÿ', 20), REPEAT('ÿ', 255), 'abc',"
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
    charset: str = "utf8mb4"


def listed(statements: str, certain: bool | str) -> list[Case]:
    """A case a line, in both engines by turns: what follows ALTER TABLE, or, after `! `, the statement."""
    lines = statements.strip().splitlines()
    whole = [line[2:] if line.startswith("! ") else f"ALTER TABLE {{t}} {line}" for line in lines]
    return [Case(text, certain, ("InnoDB", "MyISAM")[at % 2]) for at, text in enumerate(whole)]


def small(action: str, certain: bool | str, columns: str, rows: str, charset: str = "utf8mb4") -> Case:
    """A case of ALTER TABLE on a small table."""
    return Case(f"ALTER TABLE {{t}} {action}", certain, columns=columns, rows=(rows,), charset=charset)


CERTAIN: Final = listed(
    r"""
ADD COLUMN a INT
ADD COLUMN a INT NOT NULL
ADD COLUMN a INT NOT NULL DEFAULT 0
ADD COLUMN `a` TINYINT(1) DEFAULT '-5' FIRST
ADD COLUMN a TINYINT UNSIGNED NOT NULL DEFAULT 255 AFTER n
ADD COLUMN a BIGINT NOT NULL DEFAULT -9223372036854775808
ADD COLUMN a BIGINT UNSIGNED DEFAULT 18446744073709551615
ADD COLUMN a INT(5) UNSIGNED ZEROFILL NOT NULL DEFAULT 42
ADD COLUMN a BOOL NOT NULL DEFAULT TRUE
ADD COLUMN a BOOLEAN DEFAULT FALSE
ADD COLUMN a MEDIUMINT DEFAULT NULL
ADD COLUMN a INT8 NULL
ADD COLUMN a VARCHAR(10)
ADD COLUMN a VARCHAR(10) NOT NULL
ADD COLUMN a VARCHAR(10) NOT NULL DEFAULT 'it''s a '
ADD COLUMN a CHAR(3) NOT NULL
ADD COLUMN a CHAR(3) DEFAULT 'abc' COMMENT 'x, ) ('', y'
ADD COLUMN a VARCHAR(8) CHARACTER SET latin1 DEFAULT 'x'
ADD COLUMN a VARCHAR(8) COLLATE utf8mb4_bin NOT NULL
ADD COLUMN a TEXT
ADD COLUMN a TEXT NOT NULL
ADD COLUMN a MEDIUMTEXT NOT NULL
ADD COLUMN a NCHAR(4) DEFAULT 'n'
ADD COLUMN a NATIONAL VARCHAR(4)
ADD COLUMN a CHARACTER VARYING(5) DEFAULT ''
ADD COLUMN a LONG VARCHAR
ADD COLUMN a DATE
ADD COLUMN a DATE NOT NULL
ADD COLUMN a DATE NOT NULL DEFAULT '0001-01-01'
ADD COLUMN a DATE NOT NULL DEFAULT '0000-00-00'
ADD COLUMN a DATETIME NOT NULL
ADD COLUMN a DATETIME(3) NOT NULL
ADD COLUMN a DATETIME NOT NULL DEFAULT '0001-01-01 00:00:00'
ADD COLUMN a DATETIME(2) DEFAULT '2024-02-29 23:59:59.99'
ADD COLUMN a TIMESTAMP NULL
ADD COLUMN a TIMESTAMP(3) NULL DEFAULT NULL
ADD COLUMN a TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00'
ADD COLUMN a TIME NOT NULL
ADD COLUMN a TIME(2) DEFAULT '-838:59:58.25'
ADD COLUMN a DECIMAL(10,2) NOT NULL
ADD COLUMN a DEC DEFAULT 12
ADD COLUMN a NUMERIC(8,3) NOT NULL DEFAULT '-1.5'
ADD COLUMN a FIXED(4,4)
ADD COLUMN a FLOAT NOT NULL
ADD COLUMN a DOUBLE NOT NULL DEFAULT 1.5
ADD COLUMN a DOUBLE PRECISION DEFAULT '-3'
ADD COLUMN a FLOAT(7,2)
ADD COLUMN a ENUM('x','y')
ADD COLUMN a SET('a','c'')d')
ADD COLUMN a BLOB
ADD COLUMN a VARBINARY(5) NULL
ADD COLUMN a BIT(3)
ADD COLUMN a YEAR
ADD COLUMN a JSON
ADD COLUMN IF NOT EXISTS n INT
ADD COLUMN IF NOT EXISTS a INT NOT NULL
ADD (a INT, b VARCHAR(3) NOT NULL)
ADD a INT, ADD b INT AFTER a, ADD c2 INT FIRST
ADD a INT, ALGORITHM=COPY
ADD a INT /* , ADD b INT */ -- c
/*! ADD */ a INT # x
ADD COLUMN a INT NOT NULL, DROP COLUMN ti
DROP COLUMN v
DROP n, DROP COLUMN `d`
DROP COLUMN IF EXISTS nothing
DROP COLUMN MIXED
RENAME COLUMN v TO w
RENAME COLUMN id TO ident
RENAME COLUMN mixed TO MIXED
CHANGE v w VARCHAR(20)
CHANGE COLUMN n number BIGINT AFTER v
CHANGE mixed mixed VARCHAR(6)
MODIFY mixed VARCHAR(7)
MODIFY n BIGINT
MODIFY ti SMALLINT
MODIFY tu SMALLINT NOT NULL
MODIFY nu BIGINT
MODIFY nn INT
MODIFY nn INT NOT NULL DEFAULT 7 COMMENT 'a,b' FIRST
MODIFY id BIGINT NOT NULL
MODIFY id BIGINT
MODIFY v VARCHAR(255)
MODIFY vn VARCHAR(21)
MODIFY c CHAR(20)
MODIFY v TEXT
MODIFY tx MEDIUMTEXT
MODIFY l VARCHAR(20) CHARACTER SET utf8mb4
MODIFY lt TEXT CHARACTER SET utf8mb4
MODIFY tt LONGTEXT
MODIFY u3 VARCHAR(9) CHARACTER SET utf8mb4
MODIFY l VARCHAR(30) CHARSET latin1
MODIFY de DECIMAL(9,2)
MODIFY de DECIMAL(12,4)
MODIFY dt DATETIME(3)
MODIFY tm TIME(6)
MODIFY ts TIMESTAMP(2) NULL
MODIFY d DATETIME
MODIFY dn DATETIME(3) NOT NULL
MODIFY e ENUM('a','b','c')
MODIFY s SET('x','y','z')
MODIFY vb VARBINARY(20)
MODIFY bl MEDIUMBLOB
ALTER COLUMN n SET DEFAULT 5
ALTER n DROP DEFAULT
ENGINE=InnoDB
ENGINE = MyISAM ROW_FORMAT=DYNAMIC
ADD INDEX more (v(5), n)
ADD FULLTEXT KEY (tx)
DROP INDEX plain
ADD UNIQUE only_one (id, n)
COMMENT='a', AUTO_INCREMENT=7
DEFAULT CHARSET=latin1
ADD CONSTRAINT small CHECK (id < 99)
CONVERT TO CHARACTER SET utf8mb4
CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
ROW_FORMAT=DYNAMIC, COMMENT='b'
CHANGE n m BIGINT, ADD a INT AFTER m, ADD b INT AFTER a
ADD a INT FIRST, ADD b INT FIRST
ADD a INT AFTER v, MODIFY v VARCHAR(30) FIRST
MODIFY v TINYTEXT
MODIFY nu INT(10) UNSIGNED
DROP v, ADD v2 CHAR(4) AFTER c, RENAME COLUMN l TO latin
MODIFY c CHAR(10), MODIFY v VARCHAR(20) AFTER id
ADD a INT COMMENT "it's" DEFAULT 5
ADD a INT COMMENT 'b\\c'
ADD a INT SIGNED NOT NULL DEFAULT 1 CHECK (a > 0)
ADD a VARCHAR(5) DEFAULT 'ab' COLLATE utf8mb4_bin
ADD a VARCHAR(5) BINARY
ADD a INT(5), LOCK=SHARED
ADD a DECIMAL(65,30) NOT NULL DEFAULT 12345678901234567890.123456789
ADD a DOUBLE(8,3) NOT NULL
ADD a FLOAT DEFAULT 16777216
ADD a FLOAT(30) NULL
ADD a TIME DEFAULT '838:59:59'
ADD a BINARY(4)
MODIFY dn DATE NULL
MODIFY tu BIGINT NOT NULL
ADD a TEXT NOT NULL DEFAULT 'x y'
ADD a UUID, ADD b INET6
DISABLE KEYS
RENAME INDEX plain TO plainer
ADD KEY a (n), ADD a INT
! TRUNCATE TABLE {t}
! CREATE INDEX more ON {t} (n)
! CREATE UNIQUE INDEX more ON {t} (nn, id)
! DROP INDEX plain ON {t}
! ALTER ONLINE TABLE {t} ADD COLUMN a INT NOT NULL DEFAULT 3
! /*!50100 ALTER TABLE {t} DISABLE KEYS */
WAIT 5 ADD COLUMN IF NOT EXISTS a INT
! ALTER TABLE IF EXISTS {t} NOWAIT DROP COLUMN v
""",
    True,
)
UNCERTAIN: Final = listed(
    r"""
ADD COLUMN a INT NOT NULL DEFAULT 1.5
ADD COLUMN a INT DEFAULT 0x41
ADD COLUMN a VARCHAR(3) DEFAULT 5
ADD COLUMN a VARCHAR(9) DEFAULT "x"
ADD COLUMN a CHAR(3) DEFAULT 'x '
ADD COLUMN a VARCHAR(9) DEFAULT 'a\\b'
ADD COLUMN a VARCHAR(9) DEFAULT 'é'
ADD COLUMN a DATETIME DEFAULT CURRENT_TIMESTAMP
ADD COLUMN a TIMESTAMP
ADD COLUMN a TIMESTAMP NOT NULL
ADD COLUMN a TIMESTAMP NULL DEFAULT '2024-01-01 00:00:00'
ADD COLUMN a DATETIME DEFAULT '2024-01-01'
ADD COLUMN a ENUM('x','y') NOT NULL
ADD COLUMN a BLOB NOT NULL
ADD COLUMN a YEAR NOT NULL
ADD COLUMN a DATETIME(2) DEFAULT '2024-01-01 00:00:00'
ADD COLUMN a INT GENERATED ALWAYS AS (n + 1) VIRTUAL
ADD COLUMN a INT AS (id + 1) STORED
ADD COLUMN a INT DEFAULT (1 + 1)
ADD COLUMN a DOUBLE DEFAULT 0.1
ADD COLUMN a DECIMAL(4,1) DEFAULT 1.25
ADD COLUMN a INT UNIQUE
ADD COLUMN a REAL
ADD COLUMN a TEXT(20)
MODIFY n SMALLINT
MODIFY n INT NOT NULL
MODIFY nn INT UNSIGNED NOT NULL
MODIFY nu INT
MODIFY v VARCHAR(5)
MODIFY c VARCHAR(10)
MODIFY v CHAR(20)
MODIFY tx VARCHAR(20)
MODIFY v VARCHAR(20) CHARACTER SET latin1
MODIFY de DECIMAL(8,1)
MODIFY de DECIMAL(9,4)
MODIFY f DOUBLE
MODIFY dbl FLOAT
MODIFY dt DATE
MODIFY e ENUM('b','a')
MODIFY n VARCHAR(20)
MODIFY lt TINYTEXT CHARACTER SET utf8mb4
MODIFY id INT NOT NULL AUTO_INCREMENT
MODIFY ts TIMESTAMP
RENAME COLUMN n TO nn2, RENAME COLUMN nn TO n
CHANGE n v INT, CHANGE v n VARCHAR(20)
DROP COLUMN n, ADD COLUMN n INT
DROP PRIMARY KEY
DROP PRIMARY KEY, ADD PRIMARY KEY (id, nn)
RENAME COLUMN v TO vn, RENAME COLUMN vn TO v
ORDER BY v
DROP COLUMN id
ADD a INT REFERENCES {t} (id)
ADD a INT DEFAULT '007'
DROP INDEX `PRIMARY`
ADD a VARCHAR(20000)
MODIFY nu INT UNSIGNED ZEROFILL
MODIFY n FLOAT
MODIFY d TIMESTAMP NULL
MODIFY tm DATETIME
MODIFY dt TIMESTAMP NULL
MODIFY s SET('y','x')
MODIFY bl TINYBLOB
MODIFY vb VARCHAR(20)
MODIFY du DECIMAL(10,2)
MODIFY de DECIMAL(10,2) UNSIGNED
MODIFY v VARBINARY(80)
CONVERT TO CHARACTER SET latin1
CONVERT TO CHARACTER SET utf8
PARTITION BY HASH (id) PARTITIONS 3
! ALTER IGNORE TABLE {t} ADD UNIQUE one (nn)
! RENAME TABLE {t} TO {t}_x
! DROP TABLE {t}
! REPAIR TABLE {t}
""",
    False,
)
UNIQUE: Final = "id INT NOT NULL UNIQUE, spare INT"
LINKED: Final = "id INT PRIMARY KEY, spare INT, n INT, KEY (n)"
SMALL: Final = [
    small(
        "MODIFY k VARCHAR(20) NOT NULL", False, "k VARCHAR(9) PRIMARY KEY, id INT, spare INT", "('a', 1, 1)"
    ),
    small(
        "MODIFY v VARCHAR(20)",
        False,
        "v VARCHAR(9) CHARSET utf8mb4, id INT PRIMARY KEY, spare INT",
        "('α', 1, 1)",
        "latin1",
    ),
    small(
        "CHANGE d d DECIMAL(9,2) NOT NULL",
        True,
        "d DECIMAL(5,1) PRIMARY KEY, id INT, spare INT",
        "(1.5, 1, 1)",
    ),
    small("ADD a INT", False, "id INT, spare INT", "(1, 1)"),
    small("COMMENT='x'", True, "id INT, spare INT", "(1, 1)"),
    small("ADD a INT NOT NULL FIRST, ADD PRIMARY KEY (a)", False, "id INT NOT NULL, spare INT", "(1, 1)"),
    small("ENGINE=MEMORY", False, "id INT PRIMARY KEY, spare INT", "(1, 1)"),
    small("DROP INDEX id", False, UNIQUE, "(1, 1)"),
    small("RENAME COLUMN id TO ident", True, UNIQUE, "(1, 1)"),
    small("ADD PRIMARY KEY (spare)", False, UNIQUE, "(1, 1)"),
    small("ADD a INT", True, UNIQUE, "(1, 1)"),
    small("MODIFY id INT", False, UNIQUE, "(1, 1)"),
    small("MODIFY id BIGINT NOT NULL", True, UNIQUE, "(1, 1)"),
    small("ADD UNIQUE a (n)", False, UNIQUE + ", n INT NOT NULL", "(1, 1, 1)"),
    small("DROP COLUMN n", False, UNIQUE + ", n INT", "(1, 1, 1)"),
    small("ADD FOREIGN KEY (n) REFERENCES {t} (id) ON DELETE CASCADE", False, LINKED, "(1, 1, NULL)"),
    small(
        "ADD CONSTRAINT c FOREIGN KEY (n) REFERENCES {t} (id) ON DELETE RESTRICT",
        True,
        LINKED,
        "(1, 1, NULL)",
    ),
    small("ADD a INT -- x\n", True, LINKED, "(1, 1, NULL)"),
]
CASES: Final = [*CERTAIN, *UNCERTAIN, *SMALL]
MARIADB_ALONE: Final = re.compile(r"IF (NOT )?EXISTS|WAIT|ONLINE|IGNORE|UUID|TEXT NOT NULL DEFAULT")


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
                f"CREATE TABLE t{number} ({case.columns}) ENGINE={case.engine} CHARSET {case.charset}"
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
    return evolve(change, each.before, now)


def taken(seen: list[Seen]) -> list[Seen]:
    """The cases whose statement the server took."""
    return [each for each in seen if not each.refused]


def test_what_is_certain(seen: list[Seen], source: RunningServer) -> None:
    """Neither more nor less."""
    assert len(CERTAIN) >= 60
    wrong = []
    for each in seen:
        if each.refused:
            continue
        found = evolved(each, each.after)
        if isinstance(found, Evolution) != (each.case.certain in (True, source.spec.product)):
            wrong.append((each.case.statement, found if isinstance(found, str) else "certain"))
    assert wrong == []


def test_what_a_server_refuses(seen: list[Seen], source: RunningServer) -> None:
    """Only what another product alone has: every other case is held against the server."""
    refused = [each.case.statement for each in seen if each.refused]
    lacks_uuid = source.spec.product == "mariadb" and source.spec.version == "10.5"
    allowed = "UUID" if lacks_uuid else MARIADB_ALONE if source.spec.product == "mysql" else "nothing"
    assert [statement for statement in refused if not re.search(allowed, statement)] == []


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
            "CREATE TABLE plain (id INT PRIMARY KEY)",
        )
        statement = "ALTER TABLE t MODIFY d DECIMAL(7,3)"
        with database.connect() as connection:
            before = _catalogue(connection, database.name)["t"]
            database.run(statement)
            after = _catalogue(connection, database.name)["t"]
            assert (after.computed, _catalogue(connection, database.name)["plain"].computed) == (True, False)
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
            [(file, position, *_)] = cursor.fetchall()
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
