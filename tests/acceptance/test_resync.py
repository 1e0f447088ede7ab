"""`rowferry resync`: the recovery command, with the daemon running and without, from all kinds of damage."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from tests.acceptance.harness import Ferry, wait_until

CREATE = (
    "CREATE TABLE patient (PatNum bigint NOT NULL, ClinicNum int NOT NULL, LName varchar(40) NOT NULL,"
    " Balance decimal(10,2), PRIMARY KEY (PatNum, ClinicNum)) ENGINE=MyISAM",
    "CREATE TABLE visit (VisitNum bigint unsigned PRIMARY KEY, Note text) ENGINE=InnoDB",
)
ROWS = 300


def fill(ferry: Ferry) -> None:
    """Both tables, some hundred rows each."""
    ferry.source.run(*CREATE)
    with ferry.source.connect() as connection, connection.cursor() as cursor:
        patients = [(n, n % 3, f"Name {n}", n * 1.25) for n in range(1, ROWS)]
        cursor.executemany("INSERT INTO patient VALUES (%s, %s, %s, %s)", patients)
        cursor.executemany(
            "INSERT INTO visit VALUES (%s, %s)", [(2**63 + n, f"note {n}") for n in range(1, ROWS)]
        )
        connection.commit()


DAMAGES: dict[str, Sequence[str]] = {
    "rows": (
        'DELETE FROM raw.patient WHERE "PatNum" % 3 = 0',
        'UPDATE raw.patient SET "Balance" = 0 WHERE "PatNum" < 50',
        "INSERT INTO raw.patient"
        " SELECT \"PatNum\" + 9000, 9, 'nobody', 1, now(), _dlt_load_id FROM raw.patient",
        "INSERT INTO raw.patient VALUES (77777, 1, 'nobody', 1, now(), 'zzz')",
    ),
    "column": ('ALTER TABLE raw.patient DROP COLUMN "Balance"',),
    "key column": ('ALTER TABLE raw.patient DROP COLUMN "ClinicNum"',),
    "key": (
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE raw.patient DROP CONSTRAINT ' || quote_ident(conname)"
        " FROM pg_constraint WHERE contype = 'p' AND conrelid = 'raw.patient'::regclass); END $$",
        "INSERT INTO raw.patient SELECT * FROM raw.patient",
    ),
    "table": ("DROP TABLE raw.patient CASCADE",),
    "tables": ("DROP TABLE raw.patient, raw.visit, raw._dlt_version CASCADE",),
    "dataset": ("DROP SCHEMA raw CASCADE", "DROP SCHEMA raw_staging CASCADE"),
    "checkpoint": ("TRUNCATE raw._rowferry_checkpoint",),
    "tracking columns": (
        "ALTER TABLE raw._rowferry_tables DROP COLUMN error CASCADE",
        "ALTER TABLE raw._rowferry_checkpoint DROP COLUMN epoch",
    ),
    "tracking": (
        "DROP TABLE raw._rowferry_checkpoint CASCADE",
        "DROP TABLE raw._rowferry_quarantine CASCADE",
    ),
}


def damage(ferry: Ferry, kind: str) -> None:
    """Harm the destination behind the daemon's back."""
    ferry.destination.run(*DAMAGES[kind])


def test_every_damage_is_mended_without_a_daemon(mariadb_ferry: Ferry) -> None:
    """One after the other, by one command; what people made on top survives what leaves it standing."""
    ferry = mariadb_ferry
    fill(ferry)
    ferry.catch_up()
    for kind in DAMAGES:
        whole = kind in ("dataset", "checkpoint", "tracking", "tracking columns", "tables")
        made = kind in ("rows", "checkpoint")
        if made:
            ferry.destination.run(
                'CREATE VIEW raw.owed AS SELECT sum("Balance") FROM raw.patient',
                'CREATE INDEX by_name ON raw.patient ("LName")',
                "GRANT SELECT ON raw.patient TO pg_monitor",
            )
        damage(ferry, kind)
        ferry.source.run("INSERT INTO patient VALUES (100000, 1, 'new', NULL)")
        done = ferry.run("resync", *(["--all", "--yes"] if whole else ["patient"]))
        assert done.returncode == 0, (kind, done.stderr[-3000:])
        ferry.assert_equal()
        ferry.source.run("DELETE FROM patient WHERE PatNum = 100000")
        ferry.catch_up()
        ferry.assert_equal()
        if made:
            assert len(ferry.destination.rows("SELECT * FROM raw.owed")) == 1
            assert ferry.destination.rows("SELECT 1 FROM pg_indexes WHERE indexname = 'by_name'")
            grants = "SELECT has_table_privilege('pg_monitor', 'raw.patient', 'SELECT')"
            assert ferry.destination.rows(grants) == [(True,)]
            ferry.destination.run("DROP VIEW raw.owed", "DROP INDEX raw.by_name")


def test_a_lost_checkpoint_is_never_taken_for_a_new_dataset(mariadb_ferry: Ferry) -> None:
    """Going on at the binlog's head would lose what came between; the command that mends it is named."""
    ferry = mariadb_ferry
    fill(ferry)
    ferry.catch_up()
    damage(ferry, "checkpoint")
    ferry.source.run("DELETE FROM patient WHERE PatNum < 10")
    done = ferry.run("run", "--until-caught-up")
    assert done.returncode == 1
    assert "rowferry resync --all" in done.stderr


