"""The comparer on the types that take more than text, and on what is known to be different.

Every kind is found equal where it is, and different where one value was changed by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from rowferry_lab.compare_kinds import CannotCompare
from rowferry_lab.compare_result import RowDifference, TableResult
from tests.integration.comparing import Pair

MYSQL = ("mysql_9_7",)
NEW_MARIADB = ("mariadb_10_11", "mariadb_11_8")
MARIADB = ("mariadb_10_5", *NEW_MARIADB)
ALL = (*MARIADB, *MYSQL)
POINT = "0101000000000000000000F03F0000000000000040"
POINT_4326 = "0101000020E6100000000000000000F03F0000000000000040"
UUID = "123e4567-e89b-12d3-a456-426655440000"
OTHER = "123e4567-e89b-12d3-a456-426655440001"


@dataclass(frozen=True)
class Case:
    """A column on both sides: pairs of equal SQL literals, and (row from 1, literal) that is different.

    The literal NULL is added on both sides.
    """

    source: str
    destination: str
    values: tuple[tuple[str, str], ...]
    wrong: tuple[tuple[int, str], ...]
    servers: tuple[str, ...] = ALL
    override: str = ""

    def __str__(self) -> str:
        """The test's name."""
        return f"{self.source.partition(' CHAR')[0]} in {self.destination}"


