"""The lag of the last minutes as an SVG, on a scale readable from tenths of a second to days. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import Final

from rowferry.lag_history import KEPT_SECONDS, LagSample
from rowferry.page_words import duration

WIDTH: Final = 720
HEIGHT: Final = 220
_LEFT: Final = 88
_RIGHT: Final = 12
_TOP: Final = 16
_BOTTOM: Final = 30
_COLUMN_SECONDS: Final = 3.0
_TICKS: Final = (
    (0.1, "0.1 s"),
    (0.3, "0.3 s"),
    (1.0, "1 s"),
    (3.0, "3 s"),
    (10.0, "10 s"),
    (30.0, "30 s"),
    (60.0, "1 min"),
    (300.0, "5 min"),
    (1_800.0, "30 min"),
    (3_600.0, "1 h"),
    (10_800.0, "3 h"),
    (43_200.0, "12 h"),
    (86_400.0, "1 day"),
    (604_800.0, "7 days"),
    (31_536_000.0, "1 year"),
)
_MOST_LABELS: Final = 6

Run = list[tuple[float, float]]


def lag_plot(samples: Sequence[LagSample]) -> str:
    """An `svg` element, with a title and a description for those who do not see it. Classes style it."""
    known = [s.lag for s in samples if s.lag is not None]
    ticks = _ticks(max(known, default=0.0))
    top = ticks[-1][0]
    parts = [*_horizontal(ticks, top), *_vertical()]
    for run in _runs(samples):
        points = [f"{_x(age):.1f},{_y(lag, top):.1f}" for age, lag in run]
        ends = f"{_x(run[-1][0]):.1f},{HEIGHT - _BOTTOM} {_x(run[0][0]):.1f},{HEIGHT - _BOTTOM}"
        parts.append(f'<polygon class="area" points="{" ".join(points)} {ends}"/>')
        parts.append(f'<polyline class="line" points="{" ".join(points)}"/>')
    if not known:
        parts.append(f'<text class="none" x="{WIDTH // 2}" y="{HEIGHT // 2}">not known yet</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="lag-title lag-desc">'
        '<title id="lag-title">Lag over the last 15 minutes</title>'
        f'<desc id="lag-desc">{_description(known)}</desc>{"".join(parts)}</svg>'
    )


def _description(known: Sequence[float]) -> str:
    if not known:
        return "The lag is not known yet."
    return (
        f"Lowest {duration(min(known))}, highest {duration(max(known))}, newest {duration(known[-1])};"
        " gaps where it was not known. The scale is logarithmic."
    )


def _ticks(most: float) -> list[tuple[float, str]]:
    """From a tenth of a second to the first mark that is no less than all lags, at least to 3 seconds."""
    last = next((n for n, (value, _) in enumerate(_TICKS) if value >= most), len(_TICKS) - 1)
    shown = list(_TICKS[: max(last, 3) + 1])
    while len(shown) > _MOST_LABELS:
        shown = [shown[0], *shown[-1:0:-2][::-1]]
    return shown


def _horizontal(ticks: Sequence[tuple[float, str]], top: float) -> Iterator[str]:
    for value, label in ticks:
        y = _y(value, top)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        text = f"≤{label}" if value == _TICKS[0][0] else label
        yield f'<text class="tick y" x="{_LEFT - 8}" y="{y + 4:.1f}">{text}</text>'


def _vertical() -> Iterator[str]:
    for minutes in (15, 10, 5, 0):
        x = _x(minutes * 60.0)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
        anchor = {15: "start", 0: "end"}.get(minutes, "middle")
        text = {15: "15 min ago", 0: "now"}.get(minutes, f"{minutes} min")
        yield f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{HEIGHT - 7}">{text}</text>'


def _runs(samples: Sequence[LagSample]) -> Iterator[Run]:
    """Unbroken stretches, of a few seconds the greatest lag: a peak is never lost."""
    run: Run = []
    for sample in samples:
        if sample.lag is None:
            if run:
                yield run
            run = []
        elif run and run[-1][0] - sample.age < _COLUMN_SECONDS and len(run) > 1:
            run[-1] = (run[-1][0], max(run[-1][1], sample.lag))
        else:
            run.append((sample.age, sample.lag))
    if run:
        yield run


def _x(age: float) -> float:
    return WIDTH - _RIGHT - min(age, KEPT_SECONDS) / KEPT_SECONDS * (WIDTH - _LEFT - _RIGHT)


def _y(lag: float, top: float) -> float:
    least = _TICKS[0][0]
    share = log(min(max(lag, least), top) / least) / log(top / least)
    return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)
