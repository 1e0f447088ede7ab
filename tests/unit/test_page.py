"""The page for people: what it says first, that nothing in it is markup of others, its plot."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from rowferry.lag_history import LagSample
from rowferry.lag_plot import lag_plot
from rowferry.page import About, render_page
from rowferry.page_style import POLICY, STYLE
from rowferry.page_words import duration, moment, sorted_tables, verdict

NOW = datetime(2026, 3, 29, 12, 0, 0, tzinfo=UTC)
ABOUT = About("1.2", "db:3306, database clinic", "db:5432, database a, schema raw", True, 5)
ERROR = "cannot carry a value (table clinic.patient): a date that is none. Run `rowferry resync patient`"
VOID = {"meta", "link", "br"}


def table(name: str, state: str = "streaming", **values: Any) -> dict[str, Any]:
    """A table as /status has it."""
    usual = {"rows_applied": 1, "rows_copied": 2, "rows_expected": 0, "rows_set_aside": 0, "error": None}
    return {"table": name, "state": state, "as_of": NOW, **usual, **values}


def status(*tables: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A document as /status has it."""
    usual = {"database": "clinic", "state": "streaming", "error": None, "replication_lag_seconds": 0.4}
    return {**usual, "started_at": NOW, "tables": list(tables), **values}


@pytest.mark.parametrize(
    ("document", "word", "said"),
    [
        (status(table("a")), "In step", "The copy holds all up to 0.4 s ago."),
        (status(table("a", rows_set_aside=2)), "In step", "all up to 0.4 s ago, but for 2 rows set aside."),
        (status(table("a"), replication_lag_seconds=400.0), "Behind", "7 min behind"),
        (status(table("a"), replication_lag_seconds=None), "Connected", "not known yet"),
        (
            status(table("a", "stopped", error=ERROR), table("b")),
            "Needs you",
            "Table a is stopped. The other 1 table",
        ),
        (
            status(table("a", "stopped"), table("b", "held")),
            "Needs you",
            "Table a is stopped and table b is held.",
        ),
        (
            status(
                *(table(str(n), "copying") for n in range(4)), state="copying", copy={"seconds_left": 120.0}
            ),
            "Copying",
            "4 tables are being copied, about 2 min left",
        ),
        (status(state="retrying", error="cannot connect"), "Interrupted", "Cannot connect. It tries again"),
        (status(state="starting"), "Starting", "both servers"),
        (status(state="standby"), "Standby", "takes over"),
        (status(state="stopping"), "Stopping", "batch"),
        (status(state="halted", error="cannot go on"), "Halted", "Cannot go on."),
    ],
)
def test_the_first_word_says_how_things_are(document: dict[str, Any], word: str, said: str) -> None:
    """In every state of the daemon."""
    judged = verdict(document, alive=True)
    assert judged.word == word
    assert said in judged.sentence
    assert word in render_page(document, [], ABOUT, NOW)


def test_a_copy_of_unknown_size_shows_no_bar_that_is_full() -> None:
    """The estimate is missing, or was too low."""
    for expected in (0, 50, 100):
        copying = status(table("a", "copying", rows_copied=100, rows_expected=expected), state="copying")
        page = render_page(copying, [], ABOUT, NOW)
        assert '<progress aria-label="copy of a">' in page
        assert "not known" in page
    known = status(table("a", "copying", rows_copied=100, rows_expected=400), state="copying")
    assert '<progress value="100" max="400"' in render_page(known, [], ABOUT, NOW)


def test_tables_that_were_dropped_do_not_go_on() -> None:
    """They are not counted among those that do."""
    judged = verdict(status(table("a", "stopped"), table("b"), table("c", "dropped")), alive=True)
    assert "The other 1 table goes on" in judged.sentence


def test_a_loop_that_hangs_comes_before_all_else() -> None:
    """Whatever the state says: it may be an old one."""
    assert verdict(status(table("a")), alive=False).word == "Not moving"


def test_the_remedy_stands_at_the_top_where_there_is_one() -> None:
    """The way out of the error that stopped the table."""
    judged = verdict(status(table("a", "stopped", error=ERROR), table("b")), alive=True)
    assert judged.remedy == "Run `rowferry resync patient`"
    page = render_page(status(table("a", "stopped", error=ERROR)), [], ABOUT, NOW)
    assert "<code>rowferry resync patient</code>" in page


class Elements(HTMLParser):
    """Notes the elements, and that each is closed."""

    def __init__(self) -> None:
        """Nothing is open."""
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It is closed at once."""
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that was opened last."""
        assert self.open.pop() == tag


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """All elements of a page that is well-formed."""
    parser = Elements()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.seen