CASES = [
    Case(
        "json",
        "jsonb",
        (
            (
                r"""'{"b": 1.0, "a": [1e2, -0.0, 0.1, 18446744073709551615, true, null, "é\\n"]}'""",
                r"""'{"a": [100, 0, 0.10, 18446744073709551615, true, null, "é\n"], "b": 1}'""",
            ),
            (
                "JSON_OBJECT('n', CAST(1.1234567890123456789 AS DECIMAL(30,19)))",
                """'{"n": 1.1234567890123456789}'""",
            ),
            (
                "JSON_ARRAY(CAST('2024-01-01' AS DATE), CAST('-10:00:00' AS TIME))",
                """'["2024-01-01", "-10:00:00.000000"]'""",
            ),
            ("'null'", "'null'"),
            ("'[1.5e300, 5e-324]'", "'[15e299, 5e-324]'"),
            ("""'"1"'""", """'"1"'"""),
        ),
        (
            (1, """'{"a": [100, 0, 0.1, 18446744073709551616, true, null, "é\\n"], "b": 1}'"""),
            (2, """'{"n": 1.1234567890123456}'"""),
            (3, """'["2024-01-01", "10:00:00.000000"]'"""),
            (4, "NULL"),
            (5, "'[5e-324, 1.5e300]'"),
            (6, "'1'"),
            (7, "'null'"),
        ),
        MYSQL,
    ),
    Case("json", "text", (("'{\"a\":  1.0}'", "'{\"a\":  1.0}'"),), ((1, "'{\"a\": 1.0}'"),), MARIADB),
    Case(
        "geometry",
        "bytea",
        (
            ("ST_GeomFromText('POINT(1 2)')", rf"'\x{POINT}'"),
            (f"ST_GeomFromWKB(X'{POINT}', 4326)", rf"'\x{POINT_4326}'"),
            ("ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')", r"'\x010700000000000000'"),
        ),
        ((1, rf"'\x{POINT_4326}'"), (2, rf"'\x{POINT}'"), (3, "''"), (4, "''")),
        MARIADB,
    ),
    Case(
        "geometry",
        "bytea",
        (
            ("ST_GeomFromText('POINT(1 2)')", rf"'\x{POINT}'"),
            ("ST_GeomFromText('POINT(2 1)', 4326)", rf"'\x{POINT_4326}'"),
            ("ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')", r"'\x010700000000000000'"),
        ),
        (
            (1, rf"'\x{POINT_4326}'"),
            (2, r"'\x0101000020E61000000000000000000040000000000000F03F'"),
            (3, "''"),
            (4, "''"),
        ),
        MYSQL,
    ),
    Case(
        "vector(2)",
        "real[]",
        (("X'0000803FCDCC4CBE'", "'{1,-0.2}'"), ("X'0000008001000000'", "'{-0,1e-45}'")),
        (
            (1, "'{1,-0.20000002}'"), (1, "'{{1,-0.2}}'"), (1, "'{1,NULL,-0.2}'"), (1, "'{-0.2,1}'"),
            (2, "'{0,1e-45}'"), (3, "'{}'"),
        ),
        ("mariadb_11_8", *MYSQL),
    ),
    Case("uuid", "uuid", ((f"'{UUID}'", f"'{UUID}'"),), ((1, f"'{OTHER}'"),), NEW_MARIADB),
    Case(
        "inet4",
        "inet",
        (("'1.2.3.4'", "'1.2.3.4'"), ("'0.0.0.0'", "'0.0.0.0'")),
        ((1, "'1.2.3.4/31'"), (1, "'::ffff:1.2.3.4'"), (2, "'::'")),
        NEW_MARIADB,
    ),
    Case(
        "inet6",
        "inet",
        (("'2001:db8::1'", "'2001:DB8:0::1'"), ("'::ffff:1.2.3.4'", "'::ffff:1.2.3.4'"), ("'::'", "'::'")),
        ((1, "'2001:db8::2'"), (2, "'1.2.3.4'"), (2, "'::1.2.3.4'"), (3, "'0.0.0.0'")),
        MARIADB,
    ),
    Case("bit(1)", "boolean", (("b'1'", "true"), ("b'0'", "false")), ((1, "false"), (2, "NULL"))),
    Case(
        "bit(64)",
        "bit(64)",
        (("0x8000000000000001", f"B'1{'0' * 62}1'"), ("0", f"B'{'0' * 64}'")),
        ((1, f"B'1{'0' * 63}'"), (3, f"B'{'0' * 64}'")),
    ),
    Case("year", "smallint", (("0", "0"), ("1901", "1901"), ("2155", "2155")), ((1, "1900"), (2, "2001"))),
    Case(
        "enum('a','','é')",
        "varchar(2)",
        (("'a'", "'a'"), ("'not one'", "''"), ("'é'", "'é'")),
        ((1, "'A'"), (2, "NULL"), (3, "'e'"), (4, "''")),
    ),
    Case(
        "set('b','a','é')",
        "varchar",
        (("'a,b'", "'b,a'"), ("''", "''"), ("'é,a'", "'a,é'")),
        ((1, "'a,b'"), (2, "NULL"), (3, "'a'"), (4, "''")),
    ),
    Case(
        "text CHARACTER SET gbk",
        "text",
        (("'中文'", "'中文'"),),
        ((1, "'中'"),),
    ),
    Case(
        "datetime(3)",
        "timestamp(3)",
        (("'2024-02-29 10:00:00.5'", "'2024-02-29 10:00:00.5'"), ("'0000-00-00'", "NULL")),
        ((1, "'2024-02-29 10:00:00'"), (2, "'0001-01-01'")),
    ),
    Case(
        "tinyint", "boolean", (("1", "true"), ("0", "false")), ((1, "false"), (3, "true")), override="boolean"
    ),
    Case("bit(8)", "integer", (("b'101'", "5"),), ((1, "101"),), override="integer"),
    Case("bigint unsigned", "numeric", (("18446744073709551615",) * 2,), ((1, "-1"),), override="numeric"),
    Case("int", "numeric(14,4)", (("-12", "-12"), ("10", "10")), ((1, "12"), (2, "10.5"))),
    Case("bigint", "text", (("-12", "'-12'"), ("7", "'07'")), ((1, "'12'"), (1, "'x'")), override="text"),
    Case("int", "smallint", (("-12", "-12"),), ((1, "12"),), override="smallint"),
    Case(
        "decimal(20,0)", "bigint", (("9007199254740993",) * 2,), ((1, "9007199254740992"),), override="bigint"
    ),
    Case("decimal(9,3)", "text", (("-1.5", "'-1.500'"),), ((1, "'-1.501'"), (1, "''")), override="text"),
    Case("double", "text", (("0.1", "'0.1'"),), ((1, "'0.10000000000000002'"),), override="text"),
    Case(
        "float",
        "double precision",
        (("3.14", "3.140000104904175"),),
        ((1, "3.14"), (2, "0")),
        override="double precision",
    ),
    Case("float", "text", (("3.14", "'3.14'"),), ((1, "'3.1400003'"),), override="text"),
    Case("varchar(9) CHARACTER SET latin1", "text", (("'é '", "'é '"),), ((1, "'é'"),), override="text"),
    Case(
        "text",
        "jsonb",
        (("""'{"a":1.0, "b":2}'""", """'{"b":2,"a":1}'"""),),
        ((1, "'{}'"), (1, "NULL")),
        override="jsonb",
    ),
    Case("char(36)", "uuid", ((f"'{UUID.upper()}'", f"'{UUID}'"),), ((1, f"'{OTHER}'"),), override="uuid"),
    Case(
        "binary(16)", "uuid", ((f"X'{UUID.replace('-', '')}'", f"'{UUID}'"),), ((1, "NULL"),), override="uuid"
    ),
    Case("uuid", "text", ((f"'{UUID}'", f"'{UUID}'"),), ((1, "'x'"),), NEW_MARIADB, override="text"),
    Case("inet6", "text", (("'::1'", "'0:0::1'"),), ((1, "'::2'"), (1, "''")), MARIADB, override="text"),
    Case("json", "text", (("'[1.0]'", "'[1]'"),), ((1, "'[2]'"), (1, "'[1'")), MYSQL, override="text"),
    Case("date", "text", (("'2024-01-02'", "'2024-01-02'"),), ((1, "'2024-02-01'"),), override="text"),
    Case(
        "timestamp(3) NULL",
        "text",
        (("'2024-01-02 03:04:05.5'", "'2024-01-02 03:04:05.500+00'"),),
        ((1, "'2024-01-02 03:04:05.5+01'"), (1, "'2024-01-02 03:04:05'")),
        override="text",
    ),
    Case("time(1)", "text", (("'-01:00:00.5'",) * 2,), ((1, "'01:00:00.5'"), (1, "''")), override="text"),
]  # fmt: skip
EACH_CASE = pytest.mark.parametrize(
    ("source", "case"),
    [pytest.param(server, case, id=f"{server}-{case}") for case in CASES for server in case.servers],
    indirect=["source"],
)


