"""The command line: its commands, their options, and what a user sees when one fails.

Data goes to stdout, messages to stderr. A user's mistake is one line, never a traceback. Each command imports
what it needs when it runs: to import everything takes longer than most commands.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowferry import __version__, terminal
from rowferry.errors import ExitCode, RowferryError, UsageError

if TYPE_CHECKING:
    from rowferry.settings import Settings

INIT_OPTIONS = {
    "name": "clinic",
    "server": "mariadb:10.5",
    "source_host": "127.0.0.1",
    "source_port": "3306",
    "source_database": "opendental",
    "source_account": "rowferry",
    "account_host": "%",
    "opendental": "yes",
    "destination_host": "127.0.0.1",
    "destination_port": "5432",
    "destination_database": "analytics",
    "destination_account": "rowferry",
    "dataset": "raw",
}
"""Keys and defaults of `init_answers.QUESTIONS`, which are imported only when they are asked."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.command is _init:
            return int(_init(options))
        from rowferry import logs
        from rowferry.settings import load_settings, parse_overrides

        settings = load_settings(parse_overrides(options.set), options.config)
        logs.configure(settings.log, source=settings.source.database, dataset=settings.destination.dataset)
        command: Callable[[Settings, argparse.Namespace], ExitCode] = options.command
        return int(command(settings, options))
    except RowferryError as error:
        from rowferry.logs import fault_mark

        print(f"{fault_mark()}rowferry: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return int(ExitCode.FAILURE)


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="FILE", help="a rowferry.toml")
    common.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, for instance source.url=mysql://reader@db/clinic (repeatable)",
    )
    made = argparse.ArgumentParser(
        prog="rowferry",
        description="Keeps PostgreSQL an exact, fresh copy of a MySQL or MariaDB database.",
        epilog="Settings: command line > environment (ROWFERRY_SOURCE__URL) > .env > secrets directory"
        " > rowferry.toml. Exit codes: 0 done, 1 failure, 2 usage, 3 differences found,"
        " 69 unreachable, 75 another instance holds the lock, 78 configuration.",
    )
    made.add_argument("--version", action="version", version=f"rowferry {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands, common)
    check = commands.add_parser("check", parents=[common], help="test all that is needed of both servers")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.add_argument(
        "--fix-script",
        nargs="?",
        const="both",
        choices=("both", "source", "destination"),
        help="print the SQL for the administrator of the source, of the destination, or of both",
    )
    check.set_defaults(command=_check)
    _add_init(commands)
    _add_status(commands, common)
    _add_schema(commands, common)
    again = commands.add_parser(
        "resync", parents=[common], help="copy tables again, in place: the recovery command"
    )
    again.add_argument("tables", nargs="*", metavar="TABLE", help="names of tables")
    again.add_argument("--all", action="store_true", help="all tables; asks before it begins")
    again.add_argument("--dry-run", action="store_true", help="say what would happen, and end")
    again.add_argument("--yes", action="store_true", help="do not ask")
    again.set_defaults(command=_resync)
    verify = commands.add_parser("verify", parents=[common], help="compare tables with their copies, live")
    verify.add_argument("tables", nargs="*", metavar="TABLE", help="names of tables; none means all")
    verify.add_argument("--json", action="store_true", help="print JSON, with every key that differs")
    verify.add_argument("--repair", action="store_true", help="mend the rows that differ, and compare again")
    verify.set_defaults(command=_verify)
    _add_quarantine(commands, common)
    _add_health(commands, common)
    config = commands.add_parser("config", parents=[common], help="show the settings in force")
    config.add_argument("--json", action="store_true", help="print JSON")
    config.set_defaults(command=_config)
    return made


def _add_run(commands: Any, common: argparse.ArgumentParser) -> None:
    run = commands.add_parser("run", parents=[common], help="copy, then keep the copy equal")
    run.add_argument(
        "--until-caught-up",
        action="store_true",
        help="stop with 0 once every table is in step with the source as of the start",
    )
    run.add_argument(
        "--standby",
        action="store_true",
        help="while another instance works on the dataset, wait, and take over when it ends",
    )
    run.set_defaults(command=_run)


def _add_init(commands: Any) -> None:
    init = commands.add_parser(
        "init",
        help="ask a few questions; write rowferry.toml, the SQL for both servers and the unit's drop-in",
    )
    init.add_argument("directory", nargs="?", type=Path, default=Path(), metavar="DIRECTORY")
    init.add_argument("--yes", action="store_true", help="take the default of what is not given")
    init.add_argument("--force", action="store_true", help="overwrite files that are there")
    for key, default in INIT_OPTIONS.items():
        shown = default.replace("%", "%%")
        init.add_argument(f"--{key.replace('_', '-')}", metavar="ANSWER", help=f"by default {shown}")
    init.set_defaults(command=_init)


def _add_health(commands: Any, common: argparse.ArgumentParser) -> None:
    health = commands.add_parser(
        "health",
        parents=[common],
        help="ask the daemon on this machine, by HTTP, whether it works",
        epilog="0 if it says so, 1 if it does not, or does not answer.",
    )
    health.add_argument("--ready", action="store_true", help="ask /readyz (changes flow) instead of /livez")
    health.set_defaults(command=_health)


def _add_status(commands: Any, common: argparse.ArgumentParser) -> None:
    status = commands.add_parser(
        "status",
        parents=[common],
        help="show the tables and how fresh they are",
        epilog="With --wait-for: 0 once Postgres has reached the position and no table is being copied (then"
        " the status is shown), 1 when the time is over or a table is stopped or held (the error names it and"
        " the way out), 2 for a position that cannot be.",
    )
    status.add_argument("--json", action="store_true", help="print JSON")
    status.add_argument(
        "--wait-for",
        metavar="POSITION",
        help="first wait until Postgres is that far: now (the source's present binlog head),"
        " FILE:OFFSET as in binlog.000003:4711, or a GTID (UUID:5 on MySQL, 0-1-5 on MariaDB)",
    )
    status.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer (default: no limit)")
    status.set_defaults(command=_status)


def _add_schema(commands: Any, common: argparse.ArgumentParser) -> None:
    schema = commands.add_parser(
        "schema",
        parents=[common],
        help="show the destination's DDL and what differs; plan statements; apply held changes",
    )
    schema.add_argument(
        "tables",
        nargs="*",
        metavar="TABLE",
        help="names of tables; none means all; `apply TABLE ...` lets tables go on that are held",
    )
    schema.add_argument(
        "--plan", metavar="DDL", help="show what these statements would do; - reads them from stdin"
    )
    schema.add_argument("--json", action="store_true", help="print JSON")
    schema.set_defaults(command=_schema)


def _add_quarantine(commands: Any, common: argparse.ArgumentParser) -> None:
    quarantine = commands.add_parser("quarantine", help="rows that cannot be carried and are set aside")
    actions = quarantine.add_subparsers(required=True, metavar="ACTION")
    shown = actions.add_parser("list", parents=[common], help="show them: key, column, reason, position")
    shown.add_argument("tables", nargs="*", metavar="TABLE", help="names of tables; none means all")
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.set_defaults(command=_quarantine_list)
    retry = actions.add_parser(
        "retry", parents=[common], help="read them from the source again, and catch up (daemon stopped)"
    )
    retry.add_argument("tables", nargs="*", metavar="TABLE", help="names of tables; none means all")
    retry.set_defaults(command=_quarantine_retry)
    drop = actions.add_parser("drop", parents=[common], help="forget them: their rows stay out of the copy")
    drop.add_argument("tables", nargs="*", metavar="TABLE", help="names of tables")
    drop.add_argument("--all", action="store_true", help="of all tables")
    drop.set_defaults(command=_quarantine_drop)


def _run(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.pipeline import Pipeline

    if options.standby and options.until_caught_up:
        raise UsageError("run", reason="--standby and --until-caught-up do not go together")
    return Pipeline(settings, until_caught_up=options.until_caught_up, standby=options.standby).run()


def _check(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.check_command import findings_as_json, fix_script, look_at_all, render_findings

    report = look_at_all(settings)
    if options.fix_script:
        print(fix_script(report, settings, options.fix_script))
    else:
        print(findings_as_json(report) if options.json else render_findings(report))
    for error in report.errors[:1]:
        print(f"rowferry: {error}", file=sys.stderr)
    return report.exit_code


def _init(options: argparse.Namespace) -> ExitCode:
    from rowferry.init_command import init

    def ask(text: str) -> str:
        print(text, end="", file=sys.stderr, flush=True)
        typed = sys.stdin.readline()
        if not typed:
            raise UsageError("prepare the files", reason="the answers ended early; nothing was written")
        return typed

    given = {key: getattr(options, key) for key in INIT_OPTIONS}
    print(
        init(
            options.directory.absolute(),
            given,
            force=options.force,
            defaults=options.yes,
            ask=ask if sys.stdin.isatty() else None,
            say=lambda text: print(text, file=sys.stderr),
        )
    )
    return ExitCode.DONE


def _status(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.destination import connect as connect_destination
    from rowferry.status import read_status, render_status

    if options.wait_for is not None:
        from rowferry.waiting import wait_for

        wait_for(settings, options.wait_for, options.timeout, lambda text: print(text, file=sys.stderr))
    elif options.timeout is not None:
        raise UsageError("show the status", reason="--timeout goes with --wait-for")
    with closing(connect_destination(settings.destination)) as session:
        document = read_status(session, settings.destination.dataset)
    print(json.dumps(document, indent=2, default=str) if options.json else render_status(document))
    return ExitCode.DONE


def _schema(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.resync_command import apply_changes
    from rowferry.schema_command import as_json, look, render

    if options.plan is not None:
        return _schema_plan(settings, options)
    if options.tables == ["apply"]:
        raise UsageError(
            "apply schema changes", reason="name the tables; `rowferry status` shows which are held"
        )
    if options.tables[:1] == ["apply"]:
        return apply_changes(settings, options.tables[1:])
    found = look(settings, options.tables)
    print(as_json(found) if options.json else render(found))
    return ExitCode.DONE


def _schema_plan(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.schema_plan import plan, plan_as_json, render_plan

    if options.tables:
        raise UsageError("plan", reason="--plan takes no names of tables")
    text = sys.stdin.read() if options.plan == "-" else options.plan
    planned = plan(settings, text)
    print(plan_as_json(planned) if options.json else render_plan(planned))
    return ExitCode.DONE


def _resync(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.resync_command import resync

    if options.all == bool(options.tables):
        raise UsageError("resync", reason="name the tables or give --all, one of the two")
    return resync(settings, options.tables, dry_run=options.dry_run, yes=options.yes)


def _verify(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.verify_command import exit_code, render_results, results_as_json, verify_tables

    results = verify_tables(settings, options.tables, _show_progress, mend=options.repair)
    terminal.stderr.progress("")
    print(results_as_json(results) if options.json else render_results(results))
    return exit_code(results)


def _show_progress(table: str, rows: int) -> None:
    terminal.stderr.progress(f"{table}: {rows:,} rows compared")


def _quarantine_list(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.quarantine_commands import entries_as_json, list_entries, render_entries

    entries = list_entries(settings, options.tables)
    print(entries_as_json(entries) if options.json else render_entries(entries))
    return ExitCode.DONE


def _quarantine_retry(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.pipeline import Pipeline
    from rowferry.quarantine_commands import retry_entries

    result = retry_entries(settings, options.tables)
    print(f"{result.carried} rows carried, {result.gone} gone at the source, {result.left} still set aside")
    code = Pipeline(settings, until_caught_up=True, required=options.tables or None).run()
    return ExitCode.FAILURE if code is ExitCode.DONE and result.left else code


def _quarantine_drop(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.quarantine_commands import drop_entries

    if options.all == bool(options.tables):
        raise UsageError("drop entries", reason="name the tables or give --all, one of the two")
    print(f"{drop_entries(settings, options.tables)} entries dropped")
    return ExitCode.DONE


def _health(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.health import ask

    good, said = ask(settings.http.listen, ready=options.ready)
    print(said, file=sys.stdout if good else sys.stderr)
    return ExitCode.DONE if good else ExitCode.FAILURE


def _config(settings: Settings, options: argparse.Namespace) -> ExitCode:
    from rowferry.settings import describe

    values = describe(settings)
    if options.json:
        print(json.dumps(values, indent=2))
    else:
        for name, value in values.items():
            print(f"{name} = {value}")
    return ExitCode.DONE
