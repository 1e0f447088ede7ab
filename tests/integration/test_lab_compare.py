"""The comparer must find every planted difference, and none where there is none.

Tables are made by hand on both servers, so that nothing of Rowferry takes part.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from rowferry_lab import compare as compare_module
from rowferry_lab.compare_forms import address, canonical_json, extended_wkb
from rowferry_lab.compare_kinds import CannotCompare, plain_decimal, time_microseconds
from rowferry_lab.compare_result import RowDifference
from tests.integration.comparing import Pair

SOURCE_TABLE = """CREATE TABLE sample (
  id bigint NOT NULL PRIMARY KEY, tiny tinyint unsigned, small smallint, medium mediumint, whole int unsigned,
  big bigint unsigned, single float, twice double, exact decimal(30,10), fixed char(5), line varchar(50),
  latin varchar(50) CHARACTER SET latin1, note text, padded binary(4), raw varbinary(20), blob_ mediumblob,
  day date, wall datetime(6), instant timestamp(3) NULL, span time(6), yr year, flag bit(1), bits bit(10),
  choice enum('a','b c'), many set('x','y','z')) DEFAULT CHARSET=utf8mb4"""
DESTINATION_TABLE = """CREATE TABLE {schema}.sample (
  id bigint PRIMARY KEY, tiny smallint, small smallint, medium integer, whole bigint, big numeric(20,0),
  single real, twice double precision, exact numeric(30,10), fixed varchar(5), line varchar(50),
  latin varchar(50), note text, padded bytea, raw bytea, blob_ bytea, day date, wall timestamp(6),
  instant timestamptz(3), span interval, yr smallint, flag boolean, bits bit(10), choice varchar(3),
  many varchar(5), _loaded_at timestamptz, _dlt_load_id text)"""
SOURCE_ROWS = r"""INSERT INTO sample VALUES
  (1, 255, -32768, -8388608, 4294967295, 18446744073709551615, 3.14, 0.1, 1234567890.0000000001, 'ab', 'x ',
   _utf8mb4'12 €', 'a\\b\n\\N', x'0102', x'00ff', x'', '0001-01-01', '9999-12-31 23:59:59.000001',
   '2024-03-31 01:30:00.500', '-01:00:00', 0, b'1', b'1000000001', 'b c', 'x,z'),
  (-2, 0, 0, 0, 0, 0, 0, 0, -0.5, '', '', '', _utf8mb4'😀', x'', x'', NULL, '0000-00-00',
   '1999-00-00 10:00:00', '0000-00-00 00:00:00', '838:59:59', 2024, b'0', b'0', '', ''),
  (10, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
DESTINATION_ROWS = r"""INSERT INTO {schema}.sample VALUES
  (1, 255, -32768, -8388608, 4294967295, 18446744073709551615, 3.14, 0.1, 1234567890.0000000001, 'ab', 'x ',
   '12 €', E'a\\b\n\\N', '\x01020000', '\x00ff', '\x', '0001-01-01', '9999-12-31 23:59:59.000001',
   '2024-03-31 01:30:00.5+00', '-01:00:00', 0, true, B'1000000001', 'b c', 'x,z', now(), 'load'),
  (-2, 0, 0, 0, 0, 0, 0, 0, -0.5, '', '', '', '😀', '\x00000000', '\x', NULL, NULL, NULL, NULL,
   '838:59:59', 2024, false, B'0000000000', '', '', now(), 'load');
  INSERT INTO {schema}.sample (id) VALUES (10)"""
ODD_NAME = 'odd "quoted" % ; {x} \\ %s'


def fill(pair: Pair) -> None:
    """The sample table, equal on both sides."""
    for statement in (SOURCE_TABLE, SOURCE_ROWS):
        pair.run_source(statement)
    for statement in (DESTINATION_TABLE, DESTINATION_ROWS):
        pair.run_destination(statement)


def test_equal_tables_are_found_equal(pair: Pair) -> None:
    """A comparer that cries wolf is switched off: every type, NULL and zero dates included."""
    fill(pair)
    result = pair.compare()
    assert result.equal, result.describe()
    assert result.rows_compared == 3


@pytest.mark.parametrize(
    ("assignment", "column"),
    [
        ("tiny = 254", "tiny"),
        ("big = 18446744073709551614", "big"),
        ("twice = 0.1 + 1.4e-17", "twice"),
        ("single = 3.1400003", "single"),
        ("exact = 1234567890.0000000002", "exact"),
        ("line = 'x'", "line"),
        ("line = 'X '", "line"),
        ("line = NULL", "line"),
        ("latin = '12 ?'", "latin"),
        (r"note = E'a\\b\n'", "note"),
        (r"padded = '\x0102'", "padded"),
        (r"raw = '\x00'", "raw"),
        ("blob_ = NULL", "blob_"),
        ("day = '2001-01-01'", "day"),
        ("day = NULL", "day"),
        ("wall = '9999-12-31 23:59:59'", "wall"),
        ("instant = '2024-03-31 01:30:00.5+02'", "instant"),
        ("span = '01:00:00'", "span"),
        ("yr = 1900", "yr"),
        ("flag = false", "flag"),
        ("bits = B'0000000001'", "bits"),
        ("choice = 'a'", "choice"),
        ("many = 'z,x'", "many"),
    ],
)
def test_a_changed_value_is_found(pair: Pair, assignment: str, column: str) -> None:
    """One bit, one space, one sign: each is somebody's lost data. Only the key and column are told."""
    fill(pair)
    pair.run_destination(f"UPDATE {{schema}}.sample SET {assignment} WHERE id = 1")
    assert pair.only_table().different == [RowDifference(("1",), (column,))]


@pytest.mark.parametrize(
    ("assignment", "column"),
    [
        ("line = NULL", "line"),
        ("blob_ = ''", "blob_"),
        ("single = '-0'", "single"),
        ("twice = '-0'", "twice"),
        ("day = '0001-01-01'", "day"),
        ("wall = '1999-01-01 10:00:00'", "wall"),
        ("instant = '1970-01-01 00:00:00+00'", "instant"),
        ("choice = NULL", "choice"),
        ("day = 'infinity'", "day"),
    ],
)
def test_a_guess_for_an_empty_or_zero_value_is_found(pair: Pair, assignment: str, column: str) -> None:
    """'' is not NULL, minus zero is not zero, and a zero date is NULL and nothing else."""
    fill(pair)
    pair.run_destination(f"UPDATE {{schema}}.sample SET {assignment} WHERE id = -2")
    assert pair.only_table().different == [RowDifference(("-2",), (column,))]


@pytest.mark.parametrize(
    "value",
    [
        "5e-324", "-1.7976931348623157e308", "-1.2345678901234567e-308", "0.30000000000000004",
        "1.2345678901234568e17", "-2.2250738585072014e-308", "1e16", "123456789.12345679", "1e-5",
    ],
)  # fmt: skip
def test_doubles_and_floats_keep_every_bit(pair: Pair, value: str) -> None:
    """Servers print doubles for people; the comparer must see the next double as another one."""
    bits = float(value)
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, d double)")
    pair.run_source(f"INSERT INTO t VALUES (1, {value})")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, d double precision)")
    pair.destination.execute(f"INSERT INTO {pair.schema}.t VALUES (1, %s)".encode(), (bits,))
    assert pair.compare().equal
    pair.destination.execute(f"UPDATE {pair.schema}.t SET d = %s".encode(), (math.nextafter(bits, 0),))
    assert pair.only_table().different_count == 1