def test_no_text_of_others_is_markup() -> None:
    """Names of tables, errors, addresses: whatever is in them."""
    evil = "</style><script>alert('x')</script>\"'<img src=//x>&amp;`"
    error = {"kind": evil, "message": evil, "remedy": evil, "table": evil, "count": 2}
    document = status(
        table(evil, "stopped", error=evil),
        table(evil, "copying", rows_expected=9),
        table(evil, evil),
        database=evil,
        server=evil,
        last_errors=[{**error, "first_at": NOW, "last_at": NOW}],
    )
    for shown in (
        document,
        {**document, "state": "retrying", "error": evil},
        {**document, "state": "halted"},
    ):
        page = render_page(shown, [], About(evil, evil, evil, True, 5), NOW)
        names = {tag for tag, _ in elements(page)}
        assert not names & {"script", "img", "iframe", "object"}
        assert not re.search(r"\son\w+=", page.replace(STYLE, ""))


def test_nothing_is_loaded_and_nothing_runs() -> None:
    """No address but this server's own paths; no script; no style but the one that the policy names."""
    page = render_page(status(table("a", "copying", rows_expected=9)), [], ABOUT, NOW)
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    for tag, attributes in elements(page):
        assert "style" not in attributes, tag
        assert "src" not in attributes, tag
        if (link := attributes.get("href")) is not None:
            assert link.startswith(("/", "data:image/svg+xml,")), link
    assert "script-src" not in POLICY
    assert "default-src 'none'" in POLICY


def test_the_page_refreshes_itself_unless_told_otherwise() -> None:
    """A reader of a long table wants it to hold still."""
    still = About("1", "a", "b", True, None)
    assert 'http-equiv="refresh" content="5"' in render_page(status(), [], ABOUT, NOW)
    assert "http-equiv" not in render_page(status(), [], still, NOW)


def test_tables_in_trouble_come_first() -> None:
    """Then those that are being copied; rows set aside before the rest; else by name."""
    names = ["z", "b", "q", "c", "h", "a"]
    states = ["stopped", "streaming", "streaming", "copying", "held", "dropped"]
    tables = [table(n, s, rows_set_aside=int(n == "q")) for n, s in zip(names, states, strict=True)]
    assert [t["table"] for t in sorted_tables(tables)] == ["z", "h", "c", "q", "b", "a"]


def test_all_of_430_tables_are_there() -> None:
    """And as many copies are summed up."""
    page = render_page(status(*(table(f"t{n}", "copying") for n in range(430))), [], ABOUT, NOW)
    assert page.count('<th scope="row">') == 430 + 20
    assert "and 410 more" in page


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (42, "42 s"), (600, "10 min"), (9000, "2.5 h"), (400_000, "5 days")],
)
def test_durations_have_the_unit_that_fits(seconds: float, shown: str) -> None:
    """As a person would say it."""
    assert duration(seconds) == shown


def test_moments_have_their_date_when_it_is_another() -> None:
    """12:00 of yesterday is not 12:00."""
    assert moment(NOW - timedelta(hours=1), NOW) == "11:00:00"
    assert moment(NOW - timedelta(hours=13), NOW) == "2026-03-28 23:00:00"


@pytest.mark.parametrize("most", [0.0, 0.3, 2.9, 31.0, 5_000.0, 90_000.0, 1e9])
def test_the_plot_is_readable_at_any_lag(most: float) -> None:
    """Few marks, the greatest lag within them, every point inside."""
    svg = lag_plot([LagSample(20.0, 0.0), LagSample(10.0, most)])
    marks = re.findall(r'class="tick y" x="\d+" y="([\d.]+)"', svg)
    assert 3 <= len(marks) <= 6
    assert sorted(map(float, marks), reverse=True) == list(map(float, marks))
    points = re.search(r'class="line" points="([^"]+)"', svg)
    assert points
    for x, y in (p.split(",") for p in points[1].split()):
        assert 0 <= float(x) <= 720
        assert 12 <= float(y) <= 190


def test_gaps_break_the_line_and_peaks_stay() -> None:
    """What was not known is not drawn; one second of an hour's lag is seen among 900."""
    samples = [LagSample(float(a), None if 300 < a < 400 else 0.2) for a in range(900, -1, -1)]
    samples[850] = LagSample(50.0, 3_600.0)
    svg = lag_plot(samples)
    assert svg.count("<polyline") == 2
    assert "highest 60 min" in svg
    assert re.search(r",16\.0\b", svg), "the peak touches the mark of one hour"
    assert "not known yet" in lag_plot([])
