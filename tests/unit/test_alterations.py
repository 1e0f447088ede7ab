"""Reading DDL statements: what is understood is understood exactly, all else is None."""

from __future__ import annotations

import logging

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rowferry.actions import (
    Action,
    AddColumn,
    ChangeColumn,
    ConvertCharset,
    DropColumn,
    DropDefault,
    KeepsRows,
    RenameColumn,
    SetDefault,
    TableChange,
    Truncate,
    UniqueIndex,
)
from rowferry.alterations import read_change
from rowferry.definitions import Default, DefaultKind, Definition

PRIMARY, KEEPS, SET_A = UniqueIndex("PRIMARY"), KeepsRows(), SetDefault("a")
ANY = UniqueIndex("")


@pytest.mark.parametrize(
    ("statement", "actions"),
    [
        ("ALTER TABLE t DROP COLUMN a", [DropColumn("a")]),
        ("alter table t drop a cascade, drop if exists `b``c`", [DropColumn("a"), DropColumn("b`c", True)]),
        ("ALTER TABLE t RENAME COLUMN a TO `date`", [RenameColumn("a", "date")]),
        ("ALTER TABLE t ALTER a SET DEFAULT 'x', ALTER COLUMN b DROP DEFAULT", [SET_A, DropDefault("b")]),
        ("ALTER TABLE t ENGINE=innodb", [KeepsRows("InnoDB")]),
        ("ALTER TABLE t ENGINE MyISAM COMMENT 'a, b' AUTO_INCREMENT=9", [KeepsRows("MyISAM"), KEEPS]),
        ("ALTER TABLE t DEFAULT CHARACTER SET = latin1 COLLATE latin1_bin, LOCK=NONE", [KEEPS, KEEPS]),
        ("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", [ConvertCharset("utf8mb4")]),
        ("ALTER TABLE t ADD INDEX i (a(5) DESC, b) COMMENT 'x'", [KEEPS]),
        ("ALTER TABLE t ADD FULLTEXT (a), ADD SPATIAL KEY g (g)", [KEEPS, KEEPS]),
        ("ALTER TABLE t ADD UNIQUE (a), ADD CONSTRAINT c UNIQUE KEY (b)", [ANY, UniqueIndex("c")]),
        ("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY USING BTREE (a)", [PRIMARY, PRIMARY]),
        ("ALTER TABLE t ADD CONSTRAINT PRIMARY KEY (a)", [PRIMARY]),
        ("ALTER TABLE t DROP KEY `k`, DROP CONSTRAINT c", [UniqueIndex("k"), UniqueIndex("c")]),
        ("ALTER TABLE t DROP INDEX `PRIMARY`", [PRIMARY]),
        ("ALTER TABLE t RENAME INDEX a TO b", [UniqueIndex("a")]),
        ("ALTER TABLE t ADD FOREIGN KEY f (a) REFERENCES d.u (b) ON UPDATE NO ACTION", [KEEPS]),
        ("ALTER TABLE t DROP FOREIGN KEY g", [KEEPS]),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > (1))", [KEEPS]),
        ("/*!40000 ALTER TABLE t DISABLE KEYS */", [KEEPS]),
        ("/* a */ TRUNCATE /* b */ t -- c", [Truncate()]),
        ("TRUNCATE TABLE t NOWAIT;", [Truncate()]),
        ("CREATE INDEX i ON t (a) ALGORITHM=INPLACE", [KEEPS]),
        ("CREATE OR REPLACE INDEX i ON t (a)", [UniqueIndex("i")]),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON t (a)", [UniqueIndex("i")]),
        ("DROP INDEX i ON t", [UniqueIndex("i")]),
    ],
)  # fmt: skip
def test_actions(statement: str, actions: list[Action]) -> None:
    """Each in its place."""
    assert read_change(statement) == TableChange("", "t", tuple(actions))


