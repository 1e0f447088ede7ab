"""The files for Prometheus and Grafana fit each other, the runbook and the metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from rowferry import __version__
from rowferry.metrics import Metrics
from rowferry_lab import tools
from rowferry_lab.prometheus import shorten
from tests.conftest import end_without

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy/prometheus"
GRAFANA: Final = ROOT / "deploy/grafana"
RULES: Final = (PROMETHEUS / "rowferry.rules.yml").read_text()
RUNBOOK: Final = (ROOT / "docs/runbook.md").read_text()
DASHBOARD: Final[dict[str, Any]] = json.loads((GRAFANA / "dashboards/rowferry.json").read_text())
PANELS: Final[list[dict[str, Any]]] = DASHBOARD["panels"]
UNITS: Final = {"short", "s", "bytes", "rowsps", "eps", "ops", "percentunit"}


def alerts() -> dict[str, str]:
    """The text of each alert, by name."""
    parts = re.split(r"(?m)^      - alert: ", RULES)[1:]
    return {part.split("\n", 1)[0]: part for part in parts}


def sections() -> dict[str, str]:
    """The text of each section of the runbook, by heading."""
    parts = re.split(r"(?m)^## ", RUNBOOK)[1:]
    return {part.split("\n", 1)[0]: part for part in parts}


def promtool(*arguments: str | Path) -> None:
    """Run promtool; it must end with 0."""
    try:
        program = tools.find("promtool", "prometheus")
    except tools.ToolUnavailable as error:
        end_without(str(error))
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def metric_names() -> set[str]:
    """All names in the exposition, of labels unknown at the start too."""
    text = Metrics(__version__, "clinic").render().decode()
    names = set(re.findall(r"(?m)^# TYPE (\S+) ", text))
    histograms = set(re.findall(r"(?m)^# TYPE (\S+) histogram", text))
    return names | {f"{n}_{end}" for n in histograms for end in ("bucket", "count", "sum")}


def named_in(text: str) -> set[str]:
    """Metrics of the daemon that an expression names."""
    return set(re.findall(r"\b(?:rowferry|process)_[a-z_]+\b", text))


def test_promtool_accepts_the_configuration_and_every_unit_test_passes() -> None:
    """Each alert fires for what it is for, and not for what is near it."""
    promtool("check", "config", PROMETHEUS / "prometheus.yml")
    promtool("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.test.yml")))


def test_every_alert_is_in_a_unit_test_that_expects_it_to_fire() -> None:
    """With the address of its section, which only an alert that fires shows."""
    text = "".join(path.read_text() for path in (PROMETHEUS / "tests").glob("*.test.yml"))
    for name in alerts():
        assert f"runbook_url: docs/runbook.md#{name.lower()}" in text, name


def test_every_alert_has_its_severity_and_its_section_of_the_runbook() -> None:
    """In the order in which a reader looks them up; and no section is without its alert."""
    found = alerts()
    assert list(sections()) == list(found)
    for name, text in found.items():
        assert re.search(r"severity: (page|warning|ticket)\n", text), name
        assert f"runbook_url: docs/runbook.md#{name.lower()}\n" in text, name


def test_every_section_of_the_runbook_leads_a_person_through() -> None:
    """What it means, what is noticed, numbered steps, and when it is over."""
    for name, text in sections().items():
        for part in ("**Means:**", "**The office notices:**", "\n1. "):
            assert part in text, (name, part)
        assert "**Solved when**" in text or "**Call for help** at once" in text, name


def test_alerts_and_panels_name_metrics_that_there_are() -> None:
    """A name that nothing exports is always silent."""
    known = metric_names()
    for name, text in alerts().items():
        assert named_in(text) - known == set(), name
    for panel in PANELS:
        for target in panel.get("targets", ()):
            assert named_in(target["expr"]) - known == set(), panel["title"]


def test_the_dashboard_is_what_the_code_makes() -> None:
    """Who changes the one changes the other."""
    done = subprocess.run(
        [sys.executable, GRAFANA / "dashboard.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout == (GRAFANA / "dashboards/rowferry.json").read_text()


def test_panels_have_their_place() -> None:
    """Ids are unique; no two panels overlap, and none leaves the page."""
    assert len({p["id"] for p in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells


def test_panels_have_what_grafana_needs() -> None:
    """A datasource, queries with letters of their own, a unit that Grafana knows, thresholds in order."""
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["datasource"]["uid"] == "${datasource}"
        letters = [t["refId"] for t in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert all(t["expr"] and "$source" in t["expr"] for t in panel["targets"]), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS
        values = [s["value"] for s in defaults["thresholds"]["steps"]]
        assert values[0] is None
        assert values[1:] == sorted(values[1:])


def test_dashboard_thresholds_are_those_of_the_alerts() -> None:
    """A panel that is green while an alert fires would mislead."""
    steps = {
        panel["title"]: [s["value"] for s in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]
        for panel in PANELS
        if panel["type"] == "timeseries"
    }
    limits = {name: re.findall(r"[<>] ([\d.]+)\n", text) for name, text in alerts().items()}
    for title, low, high in (
        ("Lag", "RowferryBehind", "RowferryFarBehind"),
        ("Retention headroom", "RowferryRetentionHeadroomCritical", "RowferryRetentionHeadroomLow"),
    ):
        assert steps[title] == [float(limits[low][0]), float(limits[high][0])]
    assert steps["Age of the checkpoint"] == [float(limits["RowferryStalled"][0])]
    assert steps["Queue"] == [float(limits["RowferryQueueFull"][0])]
    assert steps["Clock offset"] == [float(limits["RowferryClockOffset"][0])]
    assert steps["Oldest comparison"] == [float(limits["RowferryVerifyStale"][0])]


def test_every_target_of_the_example_names_its_source() -> None:
    """The rules rely on that label."""
    text = (PROMETHEUS / "prometheus.yml").read_text()
    assert text.count("- targets:") == len(re.findall(r"(?m)^          source: \w+", text))
    assert "job_name: rowferry " in text
    assert "honor_labels: true" in text


def test_shortened_rules_are_the_same_rules_with_a_hundredth_of_the_times() -> None:
    """The acceptance test runs these."""
    short = shorten(RULES)
    assert short.count("for: 1s") == RULES.count(" for: ")
    assert "replication_lag_seconds > 3\n" in short
    assert "replication_lag_seconds > 0.6\n" in short
    assert "[36s:3s]) >= 6" in short
    assert "offset 36s" in short
    assert "2 ^ 29" in short
    assert "> 0.9\n" in short
