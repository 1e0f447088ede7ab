"""How an attempt begins: both ends are opened, the lock is held, and the book is brought up to date.

Everything in memory is rebuilt from the destination here, so that a new attempt after any failure goes
on exactly where the last commit stood.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pymysql.connections import Connection

from rowferry.book import Check, Decision, TableBook, adopt
from rowferry.checkpoint import (
    Checkpoint,
    TableRecord,
    TableStatus,
    create_tracking_tables,
    first_checkpoint,
    forget_tables,
    has_tracking_tables,
    newest_load_id,
    read_checkpoint,
    read_tables,
    save_checkpoint,
    take_epoch,
)
from rowferry.column_settings import reconfigured, unused
from rowferry.destination import Session, run_all, take_lock
from rowferry.destination import connect as connect_destination
from rowferry.errors import ConfigurationError, PositionLost
from rowferry.follower import SourceView
from rowferry.layout_changes import at_start, commit, doubt
from rowferry.load_ids import LoadIds
from rowferry.mysql_catalog import (
    folds_table_names,
    is_gone,
    read_configured,
    selected,
    table_names,
)
from rowferry.mysql_source import (
    SourceServer,
    connect,
    describe_server,
    executed_gtid_set,
    head_position,
)
from rowferry.position import BinlogPosition, MysqlGtidSet
from rowferry.preflight import require_source
from rowferry.quarantine import forget_entries
from rowferry.settings import Settings
from rowferry.standing import Standing, read_standing
from rowferry.table_schema import TableId, TableSchema


@dataclass(slots=True)
class Opened:
    """Both ends, open.

    decisions: what the start did to tables. head: the binlog's end at the start. unused: sections of the
    settings that fit no column of the source.
    """

    settings: Settings
    session: Session
    control: Connection[Any]
    server: SourceServer
    book: TableBook
    checkpoint: Checkpoint
    head: BinlogPosition
    decisions: tuple[Decision, ...]
    view: SourceView
    unused: tuple[str, ...] = ()


@contextmanager
def open_both(settings: Settings) -> Iterator[Opened]:
    """Open both ends and hold the lock; close them at the end.

    Raises Unreachable, ConfigurationError, LockHeld, StreamStopped, PositionLost.
    """
    with ExitStack() as stack:
        session = stack.enter_context(closing(connect_destination(settings.destination)))
        take_lock(session, settings.destination.dataset)
        control = stack.enter_context(connect(settings.source))
        server = describe_server(control)
        require_source(control, server, settings)
        yield _open(settings, session, control, server)


def refuse_if_locked(settings: Settings) -> None:
    """Raise LockHeld if another instance runs on the dataset; Unreachable, ConfigurationError."""
    with closing(connect_destination(settings.destination)) as session:
        take_lock(session, settings.destination.dataset)


def derive_server_id(settings: Settings) -> int:
    """A stable replica id, different for each source database and dataset."""
    if settings.source.server_id is not None:
        return settings.source.server_id
    text = f"{settings.source.database}|{settings.destination.dataset}|{settings.destination.url}"
    return 1_000_000_000 + zlib.crc32(text.encode()) % 3_000_000_000


def _open(settings: Settings, session: Session, control: Connection[Any], server: SourceServer) -> Opened:
    dataset, database = settings.destination.dataset, settings.source.database
    if not has_tracking_tables(session, dataset):
        run_all(session, create_tracking_tables(dataset))
    head = head_position(control, server)
    checkpoint = read_checkpoint(session, dataset)
    if checkpoint is None:
        _require_no_tables(session, dataset)
        checkpoint = _first(session, settings, server, head)
    if checkpoint.position.file:
        require_same_history(checkpoint, control, server, database)
    checkpoint = replace(checkpoint, epoch=take_epoch(session, dataset))
    if not checkpoint.position.file:
        checkpoint = replace(checkpoint, flavor=server.flavor, position=head)
        run_all(session, [save_checkpoint(dataset, checkpoint)])
    book = TableBook(dataset)
    found = read_configured(control, settings)
    unfit = tuple(unused(settings.columns, settings.tables.rename, list(found.values())))
    view = SourceView(
        lambda touched: read_configured(control, settings, touched),
        lambda: table_names(control, database),
        lambda: head_position(control, server),
        settings.schema_rules,
        folds_names=folds_table_names(control),
        is_gone=lambda table: is_gone(control, table),
    )
    decisions = _bring_up_to_date(settings, session, found, book, checkpoint, view)
    return Opened(settings, session, control, server, book, checkpoint, head, decisions, view, unfit)


def _require_no_tables(session: Session, dataset: str) -> None:
    """A dataset without a checkpoint is new, unless tables say that they are copies."""
    if read_tables(session, dataset):
        raise PositionLost(
            "resume",
            f"dataset {dataset}",
            reason="its checkpoint is gone, so nobody knows which changes its tables lack",
            hint="Run `rowferry resync --all`",
        )


def _first(session: Session, settings: Settings, server: SourceServer, head: BinlogPosition) -> Checkpoint:
    """A new checkpoint at the binlog's head, whose load id is above all that rows may carry already.

    Its epoch is above that of an earlier checkpoint which is gone.
    """
    dataset = settings.destination.dataset
    load_id = LoadIds(newest_load_id(session, dataset)).next(time.time_ns() // 1000)
    checkpoint = Checkpoint(
        settings.source.database, server.flavor, head, epoch=int(time.time()), load_id=load_id
    )
    run_all(session, [first_checkpoint(dataset, checkpoint)])
    return checkpoint


def require_same_history(
    checkpoint: Checkpoint, control: Connection[Any], server: SourceServer, database: str
) -> None:
    """Raise ConfigurationError or PositionLost if the dataset does not come from this server's history."""
    where = str(checkpoint.position)
    if checkpoint.source != database:
        raise ConfigurationError(
            "start",
            reason=f"the dataset holds the copy of database {checkpoint.source}, not of {database}",
            hint="Choose another destination.dataset",
        )
    hint = "If the source was replaced or restored, run `rowferry resync --all`"
    if checkpoint.flavor != server.flavor:
        raise PositionLost("resume", where, reason=f"the source is {server.flavor} now", hint=hint)
    gtid_set = checkpoint.position.gtid_set
    if not gtid_set:
        if checkpoint.position.identity != server.identity:
            reason = "the source is another server, and without GTIDs its binlog cannot be compared"
            raise PositionLost("resume", where, reason=reason, hint=hint)
        return
    if not isinstance(gtid_set, MysqlGtidSet) or not server.gtid:
        return
    if not executed_gtid_set(control).covers(gtid_set):
        reason = "the source has not executed transactions that were applied here"
        raise PositionLost("resume", where, reason=reason, hint=hint)