@pytest.mark.parametrize(
    ("named", "database", "table"),
    [
        ("t", "", "t"),
        ("d.T", "d", "T"),
        ("`d`.`a.b``c`", "d", "a.b`c"),
        ("`d` . t", "d", "t"),
        ("t WAIT 3", "", "t"),
        ("IF EXISTS d.t NOWAIT", "d", "t"),
    ],
)
def test_names(named: str, database: str, table: str) -> None:
    """As they are written, without quotes."""
    assert read_change(f"ALTER TABLE {named} DROP a") == TableChange(database, table, (DropColumn("a"),))


def defined(text: str) -> Definition:
    """The definition that ADD COLUMN has."""
    change = read_change(f"ALTER TABLE t ADD COLUMN {text}")
    assert change is not None
    [action] = change.actions
    assert isinstance(action, AddColumn)
    return action.definition


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("INT", ("int(11)", "int")),
        ("INTEGER UNSIGNED", ("int(10) unsigned", "int unsigned")),
        ("int(5) zerofill", ("int(5) unsigned zerofill",)),
        ("TINYINT(1)", ("tinyint(1)",)),
        ("BOOLEAN", ("tinyint(1)",)),
        ("MIDDLEINT", ("mediumint(9)", "mediumint")),
        ("BIGINT UNSIGNED", ("bigint(20) unsigned", "bigint unsigned")),
        ("SERIAL", ("bigint(20) unsigned", "bigint unsigned")),
        ("DEC", ("decimal(10,0)",)),
        ("FIXED(5)", ("decimal(5,0)",)),
        ("NUMERIC(5,2) UNSIGNED ZEROFILL", ("decimal(5,2) unsigned zerofill",)),
        ("DOUBLE PRECISION", ("double",)),
        ("FLOAT(25)", ("double",)),
        ("FLOAT(7,2) UNSIGNED", ("float(7,2) unsigned",)),
        ("CHARACTER", ("char(1)",)),
        ("CHARACTER VARYING(7)", ("varchar(7)",)),
        ("NATIONAL CHARACTER VARYING(7)", ("varchar(7)",)),
        ("LONG", ("mediumtext",)),
        ("LONG VARBINARY", ("mediumblob",)),
        ("DATETIME(0)", ("datetime",)),
        ("TIME(3)", ("time(3)",)),
        ("YEAR(4)", ("year(4)", "year")),
        ("BIT", ("bit(1)",)),
        ("ENUM('a,b' , 'c)', 'it''s ')", ("enum('a,b','c)','it''s')",)),
        ("SET('x')", ("set('x')",)),
    ],
)
def test_types_are_shown_as_the_catalogue_shows_them(text: str, shown: tuple[str, ...]) -> None:
    """MariaDB's and MySQL's way, in the same order; COLUMN_TYPE of real servers: `test_evolve_oracle`."""
    found = defined(f"a {text}")
    assert (found.texts, found.type.text) == (shown, shown[0])


def test_attributes() -> None:
    """In any order."""
    found = defined(
        "`a` VARCHAR(9) CHARSET utf8 COLLATE utf8_bin COMMENT 'x, (' UNIQUE KEY"
        " DEFAULT 'it''s' NOT NULL AFTER `b`"
    )
    assert (found.type.charset, found.collated, found.key) == ("utf8mb3", True, True)
    assert (found.nullable, found.default, found.after) == (False, Default(DefaultKind.TEXT, "it's"), "b")
    assert defined("a BIGINT AUTO_INCREMENT PRIMARY KEY FIRST").first
    assert defined("a BIGINT AUTO_INCREMENT").auto_increment
    assert defined("a INT AS (b + (1)) PERSISTENT").generated
    assert defined("a DATETIME ON UPDATE NOW(3)").on_update
    assert defined("a TIMESTAMP").nullable is None
    assert defined("a TIMESTAMP NULL").nullable is True


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("INT", Default()),
        ("INT DEFAULT NULL", Default(DefaultKind.NULL)),
        ("INT DEFAULT -5", Default(DefaultKind.NUMBER, "-5")),
        ("INT DEFAULT + 5", Default(DefaultKind.NUMBER, "5")),
        ("BOOL DEFAULT FALSE", Default(DefaultKind.NUMBER, "0")),
        ("INT DEFAULT ''", Default(DefaultKind.TEXT, "")),
        ("DATETIME DEFAULT CURRENT_TIMESTAMP(3)", Default(DefaultKind.EXPRESSION)),
        ("INT DEFAULT (5)", Default(DefaultKind.EXPRESSION)),
        ("CHAR(36) DEFAULT uuid()", Default(DefaultKind.EXPRESSION)),
    ],
)
def test_defaults(text: str, default: Default) -> None:
    """A literal's text; what is computed is an expression."""
    assert defined(f"a {text}").default == default


