"""The tracking tables' statements: names and % survive, values are parameters, the epoch is checked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rowferry.batch import KeyRange
from rowferry.changes import RowCounts, Statement
from rowferry.checkpoint import (
    METRICS_KEPT_DAYS,
    Checkpoint,
    CopyProgress,
    TableRecord,
    TableStatus,
    count_rows,
    create_tracking_tables,
    first_checkpoint,
    forget_tables,
    load_metrics,
    prune,
    save_checkpoint,
    save_table,
    sweep,
    to_time,
)
from rowferry.destination import add_columns, create_table
from rowferry.position import MariadbGtidSet
from rowferry.schema_log import KEPT_DAYS
from tests.unit.flow import position, table

DATASET = 'ra"w 100%s%%'
QUOTED = '"ra""w 100%s%%"'
ODD = 'pa"t%s%(a)s%'
QUOTED_ODD = '"pa""t%s%(a)s%"'
PLACE = position(2**40, gtid_set=MariadbGtidSet.parse("0-1-5"))
CHECKPOINT = Checkpoint("clinic", "mariadb", PLACE, epoch=7, load_id="5.0", commit_time_us=1_500_000)
PROGRESS = CopyProgress("1.0", (KeyRange(("61", "62")),), 9, 20)
RECORD = TableRecord(table(name=ODD), TableStatus.COPYING, PROGRESS, "why")
COUNTS = RowCounts(1, 2, 3, 4)

WITH_PARAMETERS = {
    "first_checkpoint": [first_checkpoint(DATASET, CHECKPOINT)],
    "save_checkpoint": [save_checkpoint(DATASET, CHECKPOINT, 5)],
    "save_table": [save_table(DATASET, RECORD)],
    "forget_tables": [forget_tables(DATASET, [ODD])],
    "count_rows": [count_rows(DATASET, ODD, COUNTS, 5)],
    "load_metrics": [load_metrics(DATASET, "5.0", ODD, COUNTS, 5, 5)],
    "sweep": [sweep(DATASET, ODD, "5.0", "9.0")],
    "prune": prune(DATASET),
}
WITHOUT_PARAMETERS = {
    "create_tracking_tables": create_tracking_tables(DATASET),
    "create_table": [create_table(DATASET, table("id", ODD, name=ODD))],
    "add_columns": [add_columns(DATASET, table("id", ODD, name=ODD), table("id", ODD).columns[1:])],
}


@pytest.mark.parametrize("statements", WITH_PARAMETERS.values(), ids=WITH_PARAMETERS)
def test_a_statement_with_parameters_doubles_the_percent_signs_of_names(statements: list[Statement]) -> None:
    """It has at least one, or psycopg would leave the doubled ones as they are."""
    for statement in statements:
        assert statement.parameters
        bound = statement.text % tuple("?" * len(statement.parameters))
        assert QUOTED in bound
        assert QUOTED.replace("%", "%%") in statement.text


@pytest.mark.parametrize("statements", WITHOUT_PARAMETERS.values(), ids=WITHOUT_PARAMETERS)
def test_a_statement_without_parameters_holds_names_as_they_are(statements: list[Statement]) -> None:
    """psycopg sends it as it is."""
    for statement in statements:
        assert not statement.parameters
        assert QUOTED in statement.text or '"ra""w 100%s%%_staging"' in statement.text
        assert "%%%" not in statement.text


def test_table_names_are_quoted_too() -> None:
    """Where they are identifiers."""
    assert QUOTED_ODD.replace("%", "%%") in sweep(DATASET, ODD, "5.0", "9.0").text
    for statements in (WITHOUT_PARAMETERS["create_table"], WITHOUT_PARAMETERS["add_columns"]):
        assert statements[0].text.count(QUOTED_ODD) == 2


def test_the_checkpoint_moves_only_under_its_own_epoch() -> None:
    """One row, or the transaction fails: another instance has taken over."""
    moved = save_checkpoint(DATASET, CHECKPOINT, applied_until_us=2_000_000)
    assert moved.rows == 1
    assert "WHERE source = %s AND epoch = %s" in moved.text
    assert list(moved.parameters) == [
        "mariadb",
        "server",
        "binlog.000001",
        2**40,
        "0-1-5",
        datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
        datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC),
        "5.0",
        "clinic",
        7,
    ]


def test_what_is_not_known_does_not_overwrite() -> None:
    """An idle checkpoint has no commit time; without GTIDs there is no set, which is not an empty one."""
    idle = save_checkpoint(DATASET, replace(CHECKPOINT, position=position(5), commit_time_us=0))
    assert list(idle.parameters)[4:7] == [None, None, None]
    assert "coalesce(%s, commit_time)" in idle.text
    assert "greatest(%s, applied_until)" in idle.text
    empty = replace(CHECKPOINT, position=position(5, gtid_set=MariadbGtidSet()))
    assert list(save_checkpoint(DATASET, empty).parameters)[4] == ""


def test_the_first_checkpoint_is_inserted_once() -> None:
    """Its columns and values are in step."""
    first = first_checkpoint(DATASET, CHECKPOINT)
    assert first.rows == 1
    names = first.text[first.text.index("(source") + 1 : first.text.index(") VALUES")].split(", ")
    assert dict(zip(names, first.parameters, strict=True)) == {
        "source": "clinic",
        "flavor": "mariadb",
        "server_identity": "server",
        "binlog_file": "binlog.000001",
        "binlog_offset": 2**40,
        "gtid_set": "0-1-5",
        "epoch": 7,
        "load_id": "5.0",
    }


def test_a_tables_row_holds_its_copy_and_its_layout() -> None:
    """So that a restart goes on from there."""
    assert list(save_table(DATASET, RECORD).parameters) == [
        ODD,
        "copying",
        "1.0",
        '[{"last_key": ["61", "62"], "until": null, "done": false}]',
        9,
        20,
        "why",
        json.dumps(RECORD.table.to_json()),
    ]
    fresh = save_table(DATASET, replace(RECORD, copy=CopyProgress()))
    assert list(fresh.parameters)[3] == "[]"


def test_the_sweep_compares_load_ids_as_bytes() -> None:
    """In the order in which they were made, whatever the database's collation."""
    swept = sweep(DATASET, ODD, "5.0", "7.0")
    assert swept.text.endswith('WHERE "_dlt_load_id" COLLATE "C" <= %s OR "_dlt_load_id" COLLATE "C" > %s')
    assert list(swept.parameters) == ["5.0", "7.0"]


