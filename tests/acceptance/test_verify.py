"""`rowferry verify` as a user runs it: finds what was planted, and nothing that is not there."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest

from rowferry_lab import opendental
from rowferry_lab.workload import Workload
from tests.acceptance.harness import Daemon, Ferry, wait_until

DIFFERENCES = 3


def verified(ferry: Ferry, *tables: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """The results by table of a run that must end with that code."""
    done = ferry.run("verify", "--json", *tables)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-3000:])
    assert done.stdout, done.stderr[-3000:]
    return {r["table"]: r for r in json.loads(done.stdout)["tables"]}


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_planted_differences_are_found_without_a_daemon(ferry: Ferry) -> None:
    """By ranges and by buckets; a missing, an extra and a different row each, and no other; exit 3."""
    ferry.source.run(
        "CREATE TABLE ledger (id int PRIMARY KEY, amount decimal(10,2), note varchar(20), seen double)",
        "CREATE TABLE tag (name varchar(20) CHARACTER SET utf8mb4 PRIMARY KEY, n int)",
        "CREATE TABLE same (a int, b varbinary(5), PRIMARY KEY (a, b))",
        "CREATE TABLE n (n int PRIMARY KEY)",
        f"INSERT INTO n VALUES {', '.join(f'({n})' for n in range(1, 101))}",
        "INSERT INTO ledger SELECT a.n * 100 + b.n, 1.25 * b.n, CONCAT('n', b.n), b.n / 3"
        " FROM n a, n b WHERE a.n <= 50",
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
    mended = ferry.run("verify", "--repair", "ledger", "same", "tag")
    assert mended.returncode == 0, mended.stderr[-3000:]
    assert "ledger: equal (5,000 rows), after 6 were repaired" in mended.stdout
    assert "tag: equal (5,000 rows), after 4 were repaired" in mended.stdout
    assert "same: equal (3 rows)\n" in mended.stdout
    ferry.assert_equal()


def test_a_live_office_gives_no_false_alarm(mariadb_ferry: Ferry) -> None:
    """Under full load, with rows that flip between two values or come and go; what is planted is found."""
    ferry = mariadb_ferry
    with ferry.source.connect() as connection:
        opendental.create(connection, ferry.source.name, rows_scale=0.5)
    live_office(ferry)


def test_a_live_office_on_mysql_gives_no_false_alarm(mysql_ferry: Ferry) -> None:
    """The same where GTIDs tell what is applied."""
    ferry = mysql_ferry
    with ferry.source.connect() as connection:
        opendental.create(connection, ferry.source.name, rows_scale=0.5)
    live_office(ferry)


def live_office(ferry: Ferry) -> None:
    """Verify twice while the office works: as it is, and with rows destroyed beside those that change."""
    ferry.source.run(
        "CREATE TABLE flips (k varchar(10) PRIMARY KEY, v int)",
        "CREATE TABLE numbers (k int PRIMARY KEY, v double)",
        *(f"INSERT INTO flips VALUES ('k{n}', {n})" for n in range(20)),
        *(f"INSERT INTO numbers VALUES ({n}, {n} / 3)" for n in range(20)),
    )
    ferry.settings["ROWFERRY_PROFILE"] = "opendental"
    ferry.settings["ROWFERRY_COPY__CHUNK_SECONDS"] = "0.01"
    stop = threading.Event()
    work = Workload(ferry.source.connect, ferry.source.name, seed=7)
    workers = [
        threading.Thread(target=work.run, args=(stop.is_set,), kwargs={"rate": 300}),
        threading.Thread(target=flip, args=(ferry, stop)),
    ]
    with ferry.daemon() as daemon:
        daemon.wait_ready()
        wait_until("every table streams", lambda: all_streaming(daemon.status()))
        for worker in workers:
            worker.start()
        try:
            assert {r["result"] for r in verified(ferry).values()} == {"equal"}
            ferry.destination.run(
                "DELETE FROM raw.numbers WHERE k = 11",
                "UPDATE raw.numbers SET v = v + 1 WHERE k = 12",
                "UPDATE raw.flips SET k = 'k100' WHERE k = 'k11'",
            )
            found = verified(ferry, "flips", "numbers", code=DIFFERENCES)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        numbers, flips = found["numbers"], found["flips"]
        assert (numbers["missing"], numbers["extra"], numbers["different"]) == ([["11"]], [], [["12"]])
        assert (flips["missing"], flips["extra"], flips["different"]) == ([["k11"]], [["k100"]], [])
        assert daemon.stop() == 0
    assert work.counts.rows > 0


def flip(ferry: Ferry, stop: threading.Event) -> None:
    """Values there and back, rows that go and come, as fast as the source takes them."""
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        while not stop.is_set():
            for table, some, other in (("flips", "'k1'", "'k2'"), ("numbers", "1", "2")):
                cursor.execute(f"UPDATE {table} SET v = 1 - v WHERE k = {some}")
                cursor.execute(f"DELETE FROM {table} WHERE k = {other}")
                cursor.execute(f"INSERT INTO {table} VALUES ({other}, 5)")
            time.sleep(0.02)


def all_streaming(status: dict[str, Any]) -> bool:
    """Whether the copy of every table is complete."""
    tables = status.get("tables")
    return bool(tables) and all(t["state"] == "streaming" for t in tables or ())


def test_what_the_settings_ask_for_is_no_difference(mysql_ferry: Ferry) -> None:
    """Other names and types, zero dates by policy, rows set aside; tables that are not in step are named."""
    ferry = mysql_ferry
    ferry.settings |= {
        "ROWFERRY_TABLES__RENAME": json.dumps({"visits": "Besuche"}),
        "ROWFERRY_COLUMNS": json.dumps(
            {
                "visits": {
                    "day": {"zero_dates": "1900-01-01", "name": "Tag"},
                    "paid": {"type": "boolean"},
                    "at": {"type": "text", "zero_dates": "keep"},
                    "id": {"name": "Nummer"},
                    "doc": {"type": "jsonb"},
                }
            }
        ),
    }
    nul = "CONCAT('a', CHAR(0))"
    ferry.source.run(
        "SET sql_mode = ''",
        "CREATE TABLE visits (id int PRIMARY KEY, day date, paid tinyint, at datetime(2), t text, doc text,"
        " j json)",
        "INSERT INTO visits VALUES (1, '0000-00-00', 1, '0000-00-00', 'x', '{\"b\": 1.0}', '[1e3]'),"
        f" (2, '2024-02-29', 0, '2024-02-29 01:02:03.4', {nul}, '[]', '[]'),"
        ' (3, NULL, NULL, NULL, NULL, NULL, \'{"long": 1, "a": 1.50}\')',
        "CREATE TABLE bare (id int, d date)",
        "INSERT INTO bare VALUES (1, '0000-00-00'), (1, '0000-00-00'), (2, NULL)",
        "CREATE TABLE stuck (id int PRIMARY KEY, ctid int)",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    found = verified(ferry, code=1)
    assert (found["visits"]["result"], found["visits"]["rows"]) == ("equal", 3)
    assert (found["stuck"]["result"], found["stuck"]["problem"]) == ("not verified", "it is stopped")
    assert (found["bare"]["result"], found["bare"]["rows"]) == ("equal", 3)
    assert verified(ferry, "visits")["visits"]["result"] == "equal"
    ferry.destination.run("""UPDATE raw."Besuche" SET j = '[1001]' WHERE "Nummer" = 1""")
    assert verified(ferry, "visits", code=DIFFERENCES)["visits"]["different"] == [["1"]]
    ferry.destination.run("UPDATE raw.bare SET id = 3 WHERE ctid = (SELECT min(ctid) FROM raw.bare)")
    assert verified(ferry, "bare", code=DIFFERENCES)["bare"]["result"] == "different"
    unknown = ferry.run("verify", "visit")
    assert unknown.returncode == 1
    assert "it is not among the copied tables" in unknown.stderr


KEYS = {
    "times": ("time(2)", ["'-01:02:03.5'", "'838:59:59'", "'00:00:00'"]),
    "moments": ("datetime(3)", ["'2024-02-29 01:02:03.25'", "'2024-02-29'", "'9999-12-31'"]),
    "stamps": ("timestamp(1)", ["'2024-02-29 01:02:03.5'", "'2024-02-29'", "'2001-01-01'"]),
    "days": ("date", ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'"]),
    "years": ("year", ["'0000'", "2024", "1901"]),
    "flags": ("bit(9)", ["5", "0", "511"]),
    "labels": ("enum('a','hex:ff','text:b')", ["'a'", "'hex:ff'", "'text:b'"]),
    "words": ("varchar(20) CHARACTER SET latin1", ["'hex:00'", "'Ä'", "'text:x'"]),
    "bytes": ("varbinary(9)", ["''", "X'00'", "X'ff5c78'"]),
    "money": ("decimal(10,2)", ["-1.5", "0", "99999999.99"]),
    "big": ("bigint unsigned", ["0", "18446744073709551615", "7"]),
    "addresses": ("inet6", ["'::ffff:1.2.3.4'", "'::'", "'fe80::1'"]),
    "ids": ("uuid", ["'6ccd780c-baba-1026-9564-5b8c65600000'", f"'{'0' * 32}'", f"'{'f' * 32}'"]),
}


def test_rows_are_known_and_mended_by_keys_of_every_kind(mariadb_ferry: Ferry) -> None:
    """One row is gone, one is changed, and one has come in the place of another, in each table."""
    ferry = mariadb_ferry
    for name, (kind, values) in KEYS.items():
        ferry.source.run(
            f"CREATE TABLE {name} (k {kind} NOT NULL PRIMARY KEY, v int)",
            *(f"INSERT INTO {name} VALUES ({value}, {n})" for n, value in enumerate(values)),
            f"INSERT INTO {name} SELECT k, v FROM {name} WHERE false",
        )
    ferry.catch_up()
    keys = {name: ferry.destination.rows(f"SELECT k::text FROM raw.{name} ORDER BY v") for name in KEYS}
    for name in KEYS:
        ferry.source.run(f"DELETE FROM {name} WHERE v = 2")
    ferry.catch_up()
    ferry.destination.run(
        *(f"DELETE FROM raw.{name} WHERE v = 0" for name in KEYS),
        *(f"UPDATE raw.{name} SET v = 7 WHERE v = 1" for name in KEYS),
    )
    for name, texts in keys.items():
        kind = ferry.destination.rows(f"SELECT pg_typeof(k)::text FROM raw.{name}")[0][0]
        cast = f"{kind}(9)" if kind == "bit" else kind
        extra = texts[2][0].replace("'", "''")
        ferry.destination.run(f"INSERT INTO raw.{name} VALUES ('{extra}'::{cast}, 2, now(), '1')")
    for table, found in verified(ferry, code=DIFFERENCES).items():
        counts = [len(found[kind]) for kind in ("missing", "extra", "different")]
        assert counts == [1, 1, 1], (table, found)
    for table, found in verified(ferry, "--repair").items():
        assert (found["result"], found["repaired"], found["rows"]) == ("equal", 3, 2), table
    ferry.assert_equal()


def test_nothing_is_verified_before_anything_was_copied(mariadb_ferry: Ferry) -> None:
    """One line, and exit code 1."""
    done = mariadb_ferry.run("verify")
    assert done.returncode == 1
    assert "nothing was copied yet. Run `rowferry run`" in done.stderr


def test_the_daemon_compares_by_itself_and_tells(mariadb_ferry: Ferry) -> None:
    """In its metrics and its log, by counts; it goes on streaming, and the command mends what it found."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE ledger (id int PRIMARY KEY, amount decimal(10,2))",
        "INSERT INTO ledger SELECT seq, seq FROM seq_1_to_500",
        "CREATE TABLE same (id int PRIMARY KEY)",
    )
    with ferry.daemon(ROWFERRY_VERIFY__CONTINUOUS="true", ROWFERRY_VERIFY__PERIOD_HOURS="0.002") as daemon:
        daemon.wait_state("ledger", "streaming")
        ferry.destination.run(
            "DELETE FROM raw.ledger WHERE id < 3", "UPDATE raw.ledger SET amount = 0 WHERE id = 9"
        )
        wait_until(
            "the differences are told", lambda: differing(daemon) == {"missing": 2.0, "different": 1.0}
        )
        assert 'event": "differences_found"' in daemon.log.read_text()
        assert verified(ferry, "ledger", code=DIFFERENCES)["ledger"]["different"] == [["9"]]
        assert ferry.run("verify", "--repair", "ledger").returncode == 0
        ferry.assert_equal()
        wait_until("the mended table is told", lambda: differing(daemon) == {})
        assert daemon.stop() == 0


