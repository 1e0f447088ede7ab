"""`rowferry check`: asks both servers and this machine, and says what mends each point.

A side that cannot be reached is a failing point of its own; the others are looked at all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from pymysql.connections import Connection

from rowferry.check_dataset import check_position, check_tables_here, lock_finding, table_names_here
from rowferry.check_destination import can_look, check_destination
from rowferry.check_grants import all_ok, check_excess, database_pattern, may_monitor, text_literal
from rowferry.check_host import check_host
from rowferry.check_server import check_server
from rowferry.check_source import check_binlog_files
from rowferry.check_tables import check_tables
from rowferry.destination import Session
from rowferry.destination import connect as connect_destination
from rowferry.errors import ConfigurationError, ExitCode, RowferryError
from rowferry.findings import DESTINATION, FAILURE, FILE, SOURCE, WARNING, Finding, Where
from rowferry.mysql_catalog import read_configured
from rowferry.mysql_source import SourceServer, connect, describe_server
from rowferry.preflight import check_source
from rowferry.settings import Settings


@dataclass(slots=True)
class Report:
    """What was found. errors: why a side could not be looked at. server: the source, if it answered.

    at_work: whether a daemon holds the dataset's lock.
    """

    findings: list[Finding] = field(default_factory=list)
    errors: list[RowferryError] = field(default_factory=list)
    server: SourceServer | None = None
    at_work: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """0 if the daemon can start, 1 if not; the error's own if a side could not be looked at."""
        codes = [e.exit_code for e in self.errors]
        if codes:
            return ExitCode.UNREACHABLE if ExitCode.UNREACHABLE in codes else codes[0]
        return ExitCode.DONE if all_ok(self.findings) else ExitCode.FAILURE


def look_at_all(settings: Settings) -> Report:
    """Every point. Raises nothing for a server that cannot be reached or refuses the account."""
    report = Report()
    with ExitStack() as stack:
        control = _open_source(settings, report, stack)
        session = _open_destination(settings, report, stack)
        if control is not None:
            _guard(report, "source", lambda: _source(control, settings, report))
        if session is not None:
            _guard(report, "destination", lambda: _destination(session, control, settings, report))
        report.findings += check_host(settings, at_work=report.at_work)
    return report


def _open_source(settings: Settings, report: Report, stack: ExitStack) -> Connection[Any] | None:
    try:
        control: Connection[Any] = stack.enter_context(connect(settings.source))
        report.server = describe_server(control)
    except RowferryError as error:
        _note(report, "source connection", error, _source_account(settings), SOURCE)
        return None
    return control


def _open_destination(settings: Settings, report: Report, stack: ExitStack) -> Session | None:
    try:
        return stack.enter_context(closing(connect_destination(settings.destination)))
    except RowferryError as error:
        _note(report, "destination connection", error, (), DESTINATION)
        return None


def _note(
    report: Report, point: str, error: RowferryError, sql: tuple[str, ...], where: Where = FILE
) -> None:
    denied = isinstance(error, ConfigurationError)
    remedy = error.hint or "start the server, or mend its address in the settings; look at firewalls"
    detail = f"{error.obj}: {error.reason}" if error.obj else error.reason
    report.errors.append(error)
    report.findings.append(Finding(point, FAILURE, detail, remedy, sql if denied else (), where=where))


def _source_account(settings: Settings) -> tuple[str, ...]:
    """For an administrator whose account is refused: how it would be made, as comments."""
    account = f"{text_literal(settings.source.user)}@'%'"
    database = database_pattern(settings.source.database)
    return (
        f"-- CREATE USER {account} IDENTIFIED BY 'choose a password';",
        f"-- GRANT SELECT ON {database}.* TO {account};",
        f"-- GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {account};",
    )


def _guard(report: Report, side: Where, work: Callable[[], None]) -> None:
    """Do the work; an error of the side becomes a failing point."""
    try:
        work()
    except RowferryError as error:
        _note(report, f"{side} answers", error, (), side)


def _source(control: Connection[Any], settings: Settings, report: Report) -> None:
    server = report.server or describe_server(control)
    report.findings += check_source(control, server, settings)
    report.findings += check_excess(control)
    may_ask = _may_ask(control, report)
    report.findings += check_binlog_files(control, server, may_ask=may_ask)
    report.findings += check_server(control, server, settings)
    report.findings += check_tables(control, settings)


