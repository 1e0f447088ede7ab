"""What `evolve` makes of statements without a server; what servers make of them: `test_evolve_oracle`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rowferry.alterations import read_change
from rowferry.evolve import Evolution, evolve
from rowferry.table_schema import Column, ColumnPolicy, ColumnType, RowEnd, TableId, TableSchema
from rowferry.widening import keeps_values

INT = ColumnType("int", text="int(11)")
BIG = ColumnType("bigint", text="bigint(20)")
DATE, DATETIME = ColumnType("date", text="date"), ColumnType("datetime", text="datetime")


def varchar(length: int, charset: str = "utf8mb4") -> ColumnType:
    """A VARCHAR."""
    return ColumnType("varchar", length=length, charset=charset, text=f"varchar({length})")


def table(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    """Table `t` with a key and more columns."""
    return TableSchema(TableId("d", "t"), (Column("id", INT, False), *columns), key, "InnoDB")


V, D, N = Column("v", varchar(9)), Column("d", DATE), Column("n", INT)
BEFORE = table(V, D, N)


def made(
    actions: str, now: TableSchema | None, before: TableSchema = BEFORE, *, computed: bool = False
) -> Evolution | str:
    """Of an ALTER TABLE."""
    change = read_change(f"ALTER TABLE t {actions}")
    assert change is not None
    return evolve(change, replace(before, computed=computed), now)


def certain(actions: str, now: TableSchema | None, before: TableSchema = BEFORE) -> Evolution:
    """The same, which must be certain."""
    found = made(actions, now, before)
    assert isinstance(found, Evolution), found
    return found


def reason(actions: str, now: TableSchema | None, before: TableSchema = BEFORE) -> str:
    """The reason why not."""
    found = made(actions, now, before)
    assert isinstance(found, str)
    return found


def with_policy(column: Column, **policy: str) -> Column:
    """A column with settings."""
    return replace(column, policy=ColumnPolicy(**policy))


@pytest.mark.parametrize(
    ("policy", "kind", "definition", "value"),
    [
        ({}, DATE, "DATE NOT NULL", None),
        ({"zero_dates": "1900-01-01"}, DATE, "DATE NOT NULL", "1900-01-01"),
        ({"zero_dates": "keep", "as_type": "text"}, DATE, "DATE NOT NULL", "0000-00-00"),
        ({"zero_dates": "1900-01-01"}, DATETIME, "DATETIME NOT NULL", "1900-01-01 00:00:00"),
        (
            {"zero_dates": "1900-01-01"},
            ColumnType("timestamp", text="timestamp"),
            "TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00'",
            "1900-01-01 00:00:00+00",
        ),
        ({}, DATE, "DATE NOT NULL DEFAULT '0001-01-01'", "0001-01-01"),
        ({"as_type": "text"}, INT, "INT NOT NULL DEFAULT 5", "5"),
        ({"as_type": "boolean"}, INT, "INT NOT NULL DEFAULT 1", "1"),
    ],
)
def test_a_value_goes_through_the_columns_settings(
    policy: dict[str, str], kind: ColumnType, definition: str, value: str | None
) -> None:
    """As a copied one does."""
    column = with_policy(Column("a", kind, False), **policy)
    found = certain(f"ADD a {definition}", table(V, D, N, column))
    assert [(f.column, f.value) for f in found.added] == [(column, value)]


@pytest.mark.parametrize("policy", [{"zero_dates": "stop"}, {"zero_dates": "quarantine"}])
def test_a_value_that_cannot_be_carried_is_uncertain(policy: dict[str, str]) -> None:
    """The copy then does what the settings say."""
    now = table(V, D, N, with_policy(Column("a", DATE, False), **policy))
    assert "a" in reason("ADD a DATE NOT NULL", now)


def test_a_reason_holds_no_value() -> None:
    """Of no default."""
    now = table(V, D, N, Column("a", varchar(9), False))
    for default in ("'secret\u00e9'", "'far too long a secret'"):
        assert "secret" not in reason(f"ADD a VARCHAR(9) NOT NULL DEFAULT {default}", now)


@pytest.mark.parametrize(
    "now",
    [
        table(V, D, N),
        table(V, D, N, Column("a", BIG)),
        table(V, D, N, Column("a", INT, False)),
        table(V, D, N, Column("a", replace(INT, text="int(5)"))),
        table(V, D, N, Column("a", INT), key=("a",)),
        replace(table(V, D, N, Column("a", INT)), obstacle="x"),
        replace(table(V, D, N, Column("a", INT)), row_end=RowEnd("e", 2038)),
    ],
)
def test_a_catalogue_that_says_otherwise(now: TableSchema) -> None:
    """Makes the effect uncertain."""
    assert reason("ADD a INT", now)


@pytest.mark.parametrize("charset", ["utf8", "utf8mb3"])
def test_utf8_has_two_names(charset: str) -> None:
    """Which is shown depends on the server; utf8mb4 is another."""
    now = table(V, D, N, Column("a", varchar(5, charset)))
    assert certain("ADD a VARCHAR(5) CHARACTER SET utf8", now).table == now
    assert reason("ADD a VARCHAR(5) CHARACTER SET utf8mb4", now)
    assert reason("ADD a VARCHAR(5) CHARACTER SET utf8", table(V, D, N, Column("a", varchar(5))))


def test_names_are_found_in_any_case() -> None:
    """And stay as they were, or become what the statement writes."""
    assert certain("DROP COLUMN V", BEFORE).dropped == ("v",)
    found = certain("CHANGE N Number INT", table(V, D, Column("Number", INT)))
    assert found.renamed == (("n", "Number"),)
    assert found.retyped == ()


def test_a_renamed_column_has_the_settings_of_its_new_name() -> None:
    """Its target; but other values are another matter."""
    now = table(V, D, replace(N, name="m", target="there"))
    assert certain("RENAME COLUMN n TO m", now).table == now
    now = table(V, D, with_policy(replace(N, name="m"), as_type="text"))
    assert "settings" in reason("RENAME COLUMN n TO m", now)


def test_a_renamed_key_column_is_the_key() -> None:
    """By its new name."""
    now = table(V, D, N, key=("pk",))
    now = replace(now, columns=(replace(now.columns[0], name="pk"), V, D, N))
    assert certain("CHANGE id pk INT NOT NULL", now).table == now


@pytest.mark.parametrize(
    "actions",
    [
        "RENAME COLUMN v TO n, RENAME COLUMN n TO v",
        "RENAME COLUMN v TO n, DROP COLUMN n",
        "DROP COLUMN n, ADD COLUMN n INT",
        "DROP COLUMN n, RENAME COLUMN v TO N",
        "ADD a INT, ALTER a SET DEFAULT 3",
        "MODIFY n INT, ALTER n DROP DEFAULT",
        "ADD n INT",
        "DROP COLUMN x",
        "MODIFY x INT",
        "ALTER x SET DEFAULT 3",
        "DROP COLUMN id",
        "DROP PRIMARY KEY",
        "MODIFY n INT AUTO_INCREMENT",
        "MODIFY n INT NOT NULL",
        "MODIFY n INT AS (id + 1)",
        "ENGINE=MyISAM",
        "CONVERT TO CHARACTER SET latin1",
    ],
)
def test_uncertain(actions: str) -> None:
    """For a reason."""
    now = table(V, D, N, Column("a", INT), Column("x", INT))
    assert reason(actions, now)


def test_another_table() -> None:
    """Is not this one."""
    change = read_change("ALTER TABLE u DROP n")
    assert change is not None
    assert isinstance(evolve(change, BEFORE, BEFORE), str)


def test_texts_may_have_another_collation_and_generated_columns_be_made_of_them() -> None:
    """So that only integers and what is new is certain unless it is known that there are none."""
    now = table(replace(V, type=varchar(20)), D, replace(N, type=BIG), Column("a", INT))
    assert isinstance(made("MODIFY v VARCHAR(20)", now), Evolution)
    assert isinstance(made("MODIFY v VARCHAR(20)", now, computed=True), str)
    assert isinstance(made("MODIFY n BIGINT, ADD a INT", now, computed=True), Evolution)


def test_dates_become_datetimes_where_none_is_null() -> None:
    """What is no date of the calendar may become another that is none."""
    now = table(V, replace(D, type=DATETIME), N)
    assert certain("MODIFY d DATETIME", now).retyped == ((D, replace(D, type=DATETIME)),)
    kept = with_policy(D, zero_dates="1900-01-01")
    assert reason("MODIFY d DATETIME", now, table(V, kept, N))


def test_a_column_with_a_chosen_type_is_not_retyped() -> None:
    """Its text may become another one."""
    now = table(V, D, replace(N, type=BIG))
    assert "settings" in reason("MODIFY n BIGINT", now, table(V, D, with_policy(N, as_type="text")))


def test_no_change_at_all() -> None:
    """IF EXISTS and IF NOT EXISTS, and what is for rows to come."""
    actions = (
        "ADD COLUMN IF NOT EXISTS n BIGINT, DROP COLUMN IF EXISTS x, ALTER v SET DEFAULT 'y', ADD KEY (d)"
    )
    assert certain(actions, BEFORE) == Evolution(BEFORE)


def test_truncate() -> None:
    """All rows, no column."""
    change = read_change("TRUNCATE TABLE t")
    assert change is not None
    assert evolve(change, BEFORE, BEFORE) == Evolution(BEFORE, truncated=True)


def test_a_plan_takes_the_statement_at_its_word() -> None:
    """Whether widths are shown is seen by the other columns."""
    assert certain("ADD a INT UNSIGNED", None).table.columns[-1].type.text == "int(10) unsigned"
    mysql = table(replace(N, type=replace(INT, text="int")))
    mysql = replace(mysql, columns=tuple(replace(c, type=replace(INT, text="int")) for c in mysql.columns))
    assert certain("ADD a INT UNSIGNED", None, mysql).table.columns[-1].type.text == "int unsigned"
    assert certain("ADD a VARCHAR(5)", None).table.columns[-1].type.charset == "utf8mb4"


def enum(labels: str) -> ColumnType:
    """An ENUM."""
    return ColumnType("enum", length=1, charset="latin1", text=f"enum({labels})")


def text(base: str, length: int, charset: str = "utf8mb4") -> ColumnType:
    """Another text type."""
    return ColumnType(base, length=length, charset=charset, text=base)


@pytest.mark.parametrize(
    ("old", "new", "keeps"),
    [
        (INT, BIG, True),
        (BIG, INT, False),
        (replace(INT, unsigned=True), BIG, True),
        (replace(INT, unsigned=True), INT, False),
        (INT, replace(BIG, unsigned=True), False),
        (INT, replace(INT, text="int(10) zerofill"), False),
        (varchar(9), varchar(10), True),
        (varchar(9), varchar(8), False),
        (varchar(9, "latin1"), varchar(9), True),
        (varchar(9), varchar(9, "latin1"), False),
        (varchar(9, "cp1251"), varchar(9), False),
        (varchar(63), text("tinytext", 255), True),
        (varchar(64), text("tinytext", 255), False),
        (text("tinytext", 255), varchar(255), False),
        (text("tinytext", 255, "latin1"), text("tinytext", 255), False),
        (text("tinytext", 255, "utf8mb3"), text("tinytext", 255), True),
        (text("char", 9), varchar(9), False),
        (varchar(9), text("char", 9), False),
        (enum("'a','b'"), enum("'a','b','c'"), True),
        (enum("'a','b'"), enum("'a','c','b'"), False),
        (enum("'a','b'"), enum("'a'"), False),
        (enum("'a'',''b'"), enum("'a','b'"), False),
        (DATE, DATETIME, True),
        (DATETIME, DATE, False),
        (ColumnType("float"), ColumnType("double"), False),
        (ColumnType("double", text="double"), ColumnType("double", text="double(5,2)"), False),
        (ColumnType("year", text="year(4)"), ColumnType("year", text="year(2)"), False),
    ],
)
def test_which_types_hold_all_values_of_which(old: ColumnType, new: ColumnType, keeps: bool) -> None:
    """Whatever the values are."""
    assert keeps_values(old, new) is keeps
