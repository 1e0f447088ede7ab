"""What each path of the HTTP server answers: the board's words, for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from rowferry import __version__
from rowferry.board import Board
from rowferry.page import About, render_page
from rowferry.page_style import POLICY
from rowferry.readiness import Readiness, readiness
from rowferry.settings import Settings
from rowferry.status_server import Answer, Endpoint, Query, as_json, as_text


def endpoints(board: Board, settings: Settings) -> Mapping[str, Endpoint]:
    """The server's endpoints by their paths."""
    ready_flags = ("verbose", "standby=ok", "tables=all")
    return {
        "/": Endpoint(partial(_page, board, settings), ("refresh=off",)),
        "/metrics": Endpoint(partial(_metrics, board)),
        "/livez": Endpoint(partial(_livez, board)),
        "/readyz": Endpoint(partial(_readyz, board, settings), ready_flags),
        "/status": Endpoint(lambda _: as_json(200, {"version": __version__, **board.status()})),
    }


def _metrics(board: Board, _query: Query) -> Answer:
    return Answer(200, "text/plain; version=0.0.4; charset=utf-8", board.render_metrics())


def _livez(board: Board, _query: Query) -> Answer:
    return as_text(200, "ok") if board.alive() else as_text(503, "stalled")


def _readyz(board: Board, settings: Settings, query: Query) -> Answer:
    found = _readiness(board.status(), settings, query)
    return as_text(200 if found.ready else 503, found.verbose() if "verbose" in query else found.line())


def _readiness(status: Mapping[str, Any], settings: Settings, query: Query) -> Readiness:
    return readiness(
        status["state"],
        error=status["error"] or "",
        tables=status["tables"],
        lag=status["replication_lag_seconds"],
        most_lag=settings.http.ready_lag_seconds,
        every_table="tables=all" in query,
        standby_is_ready="standby=ok" in query,
    )


def _page(board: Board, settings: Settings, query: Query) -> Answer:
    there = settings.destination
    about = About(
        version=__version__,
        source=f"{settings.source.host}:{settings.source.port}, database {settings.source.database}",
        destination=f"{there.host}:{there.port}, database {there.database}, schema {there.dataset}",
        alive=board.alive(),
        refresh_seconds=None if "refresh=off" in query else 5,
    )
    page = render_page(board.status(), board.lag_history(), about, datetime.now().astimezone())
    return Answer(200, "text/html; charset=utf-8", page.encode(), POLICY)
