"""What `rowferry verify` prints, and how it ends."""

from __future__ import annotations

import json

import pytest

from rowferry.errors import ExitCode
from rowferry.judging import Difference, Kind
from rowferry.verify import TableResult
from rowferry.verify_command import exit_code, render_results, results_as_json

EQUAL = TableResult("a", rows=12345)
MANY = TableResult(
    "b",
    rows=3,
    differences=(
        *(Difference(Kind.MISSING, (str(n), "x"), None) for n in range(25)),
        Difference(Kind.EXTRA, ("-1", "x"), ("-1", "x")),
    ),
    unsettled=2,
)
STOPPED = TableResult("c", problem="it is stopped")
NAMELESS = TableResult("e", rows=2, nameless=True)
MENDED = TableResult("d", rows=1, repaired=4)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], ExitCode.DONE),
        ([EQUAL, MENDED], ExitCode.DONE),
        ([EQUAL, STOPPED], ExitCode.FAILURE),
        ([STOPPED, MANY], ExitCode.DIFFERENCES),
        ([NAMELESS], ExitCode.DIFFERENCES),
    ],
)
def test_the_exit_code_says_the_worst(results: list[TableResult], code: ExitCode) -> None:
    """Differences above tables that could not be verified."""
    assert exit_code(results) is code


def test_people_see_counts_and_the_first_keys() -> None:
    """Of each kind at most twenty."""
    assert render_results([NAMELESS]).splitlines() == [
        "e: different, but has no key by which to name its rows (2 rows)",
        "    `rowferry resync e` mends it",
    ]
    lines = render_results([EQUAL, MANY, STOPPED, MENDED]).splitlines()
    assert lines[0] == "a: equal (12,345 rows)"
    assert lines[1:4] == [
        "b: 25 missing, 1 extra, 0 different (3 rows)",
        "    2 rows change too fast to be compared",
        "    missing: 0, x",
    ]
    assert lines[-6:] == [
        "    ... and 5 more missing (--json names all)",
        "    extra: -1, x",
        "c: not verified",
        "    it is stopped (`rowferry schema c` may say more)",
        "d: equal (1 rows), after 4 were repaired",
        "`rowferry verify --repair` mends the rows that differ",
    ]


def test_programs_see_every_key() -> None:
    """And for each table the same fields."""
    tables = json.loads(results_as_json([MANY, STOPPED]))["tables"]
    assert len(tables[0]["missing"]) == 25
    assert tables[0]["extra"] == [["-1", "x"]]
    assert tables[1] == {
        "table": "c", "result": "not verified", "rows": 0, "missing": [], "extra": [], "different": [],
        "repaired": 0, "unsettled": 0, "problem": "it is stopped",
    }  # fmt: skip
