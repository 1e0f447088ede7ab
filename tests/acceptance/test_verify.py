"""`rowferry verify` as a user runs it: finds what was planted, and nothing that is not there."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.harness import Ferry

DIFFERENCES = 3


def verified(ferry: Ferry, *tables: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """The results by table of a run that must end with that code."""
    done = ferry.run("verify", "--json", *tables)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-3000:])
    return {r["table"]: r for r in json.loads(done.stdout)["tables"]}


def test_planted_differences_are_found_without_a_daemon(ferry: Ferry) -> None:
    """By ranges and by buckets; a missing, an extra and a different row each, and no other; exit 3."""
    ferry.source.run(
        "CREATE TABLE ledger (id int PRIMARY KEY, amount decimal(10,2), note varchar(20), seen double)",
        "CREATE TABLE tag (name varchar(20) CHARACTER SET utf8mb4 PRIMARY KEY, n int)",
        "CREATE TABLE same (a int, b varbinary(5), PRIMARY KEY (a, b))",
        "INSERT INTO ledger SELECT a.n * 100 + b.n, 1.25 * b.n, CONCAT('n', b.n), b.n / 3 FROM"
        " (WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 50) SELECT n FROM s) a,"
        " (WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 100) SELECT n FROM s) b",
        "INSERT INTO tag SELECT CONCAT('ä', id), id FROM ledger",
        "INSERT INTO same VALUES (1, X'00'), (1, X'ff'), (2, '')",
    )
    ferry.catch_up()
    assert {r["result"] for r in verified(ferry).values()} == {"equal"}
    ferry.destination.run(
        "DELETE FROM raw.ledger WHERE id IN (101, 5100)",
        "UPDATE raw.ledger SET amount = amount + 0.01 WHERE id = 777",
        "UPDATE raw.ledger SET seen = 0.1 WHERE id = 778",
        "INSERT INTO raw.ledger SELECT -5, amount, note, seen, _loaded_at, _dlt_load_id"
        " FROM raw.ledger WHERE id = 300",
        "INSERT INTO raw.ledger SELECT 99999, amount, note, seen, _loaded_at, _dlt_load_id"
        " FROM raw.ledger WHERE id = 300",
        "DELETE FROM raw.tag WHERE name = 'ä200'",
        "UPDATE raw.tag SET name = 'Ä201' WHERE name = 'ä201'",
        "UPDATE raw.tag SET n = NULL WHERE name = 'ä202'",
    )
    found = verified(ferry, code=DIFFERENCES)
    assert found["same"]["result"] == "equal"
    ledger, tag = found["ledger"], found["tag"]
    assert ledger["rows"] == tag["rows"] == 5000
    assert (ledger["missing"], ledger["extra"], ledger["different"]) == (
        [["101"], ["5100"]],
        [["-5"], ["99999"]],
        [["777"], ["778"]],
    )
    assert (tag["missing"], tag["extra"], tag["different"]) == ([["ä200"], ["ä201"]], [["Ä201"]], [["ä202"]])
    assert not ledger["unsettled"]
    shown = ferry.run("verify", "ledger", "same")
    assert shown.returncode == DIFFERENCES
    assert "ledger: 2 missing, 2 extra, 2 different (5,000 rows)" in shown.stdout
    assert "same: equal (3 rows)" in shown.stdout