def test_a_literal_is_not_shown() -> None:
    """No default, which is a value of rows, in what a log might print."""
    assert "secret" not in repr(read_change("ALTER TABLE t ADD a VARCHAR(9) NOT NULL DEFAULT 'secret'"))


def test_several_columns() -> None:
    """In parentheses, and MODIFY and CHANGE."""
    change = read_change("ALTER TABLE t ADD (a INT, INDEX (a), b INT), MODIFY COLUMN c INT, CHANGE d e INT")
    assert change is not None
    assert [type(a) for a in change.actions] == [AddColumn, KeepsRows, AddColumn, ChangeColumn, ChangeColumn]
    assert [a.old for a in change.actions if isinstance(a, ChangeColumn)] == ["c", "d"]


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "ALTER TABLE t",
        "ALTER TABLE t ADD",
        "ALTER TABLE t ADD a INT,",
        "ALTER TABLE t ADD a INT; DROP TABLE t",
        "ALTER TABLE t ADD a INT b",
        "ALTER TABLE t ADD a NOTYPE",
        "ALTER TABLE t ADD a INT /* open",
        "ALTER TABLE t ADD a INT */",
        "ALTER TABLE t ADD a INT /*! /* x */ */",
        "ALTER TABLE t ADD a INT /*!501001 */ /*!5010 , ADD b INT */",
        "ALTER TABLE t ADD a TEXT /*M!100301 COMPRESSED */",
        "ALTER TABLE t ADD a INT /*M!100301 , ADD b INT */",
        "ALTER TABLE t ADD a VARCHAR(9) DEFAULT \"x\"",
        "ALTER TABLE t ADD \"a\" INT",
        "ALTER TABLE \"t\" ADD a INT",
        "ALTER TABLE t ADD a INT COMMENT 'x\\', ADD b INT COMMENT 'y'",
        "ALTER TABLE t ADD a VARCHAR(9) DEFAULT 'a\\tb'",
        "ALTER TABLE t ADD a ENUM('a\\\\b')",
        "ALTER TABLE t ADD a VARCHAR(9) DEFAULT 'a' 'b'",
        "ALTER TABLE t ADD a VARCHAR(9) DEFAULT _latin1'a'",
        "ALTER TABLE t ADD a VARCHAR(9) DEFAULT N'a'",
        "ALTER TABLE t ADD a INT DEFAULT 1 + 1",
        "ALTER TABLE t ADD a INT DEFAULT --1",
        "ALTER TABLE t ADD a INT DEFAULT 0x10",
        "ALTER TABLE t ADD a INT DEFAULT b'1'",
        "ALTER TABLE t ADD a DATE DEFAULT DATE '2024-01-01'",
        "ALTER TABLE t ADD a VARCHAR",
        "ALTER TABLE t ADD a TEXT(9)",
        "ALTER TABLE t ADD a VARCHAR(9) CHARACTER SET binary",
        "ALTER TABLE t ADD a VARCHAR(9) CHARACTER SET latin1 COLLATE utf8mb4_bin",
        "ALTER TABLE t ADD a VARCHAR(9) ASCII",
        "ALTER TABLE t ADD a REAL",
        "ALTER TABLE t ADD a YEAR(2)",
        "ALTER TABLE t ADD a INT REFERENCES u (b)",
        "ALTER TABLE t ADD ä INT",
        "ALTER TABLE `tä` ADD a INT",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (b) ON DELETE CASCADE",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (b) ON DELETE SET NULL",
        "ALTER IGNORE TABLE t ADD UNIQUE (a)",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t RENAME u",
        "ALTER TABLE t ORDER BY a",
        "ALTER TABLE t ENGINE=MEMORY",
        "ALTER TABLE t DROP PARTITION p",
        "ALTER TABLE t ADD a INT PARTITION BY HASH (a)",
        "ALTER TABLE t ADD SYSTEM VERSIONING",
        "ALTER TABLE t DROP SYSTEM VERSIONING",
        "ALTER TABLE t ADD PERIOD FOR SYSTEM_TIME (a, b)",
        "ALTER TABLE t DISCARD TABLESPACE",
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
        "ALTER TABLE t CONVERT TO CHARACTER SET binary",
        "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT",
        "ALTER TABLE t UNION=(a, b)",
        "ALTER DATABASE d CHARACTER SET utf8mb4",
        "CREATE TABLE t (a INT)",
        "DROP TABLE t",
        "RENAME TABLE t TO u",
        "TRUNCATE t, u",
        "SET STATEMENT max_statement_time=0 FOR ALTER TABLE t DROP a",
        "ALTER VIEW v AS SELECT 1",
    ],
)  # fmt: skip
def test_what_is_not_understood(statement: str) -> None:
    """Is None: the table is copied again."""
    assert read_change(statement) is None