def test_the_sign_of_a_zero_that_the_source_does_not_print(pair: Pair) -> None:
    """A FLOAT that underflowed is minus zero on both families, and MariaDB prints it as 0."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, f float)")
    pair.run_source(
        "INSERT INTO t VALUES (1, -5e-324), (2, 5e-324), (3, -1.1754943508222875e-38), (4, 3.4e38)"
    )
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, f real)")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1, '-0'), (2, 0), (3, -1.17549435e-38), (4, 3.4e38)")
    assert pair.compare().equal


POINT = "000000000000f03f0000000000000040"
SHORT = "12345678-9abc-7def-8123-456789abcd0"


@pytest.mark.parametrize(
    ("kind", "literal", "postgres", "equal", "other"),
    [
        ("point", f"X'000000000101000000{POINT}'", "bytea", rf"\x0101000000{POINT}", r"\x"),
        ("geometry", f"X'E61000000101000000{POINT}'", "bytea", rf"\x0101000020E6100000{POINT}",
         rf"\x0101000000{POINT}"),
        ("uuid", f"'{SHORT}0'", "uuid", f"{SHORT}0", f"{SHORT}1"),
        ("inet4", "'10.0.0.0'", "inet", "10.0.0.0", "10.0.0.1"),
        ("inet6", "'::ffff:1.2.3.4'", "inet", "::ffff:1.2.3.4", "1.2.3.4"),
        ("inet6", "'fe80::'", "inet", "fe80::", "fe80::1"),
        ("vector(2)", "X'0000803F00002040'", "real[]", "{1,2.5}", "{1,2.5000002}"),
        ("vector(2)", "X'0000803F00002040'", "real[]", "{1,2.5}", "{}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["mariadb_11_8"], indirect=True)
def test_shapes_vectors_uuids_and_addresses_are_told_apart(
    pair: Pair, kind: str, literal: str, postgres: str, equal: str, other: str
) -> None:
    """In a form that differs from the source's; NULL is NULL and nothing else."""
    pair.run_source(f"CREATE TABLE t (id int PRIMARY KEY, v {kind})")
    pair.run_source(f"INSERT INTO t VALUES (1, {literal}), (2, NULL)")
    pair.run_destination(f"CREATE TABLE {{schema}}.t (id int PRIMARY KEY, v {postgres})")
    insert = f"INSERT INTO {pair.schema}.t VALUES (1, %s), (2, NULL)"
    pair.destination.execute(insert.encode(), (equal,))
    assert pair.compare().equal
    for row, value in ((1, other), (2, equal)):
        pair.destination.execute(f"UPDATE {pair.schema}.t SET v = %s WHERE id = {row}".encode(), (value,))
    assert [found.columns for found in pair.only_table().different] == [("v",), ("v",)]


