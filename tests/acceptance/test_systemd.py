"""The daemon under a service manager: what it tells, and that it is silent while it stands still."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from tests.acceptance.harness import ROOT, Ferry, free_port, wait_until
from tests.acceptance.service_manager import Manager, service_manager
from tests.conftest import end_without

WATCHDOG_SECONDS = 4.0
UNITS = ("rowferry@.service", "rowferry-resync@.service")
CREATE = (
    "CREATE TABLE patient (PatNum bigint PRIMARY KEY, LName varchar(50) NOT NULL) ENGINE=InnoDB",
    "INSERT INTO patient VALUES (1, 'Xavier-Canary')",
)


def as_service(ferry: Ferry, manager: Manager) -> dict[str, str]:
    """The environment that the unit gives, with an account whose password is a credential."""
    folder = ferry.state / "credentials"
    folder.mkdir()
    (folder / "ROWFERRY_SOURCE__PASSWORD").write_text("Canary-password\n")
    account = f"reader_{ferry.source.name}"[:32]
    ferry.source.run(
        f"CREATE USER '{account}'@'%' IDENTIFIED BY 'Canary-password'",
        f"GRANT ALL PRIVILEGES ON *.* TO '{account}'@'%'",
    )
    url = re.sub(r"//[^@]*@", f"//{account}@", ferry.source.url)
    return {**manager.environment, "CREDENTIALS_DIRECTORY": str(folder), "ROWFERRY_SOURCE__URL": url}


def test_a_service_tells_when_it_is_ready_alive_and_stopping(mariadb_ferry: Ferry) -> None:
    """Ready at the checkpoint, alive while its loop moves, silent while that stands still."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with service_manager(ferry.state / "notify", watchdog_seconds=WATCHDOG_SECONDS) as manager:
        environment = as_service(ferry, manager)
        with ferry.daemon(**environment) as daemon:
            manager.wait("READY")
            assert ferry.destination.rows("SELECT count(*) FROM raw._rowferry_checkpoint") == [(1,)]
            assert daemon.get("/readyz")[0] == 200
            manager.wait("STATUS", "streaming: lag")
            status = manager.named("STATUS")[-1].value
            assert re.fullmatch(r"streaming: lag \d+\.\d s, at [\w.-]+:\d+, tables: 1 streaming", status)
            assert {m.process for m in manager.messages} == {daemon.process.pid}
            _assert_alive_often(manager)
            _assert_silent_behind_a_lock(ferry, manager)
            daemon.process.kill()
            daemon.process.wait()
        assert [m.value for m in manager.named("READY")] == ["1"]
        since = time.monotonic()
        with ferry.daemon(**environment) as daemon:
            manager.wait("READY", since=since)
            ferry.source.run("INSERT INTO patient VALUES (2, 'after the kill')")
            wait_until("the row is there", lambda: len(ferry.destination.rows("TABLE raw.patient")) == 2)
            assert daemon.stop() == 0
        manager.wait("STOPPING", "1", since)
        assert "Canary" not in str(manager.messages)
    ferry.assert_equal()


def _assert_alive_often(manager: Manager) -> None:
    """Several signs of life, none later than the period after the one before."""
    wait_until("signs of life", lambda: len(manager.named("WATCHDOG")) >= 6)
    times = [m.at for m in manager.named("WATCHDOG")]
    assert max(b - a for a, b in pairwise(times)) < WATCHDOG_SECONDS


def _assert_silent_behind_a_lock(ferry: Ferry, manager: Manager) -> None:
    """A loop that waits for Postgres gives no sign of life, although other threads of the process live."""
    with ferry.destination.connect(autocommit=False) as session:
        session.execute("LOCK TABLE raw._rowferry_checkpoint IN ACCESS EXCLUSIVE MODE")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_until("the loop waits", lambda: ferry.destination.rows(waiting)[0][0] > 0)
        since = time.monotonic() + 0.2
        time.sleep(WATCHDOG_SECONDS)
        assert manager.named("WATCHDOG", since) == []
        session.rollback()
    manager.wait("WATCHDOG", since=since)