def purge(ferry: Ferry, file: str) -> bool:
    """Have the source forget its binlog; whether the file is gone. A file in use is kept for a while."""
    ferry.source.run("FLUSH BINARY LOGS")
    last = ferry.source.rows("SHOW BINARY LOGS")[-1][0]
    ferry.source.run(f"PURGE BINARY LOGS TO '{last}'")
    return file not in {row[0] for row in ferry.source.rows("SHOW BINARY LOGS")}


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_a_position_that_the_source_no_longer_has_is_got_over(ferry: Ferry) -> None:
    """The daemon ends and names the command; that one copies all, from a new position."""
    fill(ferry)
    ferry.catch_up()
    ferry.source.run("DELETE FROM patient WHERE PatNum < 10", "UPDATE visit SET Note = 'later'")
    [(file,)] = ferry.destination.rows("SELECT binlog_file FROM raw._rowferry_checkpoint")
    wait_until("the binlog is purged", lambda: purge(ferry, file))
    lost = ferry.run("run", "--until-caught-up")
    assert (lost.returncode, "rowferry resync --all" in lost.stderr) == (1, True), lost.stderr[-2000:]
    assert ferry.run("resync", "--all", "--yes").returncode == 0
    ferry.assert_equal()
    ferry.source.run("UPDATE visit SET Note = 'after'")
    ferry.catch_up()
    ferry.assert_equal()


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_the_running_daemon_is_asked(ferry: Ferry) -> None:
    """It copies in place under load, readers never see an empty table, and the command says how it went."""
    fill(ferry)
    with ferry.daemon() as daemon:
        daemon.wait_state("patient", "streaming")
        daemon.wait_state("visit", "streaming")
        damage(ferry, "rows")
        least = _least_rows_while(ferry, lambda: _resync(ferry))
        assert least >= ROWS // 3
        ferry.source.run("UPDATE patient SET Balance = 7 WHERE PatNum = 5")
        wait_until("it streams on", lambda: _balance(ferry, 5) == 7)
        ferry.assert_equal()
        refused = ferry.run("resync", "nothing")
        assert (refused.returncode, "nothing" in refused.stderr) == (1, True)
        requests = ferry.destination.rows("SELECT table_name, state FROM raw._rowferry_requests ORDER BY 1")
        assert requests == [("patient", "done"), ("visit", "done")]
        damage(ferry, "table")
        ferry.source.run("UPDATE patient SET Balance = 8 WHERE PatNum = 5")
        daemon.wait_state("patient", "stopped")
        assert ferry.run("resync", "patient").returncode == 0
        ferry.assert_equal()
        assert daemon.stop() == 0


def _resync(ferry: Ferry) -> None:
    done = ferry.run("resync", "patient", "visit")
    assert done.returncode == 0, done.stderr
    states = {ferry.tracked("state", table) for table in ("patient", "visit")}
    assert states == {"streaming"}  # /status may be half a second behind


def _least_rows_while(ferry: Ferry, action: object) -> int:
    """The fewest rows that a reader saw in `patient` meanwhile."""
    over, seen = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            seen.append(int(ferry.destination.rows("SELECT count(*) FROM raw.patient")[0][0]))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert callable(action)
        action()
    finally:
        over.set()
        reader.join()
    return min(seen)


def _balance(ferry: Ferry, number: int) -> float:
    [(found,)] = ferry.destination.rows('SELECT "Balance" FROM raw.patient WHERE "PatNum" = %s', [number])
    return float(found or 0)


def test_what_holds_on_to_rows_that_are_gone_stops_that_table_alone(mariadb_ferry: Ferry) -> None:
    """A foreign key of somebody's own: neither the stream nor the end of a copy can remove the row."""
    ferry = mariadb_ferry
    fill(ferry)
    with ferry.daemon() as daemon:
        daemon.wait_state("visit", "streaming")
        daemon.wait_state("patient", "streaming")
        number = 2**63 + 5
        ferry.destination.run(
            'CREATE TABLE public.bill (v numeric(20,0) REFERENCES raw.visit ("VisitNum"))',
            f"INSERT INTO public.bill VALUES ({number})",
        )
        ferry.source.run(f"DELETE FROM visit WHERE VisitNum = {number}")
        daemon.wait_state("visit", "stopped")
        again = ferry.run("resync", "visit")
        assert again.returncode == 1
        assert "bill_v_fkey" in again.stderr
        ferry.source.run("UPDATE patient SET Balance = 3 WHERE PatNum = 5")
        wait_until("the others go on", lambda: _balance(ferry, 5) == 3)
        ferry.destination.run("DROP TABLE public.bill")
        assert ferry.run("resync", "visit").returncode == 0
        assert daemon.stop() == 0
    ferry.assert_equal()


def test_a_dangerous_scope_asks_first(mariadb_ferry: Ferry) -> None:
    """Without a terminal it is refused; --dry-run says what would happen and changes nothing."""
    ferry = mariadb_ferry
    fill(ferry)
    ferry.catch_up()
    damage(ferry, "column")
    before = ferry.destination.rows("SELECT * FROM raw._rowferry_tables ORDER BY 1")
    refused = ferry.run("resync", "--all")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    shown = ferry.run("resync", "--all", "--dry-run")
    assert shown.returncode == 0
    assert "adding column Balance" in shown.stdout
    assert "a new binlog position" in shown.stdout
    assert ferry.destination.rows("SELECT * FROM raw._rowferry_tables ORDER BY 1") == before
    answered = subprocess.run(
        [sys.executable, "-c", ANSWER, "n"],
        env=ferry.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answered.returncode, "not confirmed" in answered.stdout) == (2, True), answered.stdout


ANSWER = """
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "rowferry", "resync", "--all"])
shown = b""
while b"[y/N]" not in shown:
    shown += os.read(fd, 1000)
os.write(fd, sys.argv[1].encode() + b"\\n")
try:
    while part := os.read(fd, 1000):
        shown += part
except OSError:
    pass
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