def test_missing_and_extra_rows_are_found(pair: Pair) -> None:
    """Lost inserts and lost deletes."""
    fill(pair)
    pair.run_destination("DELETE FROM {schema}.sample WHERE id IN (-2, 10)")
    pair.run_destination("INSERT INTO {schema}.sample (id) VALUES (9223372036854775807), (2)")
    table = pair.only_table()
    assert table.missing == [("-2",), ("10",)]
    assert table.extra == [("2",), ("9223372036854775807",)]
    assert (table.missing_count, table.extra_count, table.different_count) == (2, 2, 0)


def test_rows_are_paired_by_the_value_of_the_key(pair: Pair) -> None:
    """9 comes before 10, and negative keys first: by value, not by text."""
    pair.run_source("CREATE TABLE t (id bigint, d decimal(10,2), PRIMARY KEY (id, d))")
    pair.run_destination("CREATE TABLE {schema}.t (id bigint, d numeric(10,2), PRIMARY KEY (id, d))")
    for run, table in ((pair.run_source, "t"), (pair.run_destination, "{schema}.t")):
        run(f"INSERT INTO {table} VALUES (9, 1), (10, 1), (10, -2.5), (100, 9), (100, 10), (-9, 0), (-10, 0)")
    result = pair.compare()
    assert result.equal, result.describe()


