"""Statements that change a table's key, its form, its name, or whether it is there."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

from typing import Final

from tests.acceptance.schema_cases import LATER, PET, PETS, Case, case
from tests.acceptance.schema_cases_columns import MARIADB, MYSQL

PAIR: Final = "a int NOT NULL, b int NOT NULL, v varchar(10)"
PAIRS: Final = ("INSERT INTO {t} VALUES (1, 10, 'one'), (2, 20, ''), (3, 30, NULL), (4, 41, 'x')",)
PAIRS_LATER: Final = (
    "INSERT INTO {t} (a, b, v) VALUES (5, 50, 'five')",
    "UPDATE {t} SET v = 'changed' WHERE a = 1",
    "UPDATE {t} SET b = 31 WHERE b = 30",
    "DELETE FROM {t} WHERE a = 2",
)
BAG: Final = ("INSERT INTO {t} VALUES (1, 10, 'same'), (1, 10, 'same'), (2, 20, NULL), (3, 30, '')",)


def _pair(
    table: str,
    key: str,
    *statements: str,
    rows: tuple[str, ...] = PAIRS,
    later: tuple[str, ...] = PAIRS_LATER,
) -> Case:
    layout = f"{PAIR}, {key}" if key else PAIR
    return case(table, *statements, layout=layout, rows=rows, later=later)


KEYS: Final = (
    _pair("key_other", "PRIMARY KEY (a)", "ALTER TABLE {t} DROP PRIMARY KEY, ADD PRIMARY KEY (b)"),
    _pair("key_composite", "PRIMARY KEY (a)", "ALTER TABLE {t} DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)"),
    _pair("key_turned", "PRIMARY KEY (a, b)", "ALTER TABLE {t} DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)"),
    _pair("key_shorter", "PRIMARY KEY (a, b)", "ALTER TABLE {t} DROP PRIMARY KEY, ADD PRIMARY KEY (a)"),
    _pair("key_two_steps", "PRIMARY KEY (a)", "ALTER TABLE {t} DROP PRIMARY KEY", "UPDATE {t} SET a = 9 WHERE a = 4", "ALTER TABLE {t} ADD PRIMARY KEY (b)"),
    _pair("key_to_unique", "PRIMARY KEY (a), UNIQUE KEY u (b)", "ALTER TABLE {t} DROP PRIMARY KEY"),
    _pair("key_gone", "PRIMARY KEY (a)", "ALTER TABLE {t} DROP PRIMARY KEY", "INSERT INTO {t} VALUES (1, 10, 'one'), (1, 10, 'one')"),
    _pair("key_comes", "", "DELETE FROM {t} WHERE a = 1", "ALTER TABLE {t} ADD PRIMARY KEY (a)", rows=BAG),
    _pair("unique_comes", "", "DELETE FROM {t} WHERE a = 1", "CREATE UNIQUE INDEX u ON {t} (b)", rows=BAG),
    _pair("unique_goes", "UNIQUE KEY u (a)", "DROP INDEX u ON {t}", "INSERT INTO {t} VALUES (1, 10, 'one')"),
    _pair("unique_nullable", "UNIQUE KEY u (a)", "ALTER TABLE {t} MODIFY a int NULL", "INSERT INTO {t} VALUES (NULL, 7, ''), (NULL, 7, '')"),
    _pair("key_numbered", "", "ALTER TABLE {t} ADD nr int NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST", rows=BAG),
    _pair("key_replaced", "PRIMARY KEY (a)", "ALTER TABLE {t} DROP PRIMARY KEY, ADD nr int NOT NULL AUTO_INCREMENT PRIMARY KEY"),
    _pair("key_column_gone", "PRIMARY KEY (a, b)", "ALTER TABLE {t} DROP PRIMARY KEY, DROP COLUMN v, ADD PRIMARY KEY (a), ADD v varchar(10)"),
    _pair("key_wider", "PRIMARY KEY (a)", "ALTER TABLE {t} MODIFY a bigint NOT NULL", "INSERT INTO {t} VALUES (9223372036854775807, 1, '')"),
    _pair("key_text", "PRIMARY KEY (a)", "ALTER TABLE {t} MODIFY a varchar(20) NOT NULL", "INSERT INTO {t} VALUES ('abc', 1, '')"),
    _pair("auto_on", "PRIMARY KEY (a)", "ALTER TABLE {t} MODIFY a int NOT NULL AUTO_INCREMENT", "INSERT INTO {t} (a, b, v) VALUES (NULL, 1, 'n'), (0, 2, 'm')", later=PAIRS_LATER[1:]),
    case("auto_off", "ALTER TABLE {t} MODIFY a int NOT NULL", layout="a int AUTO_INCREMENT PRIMARY KEY, b int NOT NULL, v varchar(10)", rows=PAIRS, later=PAIRS_LATER),
    case(
        "key_of_text",
        "ALTER TABLE {t} CONVERT TO CHARACTER SET latin1",
        "ALTER TABLE {t} MODIFY k varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
        layout="k varchar(10) PRIMARY KEY, v int",
        rows=("INSERT INTO {t} VALUES ('Abc', 1), ('\u00e4', 2), ('', 3), ('x', 4)",),
        later=("INSERT INTO {t} VALUES ('abc', 5)", "UPDATE {t} SET k = 'y' WHERE k = 'x'", "DELETE FROM {t} WHERE k = ''"),
    ),
)  # fmt: skip

FORMS: Final = (
    case("engine_innodb", "ALTER TABLE {t} ENGINE=InnoDB", engine="MyISAM"),
    case("engine_myisam", "ALTER TABLE {t} ENGINE = MyISAM", engine="InnoDB"),
    case("engine_aria", "ALTER TABLE {t} ENGINE=Aria, ROW_FORMAT=PAGE", only=MARIADB),
    case("engine_and_add", "ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3, ENGINE=InnoDB", engine="MyISAM"),
    case("convert_latin", "ALTER TABLE {t} CONVERT TO CHARACTER SET latin1"),
    case("convert_utf8", "ALTER TABLE {t} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", options="CHARSET=latin1"),
    case("convert_utf8mb3", "ALTER TABLE {t} CONVERT TO CHARACTER SET utf8mb3", options="CHARSET=latin1"),
    case("default_charset", "ALTER TABLE {t} DEFAULT CHARSET=latin1", "ALTER TABLE {t} ADD c varchar(5) NOT NULL DEFAULT '\u00e4'"),
    case("index_add", "ALTER TABLE {t} ADD INDEX by_n (n), ADD KEY (s)", "ALTER TABLE {t} DROP INDEX by_n"),
    case("index_create", "CREATE INDEX by_n ON {t} (n, s(5))", "DROP INDEX by_n ON {t}"),
    case("index_unique", "ALTER TABLE {t} ADD UNIQUE KEY u (id, n)", "ALTER TABLE {t} RENAME INDEX u TO w"),
    case("index_fulltext", "ALTER TABLE {t} ADD FULLTEXT INDEX words (note)", "CREATE FULLTEXT INDEX f ON {t} (s)"),
    case("constraint_check", "ALTER TABLE {t} ADD CONSTRAINT small CHECK (id < 1000000)", "ALTER TABLE {t} DROP CONSTRAINT small"),
    case("options", "ALTER TABLE {t} COMMENT='DROP TABLE x', AUTO_INCREMENT=1000, ROW_FORMAT=DYNAMIC, MAX_ROWS=99"),
    case("default_only", "ALTER TABLE {t} ALTER n SET DEFAULT 5", "ALTER TABLE {t} ALTER COLUMN n DROP DEFAULT", "ALTER TABLE {t} ALTER n SET DEFAULT 6"),
    case("forced", "ALTER TABLE {t} FORCE", "ALTER TABLE {t} ORDER BY n"),
    case("keys_off", "ALTER TABLE {t} DISABLE KEYS", "ALTER TABLE {t} ENABLE KEYS"),
    case("maintained", "OPTIMIZE TABLE {t}", "ANALYZE TABLE {t}", "CHECK TABLE {t}", "REPAIR TABLE {t}", engine="MyISAM"),
    case("truncated", "TRUNCATE TABLE {t}", "INSERT INTO {t} (id, s, d) VALUES (1, 'one', '2024-01-01'), (2, 'two', '2024-01-02')"),
    case("truncated_short", "/* nightly */ truncate {t}", "INSERT INTO {t} (id, s, d) VALUES (1, 'one', '2024-01-01')", "TRUNCATE `{t}`"),
    case("truncated_conditional", "/*!50000 TRUNCATE TABLE {t} */"),
    case("versioned", "ALTER TABLE {t} ADD SYSTEM VERSIONING", "UPDATE {t} SET s = 'v' WHERE id = 4", "ALTER TABLE {t} DROP SYSTEM VERSIONING", only=MARIADB),
    case("nothing", "ALTER TABLE {t}"),
)  # fmt: skip

_RANGES: Final = "PARTITION BY RANGE (b) (PARTITION p0 VALUES LESS THAN (15), PARTITION p1 VALUES LESS THAN (35), PARTITION p2 VALUES LESS THAN (100))"


def _parts(table: str, *statements: str, options: str = _RANGES, also: tuple[str, ...] = ()) -> Case:
    return case(table, *statements, layout=f"{PAIR}, PRIMARY KEY (a, b)", rows=PAIRS, later=PAIRS_LATER, options=options, engine="InnoDB", also=also)  # fmt: skip


PARTITIONS: Final = (
    _parts("part_by", f"ALTER TABLE {{t}} {_RANGES}", options=""),
    _parts("part_by_hash", "ALTER TABLE {t} PARTITION BY HASH (b) PARTITIONS 4", options=""),
    _parts("part_add", "ALTER TABLE {t} ADD PARTITION (PARTITION p3 VALUES LESS THAN (1000))", "INSERT INTO {t} VALUES (6, 500, 'high')"),
    _parts("part_drop", "ALTER TABLE {t} DROP PARTITION p1"),
    _parts("part_truncate", "ALTER TABLE {t} TRUNCATE PARTITION p1"),
    _parts("part_reorganize", "ALTER TABLE {t} REORGANIZE PARTITION p1, p2 INTO (PARTITION q VALUES LESS THAN (200))"),
    _parts("part_coalesce", "ALTER TABLE {t} COALESCE PARTITION 2", options="PARTITION BY HASH (b) PARTITIONS 4"),
    _parts("part_rebuild", "ALTER TABLE {t} REBUILD PARTITION p1", "ALTER TABLE {t} ANALYZE PARTITION ALL"),
    _parts("part_remove", "ALTER TABLE {t} REMOVE PARTITIONING"),
    _parts("part_and_add", "ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3 PARTITION BY HASH (a) PARTITIONS 2", options=""),
    _parts(
        "part_exchange",
        "ALTER TABLE {t} EXCHANGE PARTITION p1 WITH TABLE {t}_x",
        "UPDATE {t}_x SET v = 'moved'",
        also=(f"CREATE TABLE {{t}}_x ({PAIR}, PRIMARY KEY (a, b)) ENGINE=InnoDB", "INSERT INTO {t}_x VALUES (70, 20, 'other'), (71, 21, NULL)"),
    ),
)  # fmt: skip

_SAME: Final = f"CREATE TABLE {{t}} ({PET})"
_OTHER: Final = "CREATE TABLE {t} (id varchar(20) NOT NULL, s varchar(50) NOT NULL, d datetime, PRIMARY KEY (s)) ENGINE=InnoDB"
_OTHER_ROWS: Final = "INSERT INTO {t} VALUES ('one', 'a', '2024-01-01 10:00:00'), ('two', 'b', NULL)"
_OTHER_LATER: Final = ("INSERT INTO {t} VALUES ('three', 'c', NULL)", "DELETE FROM {t} WHERE s = 'a'")

MADE: Final = (
    case("made", _SAME, PETS, layout=""),
    case("made_if_not_there", "CREATE TABLE IF NOT EXISTS {t} (other int)"),
    case("made_like", "CREATE TABLE {t}_2 LIKE {t}", "INSERT INTO {t}_2 SELECT * FROM {t} WHERE id > 2"),
    case("made_like_brackets", "CREATE TABLE {t}_2 (LIKE {t})", "INSERT INTO {t}_2 SELECT * FROM {t}"),
    case("made_selected", "CREATE TABLE {t}_2 (PRIMARY KEY (id)) ENGINE=InnoDB AS SELECT id, s, x FROM {t}", "UPDATE {t}_2 SET s = 'y'", engine="InnoDB"),
    case("made_selected_keyless", "CREATE TABLE {t}_2 ENGINE=InnoDB SELECT id, m * 2 AS double_m FROM {t}"),
    case("made_or_replaced", "CREATE OR REPLACE TABLE {t} (id varchar(20) NOT NULL, s varchar(50) NOT NULL, d datetime, PRIMARY KEY (s))", _OTHER_ROWS, later=_OTHER_LATER, only=MARIADB),
    case("made_or_replaced_same", f"CREATE OR REPLACE TABLE {{t}} ({PET})", "INSERT INTO {t} (id, s, d) VALUES (1, 'new', '2024-01-01')", only=MARIADB),
    case("made_or_replaced_selected", "CREATE OR REPLACE TABLE {t} (PRIMARY KEY (id)) ENGINE=InnoDB SELECT 1 AS id, 'x' AS s, CAST('2024-01-01' AS date) AS d", only=MARIADB),
    case("made_for_a_moment", "CREATE TABLE {t}_2 (id int PRIMARY KEY)", "INSERT INTO {t}_2 VALUES (1)", "DROP TABLE {t}_2"),
    case("shadowed", "CREATE TEMPORARY TABLE {t} (id int, c int)", "INSERT INTO {t} VALUES (1, 1)", "ALTER TABLE {t} DROP c", "TRUNCATE TABLE {t}", "DROP TEMPORARY TABLE {t}"),
    case("shadowed_plainly", "CREATE TEMPORARY TABLE {t} (id int PRIMARY KEY)", "INSERT INTO {t} VALUES (1)", "DROP TABLE {t}"),
    case("dropped", "DROP TABLE {t}", later=()),
    case("dropped_forgiving", "drop table if exists nothing_here, `{t}` /* bye */", later=()),
    case("dropped_half", "!DROP TABLE {t}, nothing_here", later=("INSERT INTO {t} (id, s, d) VALUES (9, 'x', '2024-01-01')",), only=MYSQL, engine="InnoDB"),
    case("dropped_half_too", "!DROP TABLE {t}, nothing_here", later=(), only=MARIADB),
    case("again_same", "DROP TABLE {t}", _SAME, "INSERT INTO {t} (id, s, d) VALUES (1, 'new', '2024-01-01')"),
    case("again_other", "DROP TABLE {t}", _OTHER, _OTHER_ROWS, later=_OTHER_LATER),
    case("again_twice", "DROP TABLE {t}", _OTHER, _OTHER_ROWS, "DROP TABLE {t}", _SAME, PETS),
    case("again_empty", "DROP TABLE {t}", _SAME, later=()),
    case("renamed", "RENAME TABLE {t} TO {t}_2", "UPDATE {t}_2 SET s = 'renamed' WHERE id = 1", later=()),
    case("renamed_by_alter", "ALTER TABLE {t} RENAME TO {t}_2, ADD c int NOT NULL DEFAULT 5", "UPDATE {t}_2 SET s = 'r' WHERE id = 1", later=()),
    case("renamed_if_there", "RENAME TABLE IF EXISTS {t} WAIT 5 TO {t}_2", "DROP TABLE {t}_2 NOWAIT", later=(), only=MARIADB),
    case("renamed_as", "ALTER TABLE {t} RENAME AS {t}_2", "ALTER TABLE {t}_2 RENAME {t}"),
    case(
        "renamed_several",
        "RENAME TABLE {t} TO {t}_2, {t}_x TO {t}_3",
        "INSERT INTO {t}_3 VALUES (2, 'two')",
        "DELETE FROM {t}_2 WHERE id = 1",
        also=("CREATE TABLE {t}_x (id int PRIMARY KEY, v varchar(9))", "INSERT INTO {t}_x VALUES (1, 'one')"),
        later=(),
    ),
    case(
        "renamed_swap",
        "RENAME TABLE {t} TO {t}_tmp, {t}_x TO {t}, {t}_tmp TO {t}_x",
        "UPDATE {t}_x SET s = 'swapped' WHERE id = 1",
        "INSERT INTO {t} (id, v) VALUES (2, 'two')",
        also=("CREATE TABLE {t}_x (id int PRIMARY KEY, v varchar(9))", "INSERT INTO {t}_x VALUES (1, 'one')"),
        later=(),
    ),
    case(
        "renamed_swap_same",
        "RENAME TABLE {t} TO {t}_tmp, {t}_x TO {t}, {t}_tmp TO {t}_x",
        "UPDATE {t}_x SET s = 'swapped' WHERE id = 4",
        also=("CREATE TABLE {t}_x LIKE {t}", "INSERT INTO {t}_x (id, s, d) VALUES (1, 'x', '2024-01-01')"),
    ),
    case("renamed_away", "RENAME TABLE {t} TO {other}.{t}", "UPDATE {other}.{t} SET s = 'away'", "DELETE FROM {other}.{t} WHERE id = 4", "RENAME TABLE {other}.{t} TO {t}"),
    case("renamed_hidden", "RENAME TABLE {t} TO temp_{t}", "UPDATE temp_{t} SET s = 'away'", "ALTER TABLE temp_{t} ADD c int NOT NULL DEFAULT 4", "RENAME TABLE temp_{t} TO {t}"),
    case("renamed_in_part", "!RENAME TABLE {t} TO {t}_2, nothing_here TO {t}_3"),
)  # fmt: skip

_FAR: Final = (f"CREATE TABLE {{other}}.{{t}} ({PET})",)

PLACES: Final = (
    case("place_named", "ALTER TABLE {db}.{t} ADD c int NOT NULL DEFAULT 3", later=tuple(one.replace("{t}", "{db}.{t}") for one in LATER), outside=True),
    case("place_named_from_other", "USE {other}", "ALTER TABLE {db}.{t} ADD c int NOT NULL DEFAULT 3", "TRUNCATE {db}.{t}", "USE {db}", also=_FAR),
    case("place_dropped", "DROP TABLE {db}.{t}", f"CREATE TABLE {{db}}.{{t}} ({PET})", later=tuple(one.replace("{t}", "{db}.{t}") for one in LATER), outside=True),
    case("several_at_once", "ALTER TABLE {t} ADD a int DEFAULT 1; UPDATE {t} SET a = id; ALTER TABLE {t} ADD b int DEFAULT 2; INSERT INTO {t} (id, s, d) VALUES (90, 'x', '2024-01-01')"),
    case("several_and_remarks", "-- first\nALTER TABLE {t} DROP n; # second\nALTER TABLE {t} ADD n bigint; /* third */ DROP TABLE IF EXISTS nothing_here"),
    case("begins_with_remark", "-- upgrade\n-- of tonight\n/* really */ ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3"),
    case("begins_with_spaces", "\n\t  (SELECT 1); \n\n   ALTER\n\tTABLE\n\t{t}\n ADD c int NOT NULL DEFAULT 3"),
)  # fmt: skip

# Each of them leaves the table of this database alone.
ELSEWHERE: Final = (
    case("else_alter", "ALTER TABLE {other}.{t} DROP n, ADD c int NOT NULL DEFAULT 3", also=_FAR),
    case("else_used", "USE {other}", "ALTER TABLE {t} MODIFY n bigint", "TRUNCATE {t}", "INSERT INTO {t} (id, s, d) VALUES (1, 'far', '2024-01-01')", "DROP TABLE {t}", "USE {db}", also=_FAR),
    case("else_renamed", "RENAME TABLE {other}.{t} TO {other}.{t}_2", "CREATE TABLE {other}.{t} (id int)", "DROP TABLE {other}.{t}", also=_FAR),
    case("else_outside", "TRUNCATE TABLE {other}.{t}", "DROP TABLE {other}.{t}", also=_FAR, outside=True, later=()),
)  # fmt: skip
