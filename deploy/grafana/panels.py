"""The parts of the dashboard: panels, rows of them, and where each stands. Knows nothing of Rowferry.

The form is Grafana's dashboard JSON model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

WIDTH: Final = 24
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GOOD, WARN, BAD = "green", "orange", "red"

Step = tuple[float | None, str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. queries: expression and legend. steps: the value from which a colour holds. unit: its id."""

    title: str
    text: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    steps: tuple[Step, ...] = ((None, GOOD),)
    kind: str = "timeseries"
    width: int = 8
    height: int = 7
    stacked: bool = False
    names: bool = False

    def render(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel as Grafana has it, with its id and place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.text,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": list(self._targets()),
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
        }

    def _targets(self) -> Iterator[dict[str, Any]]:
        for letter, (expression, legend) in zip("ABCDEF", self.queries, strict=False):
            yield {
                "refId": letter,
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": self.kind == "stat",
                "range": self.kind != "stat",
            }

    def _defaults(self) -> dict[str, Any]:
        steps = [{"value": value, "color": colour} for value, colour in self.steps]
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": "thresholds" if self.kind == "stat" else "palette-classic"},
        }
        if self.kind == "timeseries":
            defaults["custom"] = {
                "fillOpacity": 10,
                "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if len(self.steps) > 1 else "off"},
            }
        return defaults

    def _options(self) -> dict[str, Any]:
        if self.kind == "stat":
            return {
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "colorMode": "background",
                "graphMode": "none",
                "textMode": "name" if self.names else "auto",
            }
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with its panels."""

    title: str
    panels: tuple[Panel, ...]


def placed(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    """Headings and panels from left to right and from top to bottom."""
    numbers, y = count(1), 0
    for row in rows:
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        heading = {"type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        yield {"id": next(numbers), **heading}
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            yield panel.render(next(numbers), x, y)
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