def result_of(pair: Pair, case: Case) -> TableResult:
    """The comparison as the case expects the table to be."""
    overridden = {("t", "c"): case.override} if case.override else {}
    return pair.only_table(overridden=overridden)


@EACH_CASE
def test_each_kind_is_compared_by_its_value(pair: Pair, case: Case) -> None:
    """Equal values in whatever spelling are equal, and each one changed by hand is found, and only it."""
    pair.run_source(f"CREATE TABLE t (id int PRIMARY KEY, c {case.source}) DEFAULT CHARSET=utf8mb4")
    pair.run_destination(f"CREATE TABLE {{schema}}.t (id int PRIMARY KEY, c {case.destination})")
    for number, (here, there) in enumerate((*case.values, ("NULL", "NULL")), 1):
        pair.run_source(f"INSERT INTO t VALUES ({number}, {here})")
        pair.run_destination(f"INSERT INTO {{schema}}.t VALUES ({number}, {there})")
    result = result_of(pair, case)
    assert result.equal, result.describe()
    right = dict(enumerate((there for _, there in (*case.values, ("NULL", "NULL"))), 1))
    for number, wrong in case.wrong:
        pair.run_destination(f"UPDATE {{schema}}.t SET c = {wrong} WHERE id = {number}")
        assert result_of(pair, case).different == [RowDifference((str(number),), ("c",))], wrong
        pair.run_destination(f"UPDATE {{schema}}.t SET c = {right[number]} WHERE id = {number}")