def test_a_row_twice_in_the_destination_is_found(pair: Pair) -> None:
    """A copy without a key doubles rows: the second one is extra."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY)")
    pair.run_source("INSERT INTO t VALUES (1), (2)")
    pair.run_destination("CREATE TABLE {schema}.t (id int)")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1), (1), (2)")
    assert pair.only_table().extra == [("1",)]


def test_text_keys_under_another_collation_are_paired(pair: Pair) -> None:
    """The servers sort text differently; keys that differ in case or accents only are other rows."""
    pair.run_source(
        "CREATE TABLE t (k varchar(20) COLLATE utf8mb4_bin, n int, PRIMARY KEY (k, n)) CHARSET utf8mb4"
    )
    pair.run_source(
        "INSERT INTO t VALUES ('b', 1), ('A', 1), ('a', 1), ('é', 1), ('a', -5), ('', 1), ('aa', 1)"
    )
    pair.run_destination("CREATE TABLE {schema}.t (k varchar(20), n int, PRIMARY KEY (k, n))")
    pair.run_destination(
        "INSERT INTO {schema}.t VALUES ('é',1),('a',1),('A',1),('b',1),('a',-5),('',1),('aa',1)"
    )
    assert pair.compare().equal
    pair.run_destination("UPDATE {schema}.t SET k = 'É' WHERE k = 'é'")
    table = pair.only_table()
    assert (table.missing, table.extra) == ([("c3a9", "1")], [("c389", "1")])


def test_tables_without_a_key_are_compared_as_bags(pair: Pair) -> None:
    """Doubled rows of a leftover table count."""
    pair.run_source("CREATE TABLE t (a int, b varchar(9))")
    pair.run_source("INSERT INTO t VALUES (1, 'x'), (1, 'x'), (NULL, NULL)")
    pair.run_destination("CREATE TABLE {schema}.t (a int, b varchar(9))")
    pair.run_destination("INSERT INTO {schema}.t VALUES (NULL, NULL), (1, 'x'), (1, 'x')")
    assert pair.compare().equal
    pair.run_destination("INSERT INTO {schema}.t VALUES (1, 'x')")
    table = pair.only_table()
    assert (table.extra_count, table.missing_count) == (1, 0)


def test_names_with_quotes_and_percent_signs(pair: Pair) -> None:
    """Names are data: they must not break the SQL that is made of them."""
    source_name, name = f"`{ODD_NAME}`", '"' + ODD_NAME.replace('"', '""') + '"'
    pair.run_source(f"CREATE TABLE {source_name} ({source_name} int PRIMARY KEY, `back``tick` text)")
    pair.run_source(f"INSERT INTO {source_name} VALUES (1, 'a'), (2, 'b')")
    pair.run_destination(f'CREATE TABLE {{schema}}.{name} ({name} int PRIMARY KEY, "back`tick" text)')
    pair.run_destination(f"INSERT INTO {{schema}}.{name} VALUES (1, 'a'), (2, 'B')")
    assert pair.only_table().different == [RowDifference(("2",), ("back`tick",))]


def test_a_missing_table_and_a_missing_column_are_differences(pair: Pair) -> None:
    """What was never created must not pass as equal; a dropped column that was kept may stay."""
    pair.run_source("CREATE TABLE gone (id int PRIMARY KEY)")
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a int)")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, old int)")
    gone, kept = pair.compare().tables
    assert gone.absent
    assert not gone.equal
    assert (kept.missing_columns, kept.extra_columns, kept.equal) == (("a",), ("old",), False)


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_10_11", "mariadb_11_8"], indirect=True)
def test_unknown_types_are_refused(pair: Pair) -> None:
    """A type without a canonical form would be compared by luck: of YEAR(2), 0 and 2000 look the same."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, y year(2))")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, y smallint)")
    with pytest.raises(CannotCompare, match=r"table t, column y: .* year\(2\)"):
        pair.compare()


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
def test_json_is_compared_by_its_values(pair: Pair) -> None:
    """Neither the order of keys nor the way numbers are written counts; every digit does."""
    pair.run_source("CREATE TABLE docs (id int PRIMARY KEY, j json)")
    pair.run_destination("CREATE TABLE {schema}.docs (id int PRIMARY KEY, j jsonb)")
    document = '{"b": [1.50, 1e20, -0.0, "é\\n", null], "aa": {"x": 18446744073709551615}}'
    pair.run_source(f"INSERT INTO docs VALUES (1, '{document.replace(chr(92), chr(92) * 2)}'), (2, NULL)")
    pair.run_destination(f"INSERT INTO {{schema}}.docs VALUES (1, '{document}'), (2, NULL)")
    result = pair.compare()
    assert result.equal, result.describe()
    for old, new in (("615", "616"), ("1.50", "1.51"), ("null", '"null"'), ("aa", "ab"), ("1e20", '"1e20"')):
        changed = document.replace(old, new)
        pair.run_destination(f"UPDATE {{schema}}.docs SET j = '{changed}' WHERE id = 1")
        assert not pair.compare().equal, new


def test_a_destination_type_that_cannot_hold_the_values_is_refused(pair: Pair) -> None:
    """A tinyint in a boolean looks equal until the first 2."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a tinyint)")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, a boolean)")
    with pytest.raises(CannotCompare, match="integer in a Postgres bool"):
        pair.compare()


def test_a_type_that_was_kept_is_compared_by_its_value(pair: Pair) -> None:
    """With `wider`: a day is a timestamp's midnight, a float the same double; another moment differs."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, a date, b float, c int)")
    pair.run_source("INSERT INTO t VALUES (1, '2024-02-29', 0.1, 5), (2, NULL, NULL, NULL)")
    pair.run_destination(
        "CREATE TABLE {schema}.t (id int PRIMARY KEY, a timestamp(0), b float8, c numeric(9,2))"
    )
    pair.run_destination(
        "INSERT INTO {schema}.t VALUES (1, '2024-02-29', 0.1::float4, 5), (2, NULL, NULL, NULL)"
    )
    assert pair.compare(wider=True).equal
    with pytest.raises(CannotCompare, match="table t, column a"):
        pair.compare()
    pair.run_destination("UPDATE {schema}.t SET a = a + interval '1 second', b = 0.1, c = 5.5 WHERE id = 1")
    assert pair.only_table(wider=True).different == [RowDifference(("1",), ("a", "b", "c"))]
    pair.run_destination("ALTER TABLE {schema}.t ALTER c TYPE bytea USING NULL")
    with pytest.raises(CannotCompare, match="table t, column c"):
        pair.compare(wider=True)