def _may_ask(control: Connection[Any], report: Report) -> bool:
    """Whether there are binlog files and the account may ask for them."""
    return any(f.point == "log_bin" and f.ok for f in report.findings) and may_monitor(control)


def _destination(
    session: Session, control: Connection[Any] | None, settings: Settings, report: Report
) -> None:
    dataset = settings.destination.dataset
    visible = can_look(session, dataset)
    names = set(table_names_here(session, dataset)) if visible else set()
    if control is not None:
        names |= {table.there for table in read_configured(control, settings).values()}
    report.findings += check_destination(session, settings, names)
    finding, report.at_work = lock_finding(session, dataset)
    report.findings.append(finding)
    report.findings += check_tables_here(session, dataset) if visible else ()
    if visible and control is not None and report.server is not None:
        may_ask = _may_ask(control, report)
        report.findings += check_position(session, control, report.server, settings, may_ask=may_ask)


def render_findings(report: Report) -> str:
    """For people: a line for each point, and below it what mends it."""
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.level:8}{finding.point}: {finding.detail}")
        lines += [f"{'':8}  -> {text}" for text in (finding.remedy, *finding.sql) if text]
        if finding.config:
            last = "needed" if finding.needs_restart else "so that it lasts"
            lines.append(f"{'':8}  -> under [mysqld], {last}: {', '.join(finding.config)}")
    counts = {level: sum(f.level == level for f in report.findings) for level in (FAILURE, WARNING)}
    words = ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items() if n)
    lines.append(f"{len(report.findings)} points: {words or 'all is well'}")
    if any(f.sql for f in report.findings):
        lines.append("`rowferry check --fix-script` prints the SQL for an administrator")
    return "\n".join(lines)


def findings_as_json(report: Report) -> str:
    """For programs: a list of points, each with all its fields."""
    return json.dumps([f.to_json() for f in report.findings], indent=2)


def fix_script(report: Report, settings: Settings, part: str) -> str:
    """The SQL that mends what SQL can mend. part: both (to be read), source or destination (to be run)."""
    lines = ["-- What mends the points that `rowferry check` found. Read it before you run it."]
    if part in ("both", "source"):
        lines += _source_part(report, settings)
    if part in ("both", "destination"):
        lines += _destination_part(report, settings)
    return "\n".join(lines)


def _source_part(report: Report, settings: Settings) -> Iterator[str]:
    server = report.server
    words = server.version_text if server else "which could not be asked"
    address = f"-h {settings.source.host} -P {settings.source.port}"
    yield ""
    yield f"-- Source ({words}): run this as its administrator, for instance"
    yield f"--   rowferry check --fix-script source | mysql {address} -u root -p"
    mending = [f for f in report.findings if f.where == SOURCE and f.level in (FAILURE, WARNING)]
    yield from _statements(mending)
    config = [line for f in mending for line in f.config]
    if config:
        yield "-- In the server's configuration (my.cnf, my.ini), under [mysqld], so that it lasts:"
        yield from (f"--   {line}" for line in dict.fromkeys(config))
    for finding in mending:
        if finding.needs_restart:
            yield f"-- {_comment(finding.point)} needs this change and a restart of the server."
    if any(f.point.startswith("binlog_") and f.sql for f in mending):
        yield "-- Sessions that are connected keep the old values: have the programs connect anew."


def _destination_part(report: Report, settings: Settings) -> Iterator[str]:
    there = settings.destination
    yield ""
    yield "-- Destination: run this as a superuser of Postgres, in the database of the copy, for instance"
    yield (
        "--   rowferry check --fix-script destination |"
        f" psql -h {there.host} -p {there.port} -U postgres {there.database}"
    )
    yield from _statements(
        [f for f in report.findings if f.where == DESTINATION and f.level in (FAILURE, WARNING)]
    )


def _statements(findings: Sequence[Finding]) -> Iterator[str]:
    if not any(f.sql for f in findings):
        yield "-- Nothing here that SQL can mend."
    for finding in findings:
        yield f"-- {finding.level}: {_comment(finding.point)}: {_comment(finding.detail)}"
        yield from finding.sql or (f"--   {_comment(finding.remedy)}",)


def _comment(text: str) -> str:
    """A text that stays in its comment."""
    return " ".join(text.split())