def _bring_up_to_date(
    settings: Settings,
    session: Session,
    found: Mapping[TableId, TableSchema],
    book: TableBook,
    checkpoint: Checkpoint,
    view: SourceView,
) -> tuple[Decision, ...]:
    """What a start does to the tables. found: the catalogue."""
    dataset = settings.destination.dataset
    _require_tables(settings, found)
    records = {r.table.id: r for r in read_tables(session, dataset).values()}
    gone = [t.name for t in records if not selected(t.name, settings.tables)]
    book.records.update({t: r for t, r in records.items() if t.name not in gone})
    head = view.head()
    start = _Start(settings, book, LoadIds(checkpoint.load_id).last, head)
    decisions = [d for r in records.values() if r.table.id in book.records if (d := start.known(r, found))]
    fresh = [found[t] for t in sorted(set(found) - set(book.records))]
    if fresh and not checkpoint.position.reached(head):
        decisions += [start.behind(table) for table in fresh]
    elif fresh:
        standing = read_standing(session, dataset)
        decisions += [start.new(table, standing.get(table.there, Standing())) for table in fresh]
    forgetting = [forget_tables(dataset, gone), forget_entries(dataset, gone)] if gone else []
    made: tuple[Decision, ...] = ()
    if decisions or gone:
        made = commit(session, dataset, decisions, lambda _: forgetting, lambda: head)
    for decision in made:
        book.accept(decision)
    for record in book.with_status(TableStatus.COPYING):
        book.next_generation(record.table.id)
    return made


def _require_tables(settings: Settings, found: Mapping[TableId, TableSchema]) -> None:
    """Refuse to start, before anything is changed, if not one table would be copied."""
    if not found:
        raise ConfigurationError(
            "start",
            f"database {settings.source.database}",
            reason="no table is selected",
            hint="Look at tables.include and tables.exclude",
        )


@dataclass(frozen=True, slots=True)
class _Start:
    """Decides what a start does to a table. head: the binlog's end after the catalogue was read."""

    settings: Settings
    book: TableBook
    load_id: str
    head: BinlogPosition

    def known(self, record: TableRecord, found: Mapping[TableId, TableSchema]) -> Decision | None:
        """A table that has a record; a check of it is noted in the book."""
        settings, table = self.settings, record.table
        holds = settings.schema_rules.changes == "hold"
        wanted = reconfigured(table, settings.columns, settings.tables.rename)
        now = found.get(table.id)
        made = at_start(self.book.dataset, record, now, wanted, self.head, self.load_id, holds=holds)
        if isinstance(made, Check):
            self.book.checks[table.id] = made
            return None
        return made

    def new(self, table: TableSchema, standing: Standing) -> Decision:
        """A table without a record, of which the stream holds nothing that is still to come."""
        return adopt(self.book.dataset, table, standing, self.load_id)

    def behind(self, table: TableSchema) -> Decision:
        """A table without a record, of which the stream may hold older layouts."""
        record = TableRecord(table, TableStatus.COPYING)
        return doubt(self.book.dataset, record, self.head, self.load_id, "new table")