def test_masked_columns_are_compared_one_to_one(pair: Pair) -> None:
    """A hash cannot be read, but stale, shared and missing ones can be told."""
    pair.run_source("CREATE TABLE t (id int PRIMARY KEY, ssn varchar(20))")
    pair.run_source("INSERT INTO t VALUES (1, '111'), (2, '222'), (3, '111'), (4, NULL), (5, '')")
    pair.run_destination("CREATE TABLE {schema}.t (id int PRIMARY KEY, ssn varchar(64))")
    pair.run_destination("INSERT INTO {schema}.t VALUES (1,'h1'), (2,'h2'), (3,'h1'), (4,NULL), (5,'')")
    assert pair.compare(masked=[("t", "ssn")]).equal
    for planted, key in (("'h2'", "3"), ("'111'", "3"), ("'h3'", "3"), ("NULL", "3"), ("'h1'", "4")):
        pair.run_destination(f"UPDATE {{schema}}.t SET ssn = {planted} WHERE id = {key}")
        assert pair.only_table(masked=[("t", "ssn")]).different[0].key == (key,), planted
        assert pair.only_table(masked=[("t", "ssn")]).in_the_clear == (("ssn",) if planted == "'111'" else ())
        pair.run_destination("UPDATE {schema}.t SET ssn = CASE id WHEN 3 THEN 'h1' END WHERE id IN (3, 4)")


def test_the_command_tells_by_its_exit_code(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """0 equal, 3 different, 1 impossible; never a value in what it prints."""
    fill(pair)
    arguments = [pair.source_url, pair.destination_url, "--schema", pair.schema]
    assert compare_module.main(arguments) == 0
    assert capsys.readouterr().out.endswith("EQUAL: 1 tables, 3 rows compared, 0 differences\n")
    pair.run_destination("UPDATE {schema}.sample SET note = 'planted' WHERE id = 1")
    assert compare_module.main([*arguments, "sample"]) == 3
    assert "planted" not in capsys.readouterr().out
    assert compare_module.main([*arguments, "nowhere"]) == 1


@pytest.mark.parametrize(
    ("function", "text", "canonical"),
    [
        (plain_decimal, "000.500", "0.5"),
        (plain_decimal, "-0.00", "0"),
        (plain_decimal, "-100", "-100"),
        (time_microseconds, "-00:00:00.5", "-500000"),
        (time_microseconds, "838:59:59", "3020399000000"),
        (canonical_json, "[1.0, 1, 10e-1, true]", "[1e0,1e0,1e0,true]"),
        (canonical_json, "[0, -0.0, 0e9]", "[0,0,0]"),
        (canonical_json, "[-1200, 0.0012]", "[-12e2,12e-4]"),
        (canonical_json, '{"b": 1e400, "a": "é\\u0001"}', '{"a":"\\u00e9\\u0001","b":1e400}'),
        (canonical_json, "123456789012345678901234567890.10", "1234567890123456789012345678901e-1"),
        (canonical_json, "NaN", "no JSON: NaN"),
        (canonical_json, "[1", "no JSON: [1"),
        (extended_wkb, "0:0107000000", "0107000000"),
        (extended_wkb, "4326:0107000000", "0107000020e6100000"),
        (extended_wkb, "4326:0000000007", "unexpected byte order: 4326:0000000007"),
        (extended_wkb, "malformed ", "no geometry: malformed "),
        (address, "0:0::1", "00000000000000000000000000000001"),
    ],
)
def test_canonical_forms(function: Callable[[str], str], text: str, canonical: str) -> None:
    """The forms both sides must arrive at."""
    assert function(text) == canonical