STATEMENTS = [
    "ALTER TABLE patient ADD COLUMN a INT NOT NULL DEFAULT -5 COMMENT 'x, )' AFTER `b`, DROP COLUMN c",
    "ALTER TABLE `patient` MODIFY v VARCHAR(20) CHARACTER SET utf8mb4 DEFAULT 'it''s', ENGINE=InnoDB",
    "/*!50100 ALTER TABLE patient ADD (e ENUM('a','b'), UNIQUE KEY k (e)) */ -- end",
    "CREATE UNIQUE INDEX i ON patient (a(10))",
    "TRUNCATE TABLE patient",
]
SIGNS = [
    "\0",
    "'",
    '"',
    "`",
    "\\",
    "/*",
    "*/",
    "/*!",
    "/*M!",
    "--",
    "-- ",
    "#",
    "\n",
    "(",
    ")",
    ",",
    ";",
    ".",
    " ",
]
WORDS = ["a", "5", "0x1", "1e5", "é", "COMMENT", "DEFAULT", "IGNORE", "RENAME", "TO", "''", "NULL", "KEY"]
PIECES = st.sampled_from(SIGNS + WORDS)


@given(
    st.sampled_from(STATEMENTS),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 9), PIECES), max_size=5),
)
@example(STATEMENTS[0], [])
@settings(max_examples=500, deadline=None)
def test_nothing_raises_and_no_other_table_is_named(
    statement: str, edits: list[tuple[int, int, str]]
) -> None:
    """Whatever stands in the statement: a table that is named is named in it."""
    for at, length, text in edits:
        statement = statement[:at] + text + statement[at + length :]
    change = read_change(statement)
    if change is not None:
        assert change.actions
        assert change.table.replace("`", "``") in statement
        assert change.database.replace("`", "``") in statement


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Is read without an error."""
    read_change(text)
    read_change(f"ALTER TABLE t ADD COLUMN {text}")


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A statement may hold values."""
    with caplog.at_level(logging.DEBUG):
        for statement in (
            *STATEMENTS,
            "ALTER TABLE t SOMETHING 'secret'",
            "SHOW 'secret'",
            "RENAME 'secret'",
        ):
            read_change(statement)
    assert not caplog.records
