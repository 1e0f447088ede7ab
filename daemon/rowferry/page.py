"""The page for people who have no dashboard: a status document in, HTML out. Pure; every text is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final

from rowferry.happenings import split_remedy
from rowferry.lag_history import LagSample
from rowferry.lag_plot import lag_plot
from rowferry.page_style import STYLE
from rowferry.page_words import (
    TROUBLED,
    Verdict,
    count,
    duration,
    moment,
    rows_set_aside,
    sorted_tables,
    verdict,
)

_MOODS: Final = {"streaming": "good", "copying": "busy", "stopped": "bad", "held": "bad", "dropped": "quiet"}
_ICONS: Final = {"good": "%2317734a", "busy": "%23d08a00", "bad": "%23b3261e"}
_STATES: Final = ("stopped", "held", "copying", "streaming", "dropped")
_MOST_COPIES: Final = 20


@dataclass(frozen=True, slots=True)
class About:
    """What the page says beside the status. source, destination: without account and password.

    alive: whether the run loop moves. refresh_seconds: None: it does not refresh itself.
    """

    version: str
    source: str
    destination: str
    alive: bool
    refresh_seconds: int | None


def render_page(status: Mapping[str, Any], samples: Sequence[LagSample], about: About, now: datetime) -> str:
    """The document. status: as in /status, with times as datetime. now: gives the time zone, too."""
    judged = verdict(status, alive=about.alive)
    body = [
        *_header(status, now),
        *_verdict(judged, status, now),
        f'<section aria-labelledby="lag"><h2 id="lag">Lag, last 15 minutes</h2>{lag_plot(samples)}</section>',
        *_copies(status),
        *_errors(status, now),
        *_tables(status, now),
        *_footer(about),
    ]
    return "\n".join([*_head(judged, status, about), *body, "</div></body></html>", ""])


def _head(judged: Verdict, status: Mapping[str, Any], about: About) -> Iterator[str]:
    icon = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'>"
        f"<circle cx='4.5' cy='4.5' r='4' fill='{_ICONS[judged.mood]}'/></svg>"
    )
    yield '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{escape(judged.word)}: {escape(str(status['database']))} - Rowferry</title>"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    if about.refresh_seconds is not None:
        yield f'<meta http-equiv="refresh" content="{about.refresh_seconds}">'
    yield f'<link rel="icon" href="data:image/svg+xml,{escape(icon)}">'
    yield f'<style>{STYLE}</style></head><body><div class="wrap">'


def _header(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    shown = escape(f"{now:%Y-%m-%d %H:%M:%S} {now.tzname() or ''}")
    yield f"<header><h1>Rowferry: {escape(str(status['database']))}</h1>"
    yield f'<p>as of <time datetime="{now.isoformat()}">{shown}</time></p></header>'


def _verdict(judged: Verdict, status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    yield f'<section class="verdict {judged.mood}" role="status"><p class="word">{escape(judged.word)}</p>'
    yield f'<p class="sentence">{escape(judged.sentence)}</p>'
    if judged.remedy:
        yield f'<p class="remedy">{_code(judged.remedy)}</p>'
    lag, until = status.get("replication_lag_seconds"), status.get("applied_until")
    facts = [
        ("Lag", duration(lag) if lag is not None else "not known"),
        ("Complete as of", moment(until, now) if until else "not known"),
        ("Rows applied", f"{status.get('rows_applied', 0):,}"),
        ("Rows set aside", f"{rows_set_aside(status['tables']):,}"),
        ("Running since", moment(status["started_at"], now)),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    yield f'<dl class="facts">{items}</dl></section>'


def _copies(status: Mapping[str, Any]) -> Iterator[str]:
    running = [t for t in status["tables"] if t["state"] == "copying"]
    if not running:
        return
    copy = status.get("copy") or {}
    told = f"{count(copy.get('rows', 0), 'row', 'rows')} read"
    if copy.get("rows_per_second"):
        told += f", {copy['rows_per_second']:,.0f} a second"
    if copy.get("seconds_left") is not None:
        told += f", about {duration(copy['seconds_left'])} left"
    yield '<section aria-labelledby="copies"><h2 id="copies">Running copies</h2>'
    yield f'<p class="soft">{escape(told)}</p><div class="scroll"><table class="tables"><thead><tr>'
    yield '<th scope="col">Table</th><th scope="col">Progress</th><th scope="col" class="n">Rows read</th>'
    yield '<th scope="col" class="n">of about</th></tr></thead><tbody>'
    for table in sorted(running, key=lambda t: (not t["rows_copied"], -t["rows_expected"]))[:_MOST_COPIES]:
        done, total = table["rows_copied"], table["rows_expected"]
        name = escape(table["table"])
        known = total > done
        value = f' value="{done}" max="{total}"' if known else ""
        yield (
            f'<tr><th scope="row">{name}</th>'
            f'<td><progress{value} aria-label="copy of {name}"></progress></td>'
            f'<td class="n" data-label="read">{done:,}</td>'
            f'<td class="n" data-label="of about">{f"{total:,}" if known else "not known"}</td></tr>'
        )
    yield "</tbody></table></div>"
    if len(running) > _MOST_COPIES:
        yield f'<p class="soft">and {len(running) - _MOST_COPIES} more</p>'
    yield "</section>"


def _errors(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    errors = status.get("last_errors") or []
    yield '<section aria-labelledby="errors"><h2 id="errors">Last errors since the start</h2>'
    if not errors:
        yield '<p class="soft">None.</p></section>'
        return
    yield '<ul class="errors">'
    for each in errors:
        times = (
            f", {each['count']:,} times since {moment(each['first_at'], now)}" if each["count"] > 1 else ""
        )
        table = f"<strong>{escape(each['table'])}</strong>: " if each["table"] else ""
        last = each["last_at"]
        yield (
            f'<li><span class="soft"><time datetime="{last.isoformat()}">{moment(last, now)}</time>'
            f"{times}</span><br>{table}{_code(each['message'])}{_remedy(each['remedy'])}</li>"
        )
    yield "</ul></section>"


def _tables(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    tables: Sequence[Mapping[str, Any]] = status["tables"]
    yield '<section aria-labelledby="tables"><h2 id="tables">Tables</h2>'
    if not tables:
        yield '<p class="soft">Not known until both servers are connected.</p></section>'
        return
    by_state = Counter(t["state"] for t in tables)
    chips = "".join(f"<li>{_chip(s, f'{by_state[s]:,} {s}')}</li>" for s in _STATES if by_state[s])
    yield f'<ul class="chips">{chips}</ul><div class="scroll"><table class="tables"><thead><tr>'
    yield '<th scope="col">Table</th><th scope="col">State</th>'
    for title in ("Rows applied", "Rows copied", "Set aside", "Complete as of"):
        yield f'<th scope="col" class="n">{title}</th>'
    yield "</tr></thead><tbody>"
    for table in sorted_tables(tables):
        yield _row(table, now)
    yield "</tbody></table></div></section>"


def _row(table: Mapping[str, Any], now: datetime) -> str:
    as_of, aside = table["as_of"], table["rows_set_aside"]
    complete = f'<time datetime="{as_of.isoformat()}">{moment(as_of, now)}</time>' if as_of else "not yet"
    cells = [
        f'<tr><th scope="row">{escape(table["table"])}</th><td>{_chip(table["state"], table["state"])}</td>',
        f'<td class="n" data-label="applied">{table["rows_applied"]:,}</td>',
        f'<td class="n" data-label="copied">{table["rows_copied"]:,}</td>',
        f'<td class="n{" warn" if aside else ""}" data-label="set aside">{aside:,}</td>',
        f'<td class="n" data-label="as of">{complete}</td></tr>',
    ]
    if table["error"]:
        message, remedy = split_remedy(table["error"])
        cells.append(f'<tr class="why"><td colspan="6">{_code(message)}{_remedy(remedy)}</td></tr>')
    elif table["state"] in TROUBLED:
        cells.append('<tr class="why"><td colspan="6">The log says why.</td></tr>')
    return "".join(cells)


def _footer(about: About) -> Iterator[str]:
    yield f"<footer><span>Rowferry {escape(about.version)}</span><span>from {escape(about.source)}</span>"
    yield f"<span>to {escape(about.destination)}</span>"
    links = (("/metrics", "metrics"), ("/status", "status as JSON"), ("/readyz?verbose", "readiness"))
    for path, name in links:
        yield f'<a href="{path}">{name}</a>'
    if about.refresh_seconds is not None:
        yield f"<span>refreshes every {about.refresh_seconds} s;"
        yield '<a href="/?refresh=off">hold still</a></span>'
    else:
        yield '<span>does not refresh; <a href="/">refresh</a></span>'
    yield "</footer>"


def _chip(state: str, text: str) -> str:
    return f'<span class="chip {_MOODS.get(state, "busy")}">{escape(text)}</span>'


def _remedy(text: str) -> str:
    return f'<p class="remedy"><strong>What to do:</strong> {_code(text)}</p>' if text else ""


def _code(text: str) -> str:
    """Escaped, with what stands between backquotes as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