@pytest.mark.parametrize(
    ("kind", "held", "override"),
    [
        ("double", "numeric", "numeric"),
        ("varbinary(9)", "text", "text"),
        ("datetime", "timestamptz", "timestamp with time zone"),
        ("varchar(9)", "integer", "integer"),
        ("geometry", "text", "text"),
    ],
)
def test_an_override_without_a_known_comparison_is_refused(
    pair: Pair, kind: str, held: str, override: str
) -> None:
    """Bytes as text could be hex or characters: a guess would be found equal by luck."""
    pair.run_source(f"CREATE TABLE t (id int PRIMARY KEY, c {kind})")
    pair.run_destination(f"CREATE TABLE {{schema}}.t (id int PRIMARY KEY, c {held})")
    with pytest.raises(CannotCompare, match="table t, column c: .* by choice"):
        pair.compare(overridden={("t", "c"): override})


@pytest.mark.parametrize("override", ["boolean", "integer"])
def test_an_override_that_the_destination_does_not_have_is_refused(pair: Pair, override: str) -> None:
    """A boolean was asked for and a smallint is there."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, c tinyint)")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, c smallint)")
    with pytest.raises(CannotCompare, match="in a Postgres int2"):
        pair.compare(overridden={("t", "c"): override})


KEYS = [
    ("uuid", "uuid", "'00000000-0000-1000-0000-00000000000{}'"),
    ("inet6", "inet", "'::{}00'"),
    ("enum('3','1','2')", "varchar(1)", "'{}'"),
    ("set('3','1','2')", "varchar(1)", "'{}'"),
    ("year", "smallint", "200{}"),
    ("bigint", "text", "'{}0000'"),
]


@pytest.mark.parametrize("source", ["mariadb_10_11"], indirect=True)
@pytest.mark.parametrize(("kind", "held", "literal"), KEYS)
def test_keys_of_such_types_are_paired(pair: Pair, kind: str, held: str, literal: str) -> None:
    """The servers order them differently; rows must be paired all the same."""
    pair.run_source(f"CREATE TABLE t (k {kind}, n int, PRIMARY KEY (k, n))")
    pair.run_destination(f"CREATE TABLE {{schema}}.t (k {held}, n int, PRIMARY KEY (k, n))")
    for digit in (2, 1, 3):
        for number in (-5, 10, 9):
            value = literal.format(digit)
            pair.run_source(f"INSERT INTO t VALUES ({value}, {number})")
            pair.run_destination(f"INSERT INTO {{schema}}.t VALUES ({value}, {number})")
    options: dict[str, Any] = {"overridden": {("t", "k"): "text"}} if kind == "bigint" else {}
    assert pair.compare(**options).equal
    pair.run_destination(f"DELETE FROM {{schema}}.t WHERE k = {literal.format(2)} AND n = 10")
    table = pair.only_table(**options)
    assert (table.missing_count, table.extra_count, table.different_count) == (1, 0, 0)


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8"], indirect=True)
def test_malformed_geometry_equals_nothing(pair: Pair) -> None:
    """MariaDB stores an empty geometry of no bytes, which no function can read."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, g geometry)")
    pair.run_source("INSERT INTO t VALUES (1, '')")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, g bytea)")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1, NULL)")
    assert pair.only_table().different_count == 1
    pair.run_destination("UPDATE {schema}.t SET g = ''")
    assert pair.only_table().different_count == 1


@pytest.mark.parametrize("source", MARIADB, indirect=True)
def test_system_versioned_tables_are_compared_by_their_current_rows(pair: Pair) -> None:
    """They are tables like any other, and their history is not part of the copy."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a int) WITH SYSTEM VERSIONING")
    pair.run_source("INSERT INTO t VALUES (1, 1), (2, 2)")
    pair.run_source("UPDATE t SET a = 3 WHERE id = 1")
    pair.run_source("DELETE FROM t WHERE id = 2")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, a int)")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1, 3)")
    assert pair.compare().equal
    pair.run_destination("INSERT INTO {schema}.t VALUES (2, 2)")
    assert pair.only_table().extra == [("2",)]


@pytest.mark.parametrize("source", MARIADB, indirect=True)
def test_times_stored_as_before_5_6_are_compared(pair: Pair) -> None:
    """The catalogue marks such columns' types."""
    pair.run_source("SET GLOBAL mysql56_temporal_format=OFF")
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a time(2), b datetime(6), c timestamp(1) NULL)")
    pair.run_source("SET GLOBAL mysql56_temporal_format=ON")
    pair.run_source(
        "INSERT INTO t VALUES (1, '-01:00:00.25', '2024-01-01 00:00:00.000001', '2024-01-01 01:02:03.5')"
    )
    pair.run_destination(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, a interval, b timestamp, c timestamptz)"
    )
    pair.run_destination(
        "INSERT INTO {schema}.t VALUES "
        "(1, '-01:00:00.25', '2024-01-01 00:00:00.000001', '2024-01-01 01:02:03.5Z')"
    )
    assert pair.compare().equal
    pair.run_destination("UPDATE {schema}.t SET a = '01:00:00.25', b = '2024-01-01', c = NULL")
    assert pair.only_table().different == [RowDifference(("1",), ("a", "b", "c"))]


