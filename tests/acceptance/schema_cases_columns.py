"""Statements that change a table's columns."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

from typing import Final

from tests.acceptance.schema_cases import LATER, Case, case

MARIADB: Final = "mariadb"
MYSQL: Final = "mysql"


def _add(table: str, definition: str, **options: object) -> Case:
    """ADD COLUMN of one column called c."""
    return case(table, f"ALTER TABLE {{t}} ADD COLUMN c {definition}", **options)


ADDED: Final = (
    _add("add_plain", "int"),
    _add("add_int", "int NOT NULL DEFAULT -7"),
    _add("add_unsigned", "tinyint unsigned NOT NULL DEFAULT 255"),
    _add("add_bigint", "bigint unsigned NOT NULL DEFAULT 18446744073709551615"),
    _add("add_bool", "BOOL NOT NULL DEFAULT TRUE"),
    _add("add_bits", "bit(3) NOT NULL DEFAULT b'101'"),
    _add("add_varchar", "varchar(30) NOT NULL DEFAULT 'it''s \\'50%\\' \u00e4 \\\\ ; -- x'"),
    _add("add_latin", "varchar(10) CHARACTER SET latin1 NOT NULL DEFAULT '\u00e4\u20ac'"),
    _add("add_char", "char(5) NOT NULL DEFAULT 'a '"),
    _add("add_binary", "binary(4) NOT NULL DEFAULT 'ab'"),
    _add("add_varbinary", "varbinary(4) NOT NULL DEFAULT X'00ff'"),
    _add("add_date", "date NOT NULL DEFAULT '0001-01-01'"),
    _add("add_datetime", "datetime NOT NULL DEFAULT '2020-02-29 23:59:59'"),
    _add("add_fraction", "datetime(3) NOT NULL DEFAULT '2020-02-29 23:59:59.9876'"),
    _add("add_time", "time NOT NULL DEFAULT '-838:59:59'"),
    _add("add_year", "year NOT NULL DEFAULT '69'"),
    _add("add_double", "double NOT NULL DEFAULT 1.5e-10"),
    _add("add_float", "float NOT NULL DEFAULT 0.1"),
    _add("add_decimal", "decimal(12,4) NOT NULL DEFAULT -1234.56789"),
    _add("add_enum", "enum('low','high') NOT NULL DEFAULT 'high'"),
    _add("add_enum_first", "enum('low','high') NOT NULL"),
    _add("add_enum_null", "enum('low','high')"),
    _add("add_set", "set('a','b','c') NOT NULL DEFAULT 'c,a'"),
    _add("add_null_default", "int NULL DEFAULT 5"),
    _add("add_implicit_int", "int NOT NULL"),
    _add("add_implicit_varchar", "varchar(10) NOT NULL"),
    _add("add_implicit_text", "text NOT NULL"),
    _add("add_implicit_blob", "blob NOT NULL"),
    _add("add_implicit_date", "date NOT NULL"),
    _add("add_implicit_datetime", "datetime NOT NULL"),
    _add("add_implicit_time", "time NOT NULL"),
    _add("add_implicit_binary", "binary(3) NOT NULL"),
    _add("add_timestamp", "timestamp NOT NULL DEFAULT '2020-01-02 03:04:05'"),
    _add("add_timestamp_bare", "timestamp NOT NULL"),
    _add("add_expression", "int NOT NULL DEFAULT (1 + 1)"),
    _add("add_of_column", "bigint DEFAULT (id + 1)", only=MARIADB),
    _add("add_now", "datetime NOT NULL DEFAULT CURRENT_TIMESTAMP"),
    _add("add_now_on_update", "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"),
    _add("add_now_later", "datetime(6) NULL ON UPDATE CURRENT_TIMESTAMP(6)"),
    _add("add_uuid", "varchar(36) NOT NULL DEFAULT (uuid())", only=MARIADB),
    _add("add_uuid_type", "uuid NOT NULL DEFAULT uuid()", only=MARIADB, since=(10, 7)),
    _add("add_stored", "bigint GENERATED ALWAYS AS (id * 2) STORED"),
    _add("add_virtual", "bigint GENERATED ALWAYS AS (id * 3) VIRTUAL"),
    _add("add_generated_text", "varchar(50) AS (concat(s, '-', s)) VIRTUAL"),
    _add("add_json", "json"),
    _add("add_invisible", "int NOT NULL DEFAULT 4 INVISIBLE"),
    _add("add_remark", "int NOT NULL DEFAULT 3 COMMENT 'DROP COLUMN n; -- it''s (one), `two`'"),
    _add("add_after", "int NOT NULL DEFAULT 1 AFTER id"),
    _add("add_first", "int NOT NULL DEFAULT 1 FIRST"),
    _add("add_instant", "int NOT NULL DEFAULT 5 AFTER n, ALGORITHM=INSTANT", engine="InnoDB"),
    _add("add_copying", "int NOT NULL DEFAULT 5 AFTER n, ALGORITHM=COPY, LOCK=SHARED"),
    _add("add_and_index", "int NOT NULL DEFAULT 5, ADD INDEX by_c (c), ADD UNIQUE KEY both_of (id, c)"),
    _add("add_and_order", "int NOT NULL DEFAULT 5, ORDER BY n"),
    _add("add_again", "int NULL, DROP COLUMN n, ADD COLUMN n varchar(5) NOT NULL DEFAULT 'new' AFTER id"),
    _add("add_checked", "int NOT NULL DEFAULT 5 CHECK (c > 0)"),
    case("add_three", "ALTER TABLE {t} ADD a int NOT NULL DEFAULT 1 FIRST, ADD b text, ADD c date AFTER id"),
    case("add_brackets", "ALTER TABLE {t} ADD COLUMN (a int NOT NULL DEFAULT 1, b varchar(9) NOT NULL)"),
    case("add_odd_name", "ALTER TABLE `{t}` ADD `odd ; \"name'` int NOT NULL DEFAULT 9"),
    case("add_upper", "aLtEr TaBlE {t} aDd Mode_ TINYINT UNSIGNED nOt NuLl DeFaUlT 7"),
    case("add_remarked", "/* upgrade; 25.4 */ ALTER /* x */ TABLE {t} -- y\n ADD c int # z\n DEFAULT 8"),
    case("add_conditional", "/*!50100 ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3 */"),
    case("add_half_conditional", "ALTER TABLE {t} ADD c int NOT NULL /*!50100 DEFAULT 4 */"),
    case("add_conditional_of_mysql", "ALTER TABLE {t} ADD c int NOT NULL /*!50701 DEFAULT 6 */"),
    case("add_conditional_of_mariadb", "ALTER TABLE {t} ADD c int NOT NULL /*M!100100 DEFAULT 6 */"),
    case("add_conditional_later", "ALTER TABLE {t} ADD c int NOT NULL /*!999999 DEFAULT 6 */"),
    case("add_all_conditional", "/*M! ALTER TABLE {t} ADD c int NOT NULL DEFAULT 5 */", only=MARIADB),
    case(
        "add_if_not_exists",
        "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS n text, ADD IF NOT EXISTS c int NOT NULL DEFAULT 2",
        "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS c varchar(10)",
        "ALTER TABLE IF EXISTS {t} ADD c2 int DEFAULT 3",
        only=MARIADB,
    ),
    case("add_online", "ALTER ONLINE TABLE {t} ADD c int DEFAULT 3", only=MARIADB, engine="InnoDB"),
    case("add_ignore", "ALTER IGNORE TABLE {t} ADD c int DEFAULT 3", only=MARIADB),
    case("add_waiting", "ALTER TABLE {t} WAIT 5 ADD c int DEFAULT 3", only=MARIADB),
    case("add_set_for", "SET STATEMENT lock_wait_timeout=9 FOR ALTER TABLE {t} ADD c int DEFAULT 3", only=MARIADB),
    case("add_at_once", "EXECUTE IMMEDIATE 'ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3'", only=MARIADB),
    case(
        "add_prepared",
        "PREPARE p FROM 'ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3'",
        "EXECUTE p",
        "DEALLOCATE PREPARE p",
    ),
    case(
        "add_called",
        "CREATE PROCEDURE grow() BEGIN ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3; DELETE FROM {t} WHERE id = 4; END",
        "CALL grow()",
        "DROP PROCEDURE grow",
    ),
    case(
        "add_ansi_quotes",
        "SET sql_mode = 'ANSI_QUOTES'",
        "ALTER TABLE \"{t}\" ADD \"c\" varchar(9) NOT NULL DEFAULT 'a\\'b'",
        "SET sql_mode = ''",
    ),
    case(
        "add_no_backslash",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "ALTER TABLE {t} ADD c varchar(9) NOT NULL DEFAULT 'a\\', ADD e int NOT NULL DEFAULT '7'",
        "SET sql_mode = ''",
    ),
    case(
        "add_in_transaction",
        "BEGIN",
        "INSERT INTO {t} (id, s, d) VALUES (50, 'in', '2024-01-01')",
        "ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3",
        "INSERT INTO {t} (id, s, d) VALUES (51, 'in', '2024-01-01')",
        "ROLLBACK",
        engine="InnoDB",
    ),
    case(
        "add_set_back",
        "ALTER TABLE {t} ADD c int NOT NULL DEFAULT 3",
        "UPDATE {t} SET c = id",
        "ALTER TABLE {t} ALTER COLUMN c SET DEFAULT 9, ALTER n SET DEFAULT 8",
        "INSERT INTO {t} (id, s, d) VALUES (52, 'nine', '2024-01-01')",
        "ALTER TABLE {t} ALTER c DROP DEFAULT",
    ),
)  # fmt: skip

# A name that goes and comes back is the hardest: Postgres keeps a dropped column.
RENAMED: Final = (
    case("drop_one", "ALTER TABLE {t} DROP COLUMN n"),
    case("drop_short", "ALTER TABLE {t} DROP n"),
    case("drop_several", "ALTER TABLE {t} DROP n, DROP COLUMN note, DROP t"),
    case("drop_if_exists", "ALTER TABLE {t} DROP COLUMN IF EXISTS n, DROP IF EXISTS nothing", only=MARIADB),
    case("drop_not_null", "ALTER TABLE {t} DROP s", later=("INSERT INTO {t} (id) VALUES (10)", "DELETE FROM {t} WHERE id = 2")),
    case("drop_and_add", "ALTER TABLE {t} DROP n", "UPDATE {t} SET s = 'between'", "ALTER TABLE {t} ADD n varchar(7) NOT NULL DEFAULT 'again' AFTER id"),
    case("drop_and_add_same", "ALTER TABLE {t} DROP n", "INSERT INTO {t} (id, s, d) VALUES (60, 'b', '2024-01-01')", "ALTER TABLE {t} ADD n int AFTER id"),
    case("drop_and_rename", "ALTER TABLE {t} DROP n", "ALTER TABLE {t} CHANGE x n double"),
    case("drop_rename_at_once", "ALTER TABLE {t} DROP n, CHANGE x n double"),
    case("rename_column", "ALTER TABLE {t} RENAME COLUMN n TO number"),
    case("rename_two", "ALTER TABLE {t} RENAME COLUMN n TO number, RENAME COLUMN note TO remark"),
    case("rename_case", "ALTER TABLE {t} CHANGE n N int"),
    case("rename_by_change", "ALTER TABLE {t} CHANGE COLUMN n number int"),
    case("rename_and_widen", "ALTER TABLE {t} CHANGE n number bigint NOT NULL DEFAULT 3"),
    case("rename_and_place", "ALTER TABLE {t} CHANGE n number int AFTER note"),
    case("rename_swap", "ALTER TABLE {t} CHANGE n m int, CHANGE m n decimal(10,2)"),
    case("rename_and_add", "ALTER TABLE {t} CHANGE n old_n int, ADD n int NOT NULL DEFAULT 77 AFTER id"),
    case(
        "rename_swap_same_type",
        "ALTER TABLE {t} RENAME COLUMN a TO b, RENAME COLUMN b TO a",
        layout="id int PRIMARY KEY, a int, b int",
        rows=("INSERT INTO {t} VALUES (1, 1, 2), (2, 3, NULL), (3, NULL, 4)",),
        later=("UPDATE {t} SET a = 9 WHERE id = 1", "INSERT INTO {t} VALUES (5, 6, 7)", "DELETE FROM {t} WHERE id = 2"),
    ),
    case(
        "rename_ring",
        "ALTER TABLE {t} CHANGE a b int, CHANGE b c int, CHANGE c a int",
        layout="id int PRIMARY KEY, a int, b int, c int",
        rows=("INSERT INTO {t} VALUES (1, 1, 2, 3), (2, 3, NULL, 4), (3, NULL, 4, 5)",),
        later=("UPDATE {t} SET a = 9 WHERE id = 1", "INSERT INTO {t} VALUES (5, 6, 7, 8)", "DELETE FROM {t} WHERE id = 2"),
    ),
    case("rename_key", "ALTER TABLE {t} CHANGE id code bigint NOT NULL", later=tuple(one.replace("id", "code") for one in LATER)),
    case("move_column", "ALTER TABLE {t} MODIFY n int AFTER note, MODIFY m decimal(10,2) FIRST"),
    case("move_twin", "ALTER TABLE {t} MODIFY a int AFTER b", layout="id int PRIMARY KEY, a int, b int", rows=("INSERT INTO {t} VALUES (1, 1, 2), (2, 3, NULL)",), later=("INSERT INTO {t} VALUES (5, 6, 7)", "DELETE FROM {t} WHERE id = 2")),
)  # fmt: skip


def _modify(table: str, old: str, new: str, values: str, later: str, zone: str = "+00:00") -> Case:
    """MODIFY of a column v; values: by commas, and NULL is among them where it may be."""
    rows = ", ".join(f"({n}, {value.strip()})" for n, value in enumerate(values.split(","), 1))
    after = (
        f"INSERT INTO {{t}} VALUES (100, {later})",
        f"UPDATE {{t}} SET v = {later} WHERE id = 1",
        "UPDATE {t} SET id = 101 WHERE id = 3",
        "DELETE FROM {t} WHERE id = 2",
    )
    changed = f"ALTER TABLE {{t}} MODIFY v {new}"
    return Case(
        table,
        (f"SET time_zone = '{zone}'", changed, "SET time_zone = DEFAULT"),
        layout=f"id int PRIMARY KEY, v {old}",
        rows=(f"INSERT INTO {{t}} VALUES {rows}",),
        later=after,
    )


INTS: Final = "2147483647, -2147483648, 0, 300, -1, NULL"
TEXTS: Final = "'abc', '', '12', '-7.5', '99999999999', '2024-02-29', '\u00e4\u20ac', NULL"
MOMENTS: Final = (
    "'2024-02-29 23:59:59', '0000-00-00 00:00:00', '9999-12-31 23:59:59', '1999-06-01 00:00:00', NULL"
)
NUMBERS: Final = "0.1, -0.0, 16777217, 1e10, -123456.789, 2.5, NULL"
MODIFIED: Final = (
    _modify("tinyint_smallint", "tinyint NOT NULL", "smallint NOT NULL", "127, -128, 0", "32767"),
    _modify("tinyint_unsigned", "tinyint", "tinyint unsigned", "127, -128, 0, NULL", "255"),
    _modify("int_bigint", "int", "bigint", INTS, "9223372036854775807"),
    _modify("int_smallint", "int", "smallint", INTS, "5"),
    _modify("int_unsigned", "int", "int unsigned", INTS, "4294967295"),
    _modify("unsigned_int", "int unsigned", "int", "4294967295, 0, 7, NULL", "-5"),
    _modify("bigint_unsigned", "bigint", "bigint unsigned", "-1, 0, 7, NULL", "18446744073709551615"),
    _modify("int_double", "int", "double", INTS, "0.1"),
    _modify("int_decimal", "int", "decimal(8,2)", INTS, "0.15"),
    _modify("int_varchar", "int", "varchar(5)", INTS, "'abc'"),
    _modify("int_not_null", "int", "int NOT NULL", INTS, "5"),
    _modify("int_null", "int NOT NULL DEFAULT 3", "int NULL", "1, 2, 3", "NULL"),
    _modify("int_default", "int NOT NULL DEFAULT 3", "int NOT NULL DEFAULT 4", "1, 2, 3", "DEFAULT"),
    _modify("varchar_not_null", "varchar(20)", "varchar(20) NOT NULL", TEXTS, "'x'"),
    _modify("date_not_null", "date", "date NOT NULL", "'2024-01-01', NULL, '1000-01-01'", "'2024-02-02'"),
    _modify("varchar_wider", "varchar(20)", "varchar(300)", TEXTS, "repeat('x', 300)"),
    _modify("varchar_narrower", "varchar(20)", "varchar(3)", TEXTS, "'xyz'"),
    _modify("varchar_text", "varchar(20)", "text", TEXTS, "repeat('x', 3000)"),
    _modify("text_varchar", "text", "varchar(4)", TEXTS, "'xyz'"),
    _modify("text_longer", "tinytext", "mediumtext", TEXTS, "repeat('x', 3000)"),
    _modify("varchar_int", "varchar(20)", "int", TEXTS, "5"),
    _modify("varchar_double", "varchar(20)", "double", TEXTS, "5.25"),
    _modify("varchar_date", "varchar(20)", "date", TEXTS, "'2024-12-31'"),
    _modify("varchar_binary", "varchar(20)", "varbinary(40)", TEXTS, "X'00ff'"),
    _modify("varchar_collated", "varchar(20)", "varchar(20) COLLATE utf8mb4_bin", TEXTS, "'x'"),
    _modify("varchar_latin", "varchar(20)", "varchar(20) CHARACTER SET latin1", TEXTS, "'\u00e4'"),
    _modify("latin_varchar", "varchar(20) CHARACTER SET latin1", "varchar(20) CHARACTER SET utf8mb4", TEXTS, "'\U0001f431'"),
    _modify("latin_ascii", "varchar(20) CHARACTER SET latin1", "varchar(20) CHARACTER SET ascii", TEXTS, "'x'"),
    _modify("char_varchar", "char(20)", "varchar(20)", TEXTS, "'x '"),
    _modify("varchar_char", "varchar(20)", "char(20)", TEXTS, "'x '"),
    _modify("varchar_enum", "varchar(20)", "enum('abc','12','x')", TEXTS, "'x'"),
    _modify("enum_varchar", "enum('low','high')", "varchar(10)", "'low', 'high', 'none', NULL", "'x'"),
    _modify("enum_longer", "enum('low','high')", "enum('low','high','highest')", "'low', 'high', 'none', NULL", "'highest'"),
    _modify("enum_ordered", "enum('low','high')", "enum('high','low')", "'low', 'high', 'low', NULL", "'high'"),
    _modify("enum_shorter", "enum('low','high')", "enum('high')", "'low', 'high', 'low', NULL", "'high'"),
    _modify("enum_relabelled", "enum('low','high')", "enum('down','up')", "'low', 'high', 'low', NULL", "'up'"),
    _modify("set_longer", "set('a','b')", "set('a','b','c')", "'a', 'b', '', NULL", "'a,c'"),
    _modify("set_ordered", "set('a','b')", "set('b','a')", "'a', 'b', '', NULL", "'a,b'"),
    _modify("text_blob", "text", "blob", TEXTS, "X'00ff80'"),
    _modify("blob_text", "blob", "text", "'abc', '', '12', NULL", "'\u00e4'"),
    _modify("binary_wider", "binary(2)", "binary(4)", "'ab', '', X'ff00', NULL", "X'01020304'"),
    _modify("float_double", "float", "double", NUMBERS, "0.1"),
    _modify("double_float", "double", "float", NUMBERS, "0.1"),
    _modify("double_decimal", "double", "decimal(8,2)", NUMBERS, "0.1"),
    _modify("decimal_wider", "decimal(8,2)", "decimal(14,4)", NUMBERS, "1234567890.1234"),
    _modify("decimal_narrower", "decimal(8,2)", "decimal(4,1)", NUMBERS, "12.3"),
    _modify("decimal_shifted", "decimal(8,2)", "decimal(8,4)", NUMBERS, "12.3456"),
    _modify("decimal_double", "decimal(8,2)", "double", NUMBERS, "0.123456789"),
    _modify("decimal_int", "decimal(8,2)", "int", NUMBERS, "7"),
    _modify("date_datetime", "date", "datetime", "'2024-02-29', '0000-00-00', '0001-01-01', NULL", "'2024-02-29 12:34:56'"),
    _modify("datetime_date", "datetime", "date", MOMENTS, "'2024-03-01'"),
    _modify("datetime_finer", "datetime", "datetime(6)", MOMENTS, "'2024-03-01 00:00:00.000001'"),
    _modify("datetime_coarser", "datetime(6)", "datetime", "'2024-02-29 23:59:59.6', '2024-02-29 23:59:59.4', NULL", "'2024-03-01'"),
    _modify("datetime_varchar", "datetime", "varchar(30)", MOMENTS, "'x'"),
    _modify("datetime_timestamp", "datetime", "timestamp NULL", "'2024-02-29 23:59:59', '1999-06-01 00:00:00', NULL", "'2024-03-01'", "+05:30"),
    _modify("timestamp_datetime", "timestamp NULL", "datetime", "'2024-02-29 23:59:59', '1999-06-01 00:00:00', NULL", "'2024-03-01'", "-08:00"),
    _modify("time_finer", "time", "time(3)", "'-838:59:59', '00:00:01', NULL", "'12:34:56.789'"),
    _modify("time_varchar", "time", "varchar(20)", "'-838:59:59', '00:00:01', NULL", "'x'"),
    _modify("year_int", "year", "int", "0, 1901, 2155, NULL", "70000"),
    _modify("bit_wider", "bit(1)", "bit(8)", "b'1', b'0', NULL", "b'10000001'"),
    _modify("bit_int", "bit(8)", "int", "b'1', b'10000000', NULL", "-5"),
    _modify("bool_int", "tinyint(1)", "int", "1, 0, 2, NULL", "99999"),
    _modify("varchar_json", "varchar(90)", "json", "'[2.50]', '{\"a\": null}', 'null', NULL", "'{}'"),
    _modify("json_text", "json", "longtext", "'[1]', '{\"a\": null}', 'null', NULL", "'no JSON'"),
    _modify("virtual_plain", "int AS (id * 2) STORED", "int", "DEFAULT, DEFAULT, DEFAULT", "5"),
)  # fmt: skip
