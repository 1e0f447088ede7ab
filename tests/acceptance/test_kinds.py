"""ENUM, SET, BIT, YEAR, shapes, VECTOR, UUID and addresses from end to end, as values and as keys.

Each table is copied in many chunks while it holds rows, changed afterwards, and compared by the laboratory.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Ferry

CHUNK_ROWS = "40"
LABELS = [f"label{number * 37 % 300}" for number in range(300)]
MEMBERS = [f"m{number * 5 % 64}" for number in range(64)]


def listed(labels: Sequence[str]) -> str:
    """The labels of a type."""
    return ", ".join(f"'{label}'" for label in labels)


def addresses(pick: random.Random) -> list[str]:
    """INET6 literals: with zero bytes at either end, with IPv4 inside, random ones."""
    words = [f"{pick.getrandbits(16):x}" for _ in range(100)]
    found = ["'::'", *(f"'::{w}'" for w in words), *(f"'{w}::'" for w in words)]
    return [*found, *(f"'::ffff:192.0.2.{n}'" for n in range(60)), *(f"'2001:db8:{w}::{w}'" for w in words)]


def identifiers(pick: random.Random) -> list[str]:
    """UUID literals of all versions, which the server orders in two ways; some share their beginnings."""
    found = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
    for number, version in product(range(60), "1345678"):
        digits = list(f"{pick.getrandbits(128):032x}")
        digits[12], digits[16] = version, pick.choice("89ab")
        if number % 3 == 0:
            digits[20:] = "0242ac120002"
        if number % 5 == 0:
            digits[:8] = "018f3c00"
        found.append(str(uuid.UUID("".join(digits))))
    return [f"'{text}'" for text in found]


def numbers(pick: random.Random) -> list[str]:
    """Numbers of 64 bits, dense at both ends and around the sign."""
    edges = [*range(60), *(2**63 + n for n in range(-30, 30)), *(2**64 - 1 - n for n in range(60))]
    return [str(n) for n in {*edges, *(pick.getrandbits(64) for _ in range(300))}]


def keys(source: RunningServer) -> Iterator[tuple[str, str, list[str]]]:
    """Name, type and the values of a key, as literals."""
    pick = random.Random(4)
    yield "enum", f"ENUM({listed(LABELS)})", [str(n) for n in range(301)]
    yield "set", f"SET({listed(MEMBERS)})", numbers(pick)
    yield "bit", "BIT(64)", numbers(pick)
    yield "bit9", "BIT(9)", [str(n) for n in range(512)]
    yield "year", "YEAR", ["0", *(str(n) for n in range(1901, 2156))]
    if source.spec.product == "mariadb":
        yield "inet6", "INET6", addresses(pick)
    if source.spec.product == "mariadb" and source.spec.version != "10.5":
        yield "uuid", "UUID", identifiers(pick)
        yield "inet4", "INET4", [f"'{n % 7 * 40}.{n % 3}.0.{n % 256}'" for n in range(400)]


PARTITIONS = "PARTITION BY HASH (id) PARTITIONS 3"


@pytest.mark.parametrize(
    ("source", "engine"),
    [
        ("mariadb_10_5", "MyISAM"),
        ("mariadb_10_11", "InnoDB"),
        ("mariadb_11_8", "MyISAM"),
        ("mysql_9_7", "InnoDB"),
    ],
    indirect=["source"],
)
def test_keys_of_every_kind_are_copied_in_many_chunks(
    ferry: Ferry, source: RunningServer, engine: str
) -> None:
    """No row is left out or read twice: a range follows the server's own order of the type.

    The key is the column alone, comes first, or comes last; rows are changed and removed afterwards.
    """
    for name, kind, values in keys(source):
        forms = {f"{name}_alone": "k", f"{name}_first": "k, n", f"{name}_last": "n, k"}
        for table, key in forms.items():
            ferry.source.run(
                f"CREATE TABLE {table} (k {kind} NOT NULL, n INT NOT NULL, t TEXT, PRIMARY KEY ({key}))"
                f" ENGINE={engine}",
                f"INSERT IGNORE INTO {table} VALUES "
                + ", ".join(f"({v}, {i % 3}, 't{i}')" for i, v in enumerate(values)),
            )
        ferry.source.run(
            f"INSERT IGNORE INTO {name}_first SELECT k, n + 3, t FROM {name}_alone",
            f"INSERT IGNORE INTO {name}_last SELECT k, n + 3, t FROM {name}_alone",
        )
    ferry.catch_up(ROWFERRY_COPY__MAX_CHUNK_ROWS=CHUNK_ROWS)
    ferry.assert_equal()
    for name, _, _ in keys(source):
        for table in (f"{name}_alone", f"{name}_first", f"{name}_last"):
            ferry.source.run(
                f"UPDATE {table} SET t = CONCAT(t, '!') WHERE t LIKE '%2'",
                f"DELETE FROM {table} WHERE t LIKE '%7'",
                f"UPDATE {table} SET n = n + 100 WHERE t LIKE '%4'",
            )
    ferry.catch_up()
    ferry.assert_equal()


ODD = [" lead", "it''s", "back\\\\slash", "x /* y */ Z", "😀", "日本", "", "UNSIGNED"]
SHAPES = [
    "ST_GeomFromText('POINT(1.5 -2.5)')",
    "ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 0), (1 1, 2 1, 2 2, 1 1))', 4326)",
    "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), GEOMETRYCOLLECTION(LINESTRING(0 0, 1 1)))', 3857)",
    "ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')",
    "NULL",
]


def values_of(source: RunningServer) -> Iterator[tuple[str, list[str]]]:
    """Types, and literals to store."""
    charset = "CHARACTER SET utf8mb4"
    yield f"ENUM({listed(ODD)}) {charset}", ["0", "1", "2", "5", "7", "8", "NULL"]
    yield f"SET({listed(ODD)}) {charset}", ["0", "1", "255", "170", "NULL"]
    yield "SET('é', 'x') CHARACTER SET latin1", ["0", "1", "3", "NULL"]
    yield "BIT(1)", ["0", "1", "NULL"]
    yield "BIT(20)", ["0", "1", "1048575", "NULL"]
    yield "YEAR", ["0", "1901", "2155", "NULL"]
    yield "GEOMETRY", SHAPES
    yield "POINT", ["ST_GeomFromText('POINT(1 2)', 4326)", "NULL"]
    if source.spec.product == "mysql":
        yield "VECTOR(4)", ["STRING_TO_VECTOR('[1,-2.5,0.1]')", "STRING_TO_VECTOR('[1e-30]')", "NULL"]
        return
    yield "INET6", ["'::ffff:1.2.3.4'", "'::'", "'fe80::'", "NULL"]
    if source.spec.version != "10.5":
        yield "UUID", ["'12345678-9abc-7def-8123-456789abcd00'", "UUID()", "NULL"]
        yield "INET4", ["'10.0.0.0'", "'0.0.0.0'", "NULL"]
    if source.spec.version == "11.8":
        yield "VECTOR(3)", ["VEC_FromText('[1,-2.5,0.1]')", "VEC_FromText('[0,0,1e-10]')", "NULL"]


@pytest.mark.parametrize(
    ("source", "partitions"),
    [
        ("mariadb_10_5", ""),
        ("mariadb_10_11", PARTITIONS),
        ("mariadb_11_8", ""),
        ("mysql_9_7", PARTITIONS),
    ],
    indirect=["source"],
)
def test_values_of_every_kind_arrive_copied_and_streamed(
    ferry: Ferry, source: RunningServer, partitions: str
) -> None:
    """The same rows by both ways, then changed ones; in partitions, beside invisible columns.

    MySQL has no shapes in partitioned tables.
    """
    shapes = ("GEOMETRY", "POINT")
    kinds = [(k, v) for k, v in values_of(source) if not partitions or k not in shapes]
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(kinds))
    rows = [
        f"({n}, {', '.join(literals[n % len(literals)] for _, literals in kinds)})"
        for n in range(max(len(literals) for _, literals in kinds))
    ]
    named = ", ".join(f"c{i}" for i in range(len(kinds)))
    ferry.source.run(
        f"CREATE TABLE held (id INT NOT NULL, hidden BIT(2) NOT NULL DEFAULT 2 INVISIBLE, {columns},"
        " made YEAR GENERATED ALWAYS AS (2000 + id % 100) VIRTUAL,"
        f" kept BIT(12) GENERATED ALWAYS AS (id) STORED, PRIMARY KEY (id)) {partitions}",
        f"INSERT IGNORE INTO held (id, {named}) VALUES {', '.join(rows)}",
    )
    ferry.catch_up()
    ferry.assert_equal()
    changes = ", ".join(f"c{i} = {literals[0]}" for i, (_, literals) in enumerate(kinds))
    ferry.source.run(
        f"INSERT IGNORE INTO held (id, {named}) SELECT id + 100, {named} FROM held",
        f"UPDATE IGNORE held SET {changes} WHERE id = 103",
        "UPDATE held SET id = id + 1000 WHERE id IN (1, 101)",
    )
    ferry.catch_up()
    ferry.assert_equal()
    assert ferry.destination.rows("SELECT count(*) FROM raw.held") == [(2 * len(rows),)]


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8"], indirect=True)
def test_a_year_of_two_digits_stops_its_table_alone(ferry: Ferry) -> None:
    """A SELECT does not tell its century."""
    ferry.source.run(
        "CREATE TABLE good (id INT PRIMARY KEY, y YEAR)",
        "CREATE TABLE short_year (id INT PRIMARY KEY, y YEAR(2))",
        "INSERT INTO good VALUES (1, 1955)",
        "INSERT INTO short_year VALUES (1, 1955)",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "year(2) is not supported" in ferry.tracked("error", "short_year")
    ferry.assert_equal("good")


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_text_in_a_character_set_that_is_not_carried_stops_its_table_alone(ferry: Ferry) -> None:
    """Also the text of labels: the other tables are copied."""
    ferry.source.run(
        "CREATE TABLE good (id INT PRIMARY KEY)",
        "CREATE TABLE old_text (id INT PRIMARY KEY, t VARCHAR(5) CHARACTER SET big5)",
        "CREATE TABLE old_labels (id INT PRIMARY KEY, e ENUM('a', 'b') CHARACTER SET big5)",
        *(
            f"INSERT INTO {table} VALUES (1{value})"
            for table, value in (("good", ""), ("old_labels", ", 'a'"))
        ),
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    for table in ("old_text", "old_labels"):
        assert ferry.tracked("state", table) == "stopped"
        assert "character set big5 is not supported" in ferry.tracked("error", table)
    ferry.assert_equal("good")


@pytest.mark.parametrize("source", ["mariadb_10_11"], indirect=True)
def test_an_empty_shape_stops_its_table(ferry: Ferry) -> None:
    """MariaDB stores '' where a row gives nothing for a NOT NULL column: no shape, and not NULL either."""
    ferry.source.run(
        "CREATE TABLE good (id INT PRIMARY KEY, g GEOMETRY)",
        "CREATE TABLE empty_shape (id INT PRIMARY KEY, g GEOMETRY NOT NULL)",
        "INSERT INTO good VALUES (1, ST_GeomFromText('POINT(1 2)'))",
        "INSERT IGNORE INTO empty_shape (id) VALUES (1)",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    assert "too short for a geometry" in ferry.tracked("error", "empty_shape")
    ferry.assert_equal("good")