def differing(daemon: Daemon) -> dict[str, float]:
    """The differences that the metrics name, by kind, where there are any."""
    found = re.findall(
        r'^rowferry_verify_mismatched_rows{kind="(\w+)",.*table="ledger"} (\S+)$',
        daemon.get("/metrics")[1],
        re.M,
    )
    return {kind: float(value) for kind, value in found if float(value)}


def test_a_repair_survives_a_change_of_the_table(mariadb_ferry: Ferry) -> None:
    """An index, an engine: the rows that were asked for are read again all the same."""
    ferry = mariadb_ferry
    ferry.source.run(
        "CREATE TABLE ledger (id int PRIMARY KEY, amount int) ENGINE=MyISAM",
        "INSERT INTO ledger SELECT seq, seq FROM seq_1_to_300",
    )
    with ferry.daemon(ROWFERRY_COPY__SETTLE_SECONDS="2.0") as daemon:
        daemon.wait_state("ledger", "streaming")
        ferry.destination.run("UPDATE raw.ledger SET amount = -1 WHERE id <= 9")
        ferry.destination.run(
            "INSERT INTO raw._rowferry_requests (kind, table_name, keys, requested_by)"
            " SELECT 'repair', 'ledger', jsonb_agg(jsonb_build_array(jsonb_build_array(id::text),"
            " jsonb_build_array(id::text))), 'test' FROM raw.ledger WHERE id <= 9"
        )
        time.sleep(1.0)  # the repair has begun, and waits for what only time can tell
        ferry.source.run("ALTER TABLE ledger ADD INDEX (amount)", "ALTER TABLE ledger ENGINE=InnoDB")
        request = "SELECT state FROM raw._rowferry_requests"
        wait_until("the repair is done", lambda: ferry.destination.rows(request) == [("done",)])
        daemon.wait_state("ledger", "streaming")
        assert daemon.stop() == 0
    ferry.catch_up()
    ferry.assert_equal()