def test_tables_and_columns_under_another_name(pair: Pair) -> None:
    """Names too long for Postgres are mapped; without the mapping they are missing."""
    pair.run_source(f"CREATE TABLE `{'t' * 64}` (id int PRIMARY KEY, `{'c' * 64}` int, plain int)")
    pair.run_source(f"INSERT INTO `{'t' * 64}` VALUES (1, 1, 1)")
    pair.run_destination("CREATE TABLE {schema}.short (key int PRIMARY KEY, col int, plain int)")
    pair.run_destination("INSERT INTO {schema}.short VALUES (1, 1, 1)")
    names: dict[str | tuple[str, str], str] = {
        "t" * 64: "short", ("t" * 64, "c" * 64): "col", ("t" * 64, "id"): "key",
    }  # fmt: skip
    assert pair.only_table().absent
    assert pair.compare(renamed=names).equal
    pair.run_destination("UPDATE {schema}.short SET col = 2")
    assert pair.only_table(renamed=names).different == [RowDifference(("1",), ("c" * 64,))]
    names[("t" * 64, "plain")] = "nowhere"
    table = pair.only_table(renamed=names)
    assert (table.missing_columns, table.extra_columns) == (("plain",), ("plain",))


def test_rows_set_aside_must_be_here_and_not_there(pair: Pair) -> None:
    """What was set aside by mistake, or is in the copy all the same, is a difference."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a int)")
    pair.run_source("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, a int)")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1, 1), (3, 3)")
    table = pair.only_table(set_aside={"t": {("2",)}})
    assert (table.equal, table.set_aside, table.rows_compared) == (True, 1, 2)
    assert pair.only_table().missing == [("2",)]
    pair.run_destination("INSERT INTO {schema}.t VALUES (2, 2)")
    assert pair.only_table(set_aside={"t": {("2",)}}).extra == [("2",)]
    table = pair.only_table(set_aside={"t": {("7",)}})
    assert (table.not_set_aside, table.equal) == ((("7",),), False)


def test_a_literal_may_stand_for_zero_dates(pair: Pair) -> None:
    """The column's policy says which; then NULL is wrong there."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a date, b datetime(1))")
    pair.run_source("SET sql_mode = 'ALLOW_INVALID_DATES'")
    pair.run_source(
        "INSERT INTO t VALUES (1, '0000-00-00', '2023-00-01 10:00:00'), (2, '2023-02-31', NULL), "
        "(3, '2024-02-29', '2024-02-29 10:00:00')"
    )
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, a date, b timestamp(1))")
    pair.run_destination(
        "INSERT INTO {schema}.t VALUES (1, '1900-01-01', '1900-01-01'), (2, '1900-01-01', NULL), "
        "(3, '2024-02-29', '2024-02-29 10:00:00')"
    )
    literals = {("t", "a"): "1900-01-01", ("t", "b"): "1900-01-01 00:00:00"}
    assert pair.compare(zero_dates=literals).equal
    assert pair.only_table().different == [RowDifference(("1",), ("a", "b")), RowDifference(("2",), ("a",))]
    pair.run_destination("UPDATE {schema}.t SET a = NULL, b = NULL WHERE id < 3")
    assert pair.compare().equal
    assert pair.only_table(zero_dates=literals).different_count == 2
    with pytest.raises(CannotCompare, match="table t, column id: a literal"):
        pair.compare(zero_dates={("t", "id"): "1900-01-01"})