def test_a_long_step_asks_for_its_time_before(mariadb_ferry: Ferry) -> None:
    """A load behind somebody's lock is no reason to kill the daemon; the usual period is back after it."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with (
        service_manager(f"@rowferry-{ferry.source.name}", watchdog_seconds=WATCHDOG_SECONDS) as manager,
        ferry.daemon(**as_service(ferry, manager)) as daemon,
    ):
        daemon.wait_state("patient", "streaming")
        with ferry.destination.connect(autocommit=False) as session:
            session.execute("LOCK TABLE raw.patient IN ACCESS EXCLUSIVE MODE")
            since = time.monotonic()
            ferry.source.run("INSERT INTO patient VALUES (3, 'waits')")
            manager.wait("WATCHDOG_USEC", "3600000000", since)
            session.rollback()
        manager.wait("WATCHDOG_USEC", manager.environment["WATCHDOG_USEC"], since)
        assert daemon.stop() == 0


def test_a_server_that_is_down_at_the_start_is_waited_for(mariadb_ferry: Ferry) -> None:
    """Not ready, but it asks for more time again and again, and says why."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    away = re.sub(r":\d+/", f":{free_port()}/", ferry.source.url)
    with service_manager(ferry.state / "notify", watchdog_seconds=WATCHDOG_SECONDS) as manager:
        with ferry.daemon(**{**manager.environment, "ROWFERRY_SOURCE__URL": away}) as daemon:
            manager.wait("STATUS", "retrying: cannot connect")
            began = time.monotonic()
            wait_until("it asks again", lambda: len(manager.named("EXTEND_TIMEOUT_USEC", began)) >= 2)
            assert daemon.stop() == 0
        assert manager.named("READY") == []
        assert manager.named("STOPPING")


def test_what_a_person_must_mend_is_not_tried_again(mariadb_ferry: Ferry) -> None:
    """The exit codes that the unit names are those of faults that no start mends."""
    unit = (ROOT / "deploy/systemd/rowferry@.service").read_text()
    assert re.search(r"^RestartPreventExitStatus=2 78$", unit, re.MULTILINE)
    assert mariadb_ferry.run("run", ROWFERRY_BATCH__MAX_ROWS="many").returncode == 78
    assert mariadb_ferry.run("run", "--standby", "--until-caught-up").returncode == 2


def installed(folder: Path) -> list[Path]:
    """The units, as `make install-systemd` leaves them, each as an instance."""
    if shutil.which("systemd-analyze") is None:
        end_without("systemd-analyze is not on this machine")
    command = ["make", "-s", "install-systemd", f"DESTDIR={folder}", "ROWFERRY=/bin/true"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    made = []
    for name in UNITS:
        instance = folder / name.replace("@.", "@north.")
        shutil.copy(folder / "etc/systemd/system" / name, instance)
        made.append(instance)
    return made


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_units_have_no_fault_and_little_exposure(tmp_path: Path) -> None:
    """systemd finds nothing to say of them; a name that is misspelt would be said."""
    units = installed(tmp_path)
    for unit in units:
        told = analyze("verify", "--man=no", str(unit))
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
        judged = analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
        assert judged.returncode == 0, judged.stdout[-300:]
    broken = tmp_path / "rowferry@south.service"
    broken.write_text(units[0].read_text().replace("WatchdogSec=", "WatchDogSecs="))
    assert "WatchDogSecs" in analyze("verify", "--man=no", str(broken)).stderr


def test_both_units_have_the_same_user_folder_and_sandbox() -> None:
    """Else one could not read what the other wrote, or would be the weaker one."""
    texts = [(ROOT / "deploy/systemd" / name).read_text() for name in UNITS]
    daemon, resync = ({line for line in t.splitlines() if "=" in line and line[0] != "#"} for t in texts)
    other = {line.partition("=")[0] for line in daemon ^ resync}
    restart = {"StartLimitIntervalSec", "Restart", "RestartSec", "RestartPreventExitStatus"}
    times = {"TimeoutStartSec", "TimeoutStopSec", "WatchdogSec"}
    assert other == {"Description", "Type", "NotifyAccess", "ExecStart", "WantedBy"} | restart | times


def test_no_unit_chooses_a_form_of_log() -> None:
    """With another form than the journal's, every line would have the same priority there."""
    for name in UNITS:
        assert "LOG__FORMAT" not in (ROOT / "deploy/systemd" / name).read_text()
