"""`rowferry verify` as a command: its connections, who carries the stream meanwhile, and its output.

While a daemon runs, the command only reads. If none runs, the pipeline runs in a thread of this process
until the tables are judged.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any, Final

from rowferry.changes import Statement
from rowferry.checksum_there import SESSION
from rowferry.destination import connect as connect_destination
from rowferry.destination import run_all
from rowferry.errors import ExitCode, LockHeld, RowferryError
from rowferry.judging import Kind
from rowferry.mysql_source import connect, connect_for_copy, describe_server
from rowferry.pipeline import Pipeline
from rowferry.repair import repair
from rowferry.settings import LISTEN_OFF, Settings
from rowferry.startup import refuse_if_locked
from rowferry.verify import Stream, TableResult, Verifier, require_copy

KEYS_SHOWN: Final = 20
_JOIN_SECONDS: Final = 60.0


def verify_tables(
    settings: Settings,
    tables: Sequence[str],
    progress: Callable[[str, int], None],
    *,
    mend: bool = False,
) -> list[TableResult]:
    """Compare tables, or all of them, with their copies. progress: told of a table and rows read so far.

    mend: have the rows that differ repaired, and compare those tables again. Raises RowferryError.
    """
    dataset = settings.destination.dataset
    with ExitStack() as stack:
        session = stack.enter_context(closing(connect_destination(settings.destination)))
        require_copy(session, dataset)
        run_all(session, [Statement(text) for text in SESSION])
        control = stack.enter_context(connect(settings.source))
        rows = stack.enter_context(connect_for_copy(settings.source))
        alive = stack.enter_context(_carried(settings))
        stream = Stream(settings, control, describe_server(control), session, alive)
        verifier = Verifier(settings, rows, session, stream, progress)
        results = verifier.verify(tables)
        differing = {r.table: len(r.differences) for r in results if r.differences}
        if not mend or not differing:
            return results
        for result in results:
            if result.differences:
                repair(session, dataset, result.table, result.differences, alive)
        again = {r.table: r for r in verifier.verify(list(differing))}
        mended = {name: replace(r, repaired=differing[name]) for name, r in again.items()}
        return [mended.get(r.table, r) for r in results]


@contextmanager
def _carried(settings: Settings) -> Iterator[Callable[[], None]]:
    """Have somebody move the checkpoint; a function that raises if it is this process and it has failed."""
    try:
        refuse_if_locked(settings)
    except LockHeld:
        yield lambda: None
        return
    quiet = settings.model_copy(update={"http": settings.http.model_copy(update={"listen": LISTEN_OFF})})
    own = _OwnPipeline(Pipeline(quiet))
    own.start()
    try:
        yield own.require_alive
    finally:
        own.end()


class _OwnPipeline:
    """The pipeline in a thread."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._error: RowferryError | None = None
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def require_alive(self) -> None:
        """Raise what ended the pipeline."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        self._pipeline.stop()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self._pipeline.run()
        except RowferryError as error:
            self._error = error


def exit_code(results: Sequence[TableResult]) -> ExitCode:
    """3 if anything differs, 1 if something could not be verified."""
    if any(r.verdict == "different" for r in results):
        return ExitCode.DIFFERENCES
    return ExitCode.FAILURE if any(r.problem for r in results) else ExitCode.DONE


def results_as_json(results: Sequence[TableResult]) -> str:
    """For programs: every key."""
    return json.dumps({"tables": [_document(r) for r in results]}, indent=2, ensure_ascii=False)


def _document(result: TableResult) -> dict[str, Any]:
    keys = {kind.value: [list(key) for key in result.keys(kind)] for kind in Kind}
    return {
        "table": result.table,
        "result": result.verdict,
        "rows": result.rows,
        **keys,
        "repaired": result.repaired,
        "unsettled": result.unsettled,
        "problem": result.problem,
    }


def render_results(results: Sequence[TableResult]) -> str:
    """For people: a line for each table, its first keys, and what mends it."""
    lines = [line for result in results for line in _lines(result)]
    if any(r.differences and not r.repaired for r in results):
        lines.append("`rowferry verify --repair` mends the rows that differ")
    if any(r.differences and r.repaired for r in results):
        lines.append("rows that were repaired differ again: does something in Postgres change them?")
    return "\n".join(lines)


def _lines(result: TableResult) -> Iterator[str]:
    counts = ", ".join(f"{len(result.keys(kind))} {kind.value}" for kind in Kind)
    verdict = counts if result.differences else result.verdict
    verdict += ", but has no key by which to name its rows" if result.nameless else ""
    detail = f" ({result.rows:,} rows)" if result.verdict != "not verified" else ""
    mended = f", after {result.repaired} were repaired" if result.repaired else ""
    yield f"{result.table}: {verdict}{detail}{mended}"
    if result.problem:
        yield f"    {result.problem} (`rowferry schema {result.table}` may say more)"
    if result.nameless:
        yield f"    `rowferry resync {result.table}` mends it"
    if result.unsettled:
        yield f"    {result.unsettled} rows change too fast to be compared"
    for kind in Kind:
        keys = result.keys(kind)
        for key in keys[:KEYS_SHOWN]:
            yield f"    {kind.value}: {', '.join(key)}"
        if len(keys) > KEYS_SHOWN:
            yield f"    ... and {len(keys) - KEYS_SHOWN} more {kind.value} (--json names all)"
