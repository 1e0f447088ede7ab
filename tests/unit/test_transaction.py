"""Transactions out of events: whole or not at all, and what a rollback cannot undo stays."""

from __future__ import annotations

import pytest

from rowferry.changes import RowEvent, SchemaChange, Transaction
from rowferry.errors import StreamStopped
from rowferry.table_schema import TableId
from rowferry.transaction import TransactionAssembler
from tests.unit.flow import position, row_event, table

INNODB = table(name="patient")
MYISAM = table(name="claim", engine="MyISAM")
END = position(500)


def is_transactional(found: TableId) -> bool:
    """As the book says it."""
    return found == INNODB.id


@pytest.fixture
def assembler() -> TransactionAssembler:
    """One that knows an InnoDB and a MyISAM table."""
    return TransactionAssembler(is_transactional)


def said(assembler: TransactionAssembler, *statements: str) -> list[Transaction | SchemaChange]:
    """What the statements complete."""
    done: list[Transaction | SchemaChange] = []
    for text in statements:
        done += assembler.statement(text, "clinic", END, 7_000_000)
    return done


def only(done: list[Transaction | SchemaChange]) -> Transaction:
    """The one transaction that is complete."""
    (found,) = done
    assert isinstance(found, Transaction)
    return found


def test_xid_ends_a_transaction(assembler: TransactionAssembler) -> None:
    """InnoDB: BEGIN, rows, XID."""
    first, second = row_event(INNODB, b"one"), row_event(MYISAM, b"four")
    assembler.start("uuid:5", 1_234_567, explicit=False)
    assert said(assembler, "BEGIN") == []
    assert assembler.open
    assembler.rows(first)
    assembler.rows(second)
    assert only(assembler.xid(END, 7_000_000)) == Transaction("uuid:5", 1_234_567, END, (first, second), 7)
    assert not assembler.open


def test_commit_ends_a_transaction(assembler: TransactionAssembler) -> None:
    """MyISAM sends no XID; without a GTID's time the event's own is taken."""
    event = row_event(MYISAM)
    said(assembler, "BEGIN")
    assembler.rows(event)
    assert only(said(assembler, "COMMIT")) == Transaction("", 7_000_000, END, (event,), 3)


def test_rollback_keeps_what_cannot_be_rolled_back(assembler: TransactionAssembler) -> None:
    """The group is in the binlog because MyISAM rows are in it; those are real."""
    lost, real = row_event(INNODB), row_event(MYISAM, b"real")
    said(assembler, "BEGIN")
    for event in (lost, real, lost):
        assembler.rows(event)
    found = only(said(assembler, "ROLLBACK"))
    assert (found.events, found.size) == ((real,), 4)


def test_an_empty_transaction_moves_the_position(assembler: TransactionAssembler) -> None:
    """Its GTID counts as executed."""
    assembler.start("0-1-5", 0, explicit=True)
    assert only(said(assembler, "COMMIT")) == Transaction("0-1-5", 7_000_000, END, (), 0)


def savepoints(assembler: TransactionAssembler, *steps: str | RowEvent) -> tuple[RowEvent, ...]:
    """The events of a transaction with these steps."""
    said(assembler, "BEGIN")
    for step in steps:
        if isinstance(step, str):
            assert said(assembler, step) == []
        else:
            assembler.rows(step)
    return only(assembler.xid(END, 0)).events


A, B, C = (row_event(INNODB, name) for name in (b"a", b"b", b"c"))
M = row_event(MYISAM, b"m")


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ((A, "SAVEPOINT x", B, "ROLLBACK TO x", C), (A, C)),
        ((A, "SAVEPOINT `x`", B, M, "ROLLBACK TO SAVEPOINT X", C), (A, M, C)),
        ((A, "SAVEPOINT x", B, "ROLLBACK WORK TO x"), (A,)),
        (("SAVEPOINT x", A, "SAVEPOINT y", B, "ROLLBACK TO x", C), (C,)),
        (("SAVEPOINT x", A, "SAVEPOINT y", B, "ROLLBACK TO y", C), (A, C)),
        (("SAVEPOINT x", A, "SAVEPOINT x", B, "ROLLBACK TO x"), (A,)),
        ((A, "SAVEPOINT x", M, "ROLLBACK TO x", B, "ROLLBACK TO x", C), (A, M, C)),
        ((A, "SAVEPOINT x", B, "RELEASE SAVEPOINT x"), (A, B)),
    ],
)
def test_savepoints_undo_what_came_after(
    assembler: TransactionAssembler, steps: tuple[str | RowEvent, ...], kept: tuple[RowEvent, ...]
) -> None:
    """With rows that cannot be rolled back in the group, both stand in the binlog."""
    assert savepoints(assembler, *steps) == kept


def test_a_rollback_to_an_unknown_savepoint_stops(assembler: TransactionAssembler) -> None:
    """To undo everything, or nothing, would be a guess."""
    said(assembler, "BEGIN", "SAVEPOINT x")
    with pytest.raises(StreamStopped, match="unknown savepoint"):
        said(assembler, "ROLLBACK TO y")