def test_metrics_of_a_load_are_in_step_with_their_columns() -> None:
    """Rows applied do not count copied ones."""
    row = load_metrics(DATASET, "5.0", ODD, COUNTS, 1_000_000, 0)
    assert list(row.parameters)[:6] == ["5.0", ODD, 1, 2, 3, 4]
    assert list(row.parameters)[7] is None
    assert next(iter(count_rows(DATASET, ODD, COUNTS, 5).parameters)) == 6


def test_what_grows_is_pruned() -> None:
    """One row a load, and one a table of it."""
    assert [s.parameters[0].days for s in prune(DATASET)] == [METRICS_KEPT_DAYS] * 3 + [KEPT_DAYS]
    assert any("_dlt_metrics" in s.text for s in prune(DATASET))
    assert any("_dlt_loads" in s.text for s in prune(DATASET))


def test_tracking_tables_are_made_only_if_missing() -> None:
    """Every start may try."""
    for statement in create_tracking_tables(DATASET):
        assert "IF NOT EXISTS" in statement.text or "CREATE OR REPLACE" in statement.text


@pytest.mark.parametrize(
    ("us", "time"),
    [
        (0, None),
        (1, datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        (4_102_444_800_000_001, datetime(2100, 1, 1, 0, 0, 0, 1, UTC)),
    ],
)
def test_times_keep_their_microseconds(us: int, time: datetime | None) -> None:
    """No float on the way; 0 is not known."""
    assert to_time(us) == time