def test_savepoints_end_with_their_transaction(assembler: TransactionAssembler) -> None:
    """A name of an earlier one is unknown."""
    said(assembler, "BEGIN", "SAVEPOINT x", "COMMIT", "BEGIN")
    with pytest.raises(StreamStopped, match="unknown savepoint"):
        said(assembler, "ROLLBACK TO x")


def test_ddl_stands_alone(assembler: TransactionAssembler) -> None:
    """MariaDB: a standalone GTID and one QUERY event."""
    assembler.start("0-1-9", 0, explicit=False)
    text = "ALTER TABLE patient ADD a INT"
    assert said(assembler, text) == [SchemaChange(text, "clinic", "0-1-9", 7_000_000, END)]
    assert not assembler.open


def test_ddl_inside_a_group_comes_before_its_rows(assembler: TransactionAssembler) -> None:
    """CREATE TABLE ... SELECT: one transaction, whose rows need the table."""
    text = "CREATE TABLE copy (a INT) START TRANSACTION"
    assembler.start("uuid:6", 1_000_000, explicit=False)
    assert said(assembler, "BEGIN", text) == []
    event = row_event(INNODB)
    assembler.rows(event)
    change, transaction = assembler.xid(END, 0)
    assert change == SchemaChange(text, "clinic", "uuid:6", 1_000_000, END)
    assert transaction == Transaction("uuid:6", 1_000_000, END, (event,), 3)


def test_ddl_ends_a_group_that_nothing_else_ended(assembler: TransactionAssembler) -> None:
    """Its rows are committed by it, and are not lost."""
    event = row_event(MYISAM)
    assembler.rows(event)
    transaction, change = said(assembler, "DROP TABLE visit")
    assert isinstance(transaction, Transaction)
    assert transaction.events == (event,)
    assert isinstance(change, SchemaChange)
    assert not assembler.open


def test_a_change_in_statement_format_names_what_it_touches(assembler: TransactionAssembler) -> None:
    """Alone, or among others in a group."""
    assert "patient" in (only(said(assembler, "DELETE FROM Patient")).statement_names or ())
    found = only(said(assembler, "BEGIN", "DELETE FROM a", "UPDATE b SET c = 1", "COMMIT")).statement_names
    assert found is not None
    assert found >= {"a", "b", "c"}


@pytest.mark.parametrize("text", ["DELETE FROM a WHERE b = 'open", "SELECT discharge(5)", "DO tidy()"])
def test_a_change_in_statement_format_that_may_touch_anything_says_so(
    assembler: TransactionAssembler, text: str
) -> None:
    """Another statement of the group does not hide it."""
    assert only(said(assembler, text)).statement_names is None
    assert only(said(assembler, "BEGIN", text, "DELETE FROM a", "COMMIT")).statement_names is None


def test_rows_alone_name_nothing(assembler: TransactionAssembler) -> None:
    """Names are for changes without row events only."""
    said(assembler, "BEGIN")
    assembler.rows(row_event(INNODB))
    assert only(assembler.xid(END, 0)).statement_names == frozenset()


def test_harmless_statements_do_not_end_a_group(assembler: TransactionAssembler) -> None:
    """Alone they only move the position."""
    event = row_event(INNODB)
    said(assembler, "BEGIN")
    assembler.rows(event)
    assert said(assembler, "SET PASSWORD FOR u = 'x'", "# dummy") == []
    assert only(assembler.xid(END, 0)).events == (event,)
    assert only(said(assembler, "GRANT ALL ON *.* TO u")).events == ()


def test_xa_stops_the_stream(assembler: TransactionAssembler) -> None:
    """Prepared rows would be read as committed."""
    with pytest.raises(StreamStopped, match="XA"):
        said(assembler, "XA START 'a'")


@pytest.mark.parametrize("how", ["explicit", "begin", "rows"])
def test_a_new_start_while_one_is_open_stops(assembler: TransactionAssembler, how: str) -> None:
    """An end event was lost; what follows cannot be trusted."""
    assembler.start("uuid:1", 0, explicit=how == "explicit")
    if how == "begin":
        said(assembler, "BEGIN")
    if how == "rows":
        assembler.rows(row_event(INNODB))
    with pytest.raises(StreamStopped, match="before the last one's end"):
        assembler.start("uuid:2", 0, explicit=False)


def test_a_transaction_that_a_crash_cut_off_is_discarded(assembler: TransactionAssembler) -> None:
    """A new binlog file begins: the server rolled it back when it recovered."""
    said(assembler, "BEGIN", "DELETE FROM a")
    assembler.rows(row_event(INNODB))
    assembler.discard()
    assert not assembler.open
    assembler.start("uuid:2", 0, explicit=False)
    found = only(said(assembler, "BEGIN", "COMMIT"))
    assert (found.gtid, found.events, found.statement_names) == ("uuid:2", (), frozenset())


def test_nothing_is_carried_over_to_the_next_transaction(assembler: TransactionAssembler) -> None:
    """Neither rows, names, savepoints, schema changes nor the GTID."""
    assembler.start("uuid:1", 5, explicit=True)
    said(assembler, "DELETE FROM a", "CREATE TABLE x (a INT)")
    assembler.rows(row_event(INNODB))
    assert len(assembler.xid(END, 0)) == 2
    assert only(said(assembler, "BEGIN", "COMMIT")) == Transaction("", 7_000_000, END, (), 0)
