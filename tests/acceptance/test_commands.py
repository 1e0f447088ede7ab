"""The command line and the HTTP server, as a user meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Ferry, free_port, wait_until

CREATE = (
    "CREATE TABLE patient (PatNum bigint PRIMARY KEY, LName varchar(50) NOT NULL) ENGINE=MyISAM",
    "INSERT INTO patient VALUES (1, 'Xavier-Canary'), (2, 'Ys')",
)


def _one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


WRONG = (
    ({"ROWFERRY_SOURCE__URL": "nonsense"}, "source.url"),
    ({"ROWFERRY_SOURCE__URL": "mysql://root@127.0.0.1"}, "source.url"),
    ({"ROWFERRY_DESTINATION__URL": "mysql://x/y"}, "destination.url"),
    ({"ROWFERRY_SOURCE__TYPO": "1"}, "source.typo"),
    ({"ROWFERRY_TYPO": "1"}, "ROWFERRY_TYPO"),
    ({"ROWFERRY_BATCH__MAX_ROWS": "many"}, "batch.max_rows"),
    ({"ROWFERRY_CONFIG": "absent.toml"}, "absent.toml"),
)


@pytest.mark.parametrize(("extra", "named"), WRONG, ids=[n for _, n in WRONG])
def test_wrong_configuration_is_one_line_and_78(
    mariadb_ferry: Ferry, extra: dict[str, str], named: str
) -> None:
    """The line names the setting, and not its value."""
    done = mariadb_ferry.run("run", "--until-caught-up", **extra)
    assert done.returncode == 78
    assert named in _one_line(done.stderr)
    assert "nonsense" not in done.stderr


@pytest.mark.parametrize("command", [["run", "--until-caught-up"], ["check"], ["status"], ["resync", "x"]])
@pytest.mark.parametrize("side", ["SOURCE", "DESTINATION"])
def test_an_unreachable_server_is_one_line_and_69(
    mariadb_ferry: Ferry, command: list[str], side: str
) -> None:
    """One-shot commands do not wait for a server; status and resync need the destination first."""
    if side == "SOURCE" and command[0] in ("status", "resync"):
        return
    scheme = "mysql" if side == "SOURCE" else "postgresql"
    url = f"{scheme}://nobody@127.0.0.1:{free_port()}/nothing"
    done = mariadb_ferry.run(*command, **{f"ROWFERRY_{side}__URL": url})
    assert done.returncode == 69, done.stderr
    assert side.lower() in _one_line(done.stderr)


def test_a_usage_error_is_2(mariadb_ferry: Ferry) -> None:
    """Unknown commands and options, and a resync of nothing."""
    assert mariadb_ferry.run("nonsense").returncode == 2
    assert mariadb_ferry.run("run", "--nonsense").returncode == 2
    assert mariadb_ferry.run("resync").returncode == 2


def test_a_second_instance_ends_with_75(mariadb_ferry: Ferry) -> None:
    """One writer for each dataset."""
    mariadb_ferry.source.run(*CREATE)
    with mariadb_ferry.daemon() as daemon:
        daemon.wait_ready()
        done = mariadb_ferry.run("run", "--until-caught-up")
        assert done.returncode == 75, done.stderr
        assert "another instance" in _one_line(done.stderr)
        assert daemon.stop() == 0


def test_until_caught_up_runs_as_often_as_one_likes(mariadb_ferry: Ferry) -> None:
    """With nothing to do it changes nothing in the copy."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    ferry.catch_up()
    before = ferry.destination.rows("SELECT *, _loaded_at FROM raw.patient ORDER BY 1")
    for _ in range(3):
        ferry.catch_up()
    assert ferry.destination.rows("SELECT *, _loaded_at FROM raw.patient ORDER BY 1") == before
    ferry.assert_equal()


def test_check_says_ok_of_a_good_pair(ferry: Ferry) -> None:
    """On every server, with JSON too."""
    ferry.source.run(*CREATE)
    done = ferry.run("check")
    assert done.returncode == 0, done.stdout
    assert "failure" not in done.stdout
    findings = json.loads(ferry.run("check", "--json").stdout)
    assert {"binlog_format", "binlog_row_metadata", "tables"} <= {f["point"] for f in findings}


@pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
def test_check_prints_what_mends_a_failing_point(ferry: Ferry) -> None:
    """Each statement that check prints is run as printed; then check is content."""
    ferry.source.run(
        *CREATE,
        "CREATE TABLE nokey (a int)",
        "CREATE TABLE marks (a int PRIMARY KEY, m enum('x') CHARACTER SET binary)",
    )
    settings = {"binlog_row_image": "FULL", "binlog_row_metadata": "FULL", "binlog_format": "ROW"}
    wrong = {"binlog_row_image": "MINIMAL", "binlog_row_metadata": "MINIMAL", "binlog_format": "MIXED"}
    ferry.source.run(*(f"SET GLOBAL {k} = '{v}'" for k, v in wrong.items()))
    try:
        done = ferry.run("check")
        assert done.returncode == 1
        assert ferry.run("run", "--until-caught-up").returncode == 78
        remedies = re.findall(r"-> (SET (?:GLOBAL|PERSIST) .*;)", done.stdout)
        assert len(remedies) == len(wrong)
        assert "nokey" in done.stdout
        assert "marks" in done.stdout
        ferry.source.run(*remedies)
        assert ferry.run("check").returncode == 0
    finally:
        ferry.source.run(*(f"SET GLOBAL {k} = '{v}'" for k, v in settings.items()))


@pytest.mark.parametrize("source", ["mariadb_10_5", "mariadb_11_8", "mysql_9_7"], indirect=True)
def test_the_grants_that_check_prints_are_enough(ferry: Ferry, source: RunningServer) -> None:
    """An account with nothing gets what check asks for, one by one, and then the copy works."""
    ferry.source.run(*CREATE)
    user = f"reader_{free_port()}"
    ferry.source.run(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'S3cret-canary'")
    url = f"mysql://{user}@127.0.0.1:{source.port}/{ferry.source.name}"
    ferry.settings |= {"ROWFERRY_SOURCE__URL": url, "ROWFERRY_SOURCE__PASSWORD": "S3cret-canary"}
    try:
        for _ in range(5):
            done = ferry.run("check")
            grants = re.findall(r"(GRANT .*;)", done.stdout + done.stderr)
            if done.returncode == 0:
                break
            assert grants, done.stdout + done.stderr
            ferry.source.run(*grants)
        assert done.returncode == 0, done.stdout + done.stderr
        log = ferry.catch_up().stderr
        ferry.source.run("INSERT INTO patient VALUES (3, 'three')")
        ferry.catch_up()
        ferry.assert_equal()
        assert "S3cret-canary" not in log + done.stdout + ferry.run("config").stdout
    finally:
        ferry.source.run(f"DROP USER '{user}'@'%'")


def test_status_works_with_and_without_a_daemon(mariadb_ferry: Ferry) -> None:
    """It reads the tracking tables; before the first copy it says so in one line."""
    ferry = mariadb_ferry
    early = ferry.run("status")
    assert early.returncode == 1
    assert "nothing was copied yet" in _one_line(early.stderr)
    ferry.source.run(*CREATE)
    ferry.catch_up()
    document = json.loads(ferry.run("status", "--json").stdout)
    assert [(t["table"], t["state"]) for t in document["tables"]] == [("patient", "streaming")]
    assert document["checkpoint"]["binlog_file"]
    assert re.search(r"patient +streaming", ferry.run("status").stdout)
    freshness = ferry.destination.rows(
        "SELECT table_name, state, as_of IS NOT NULL FROM raw._rowferry_freshness"
    )
    assert freshness == [("patient", "streaming", True)]


def test_the_http_server_tells_the_state(mariadb_ferry: Ferry) -> None:
    """Metrics, liveness, readiness and status; anything else is 404."""
    ferry = mariadb_ferry
    ferry.source.run(*CREATE)
    with ferry.daemon() as daemon:
        daemon.wait_state("patient", "streaming")
        ferry.source.run("UPDATE patient SET LName = 'Zed-Canary'", "DELETE FROM patient WHERE PatNum = 2")
        wait_until("three row changes", lambda: daemon.status()["rows_applied"] == 3)
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/readyz")[0] == 200
        assert daemon.get("/nonsense")[0] == 404
        code, text = daemon.get("/metrics")
        assert code == 200
        source = f'source="{ferry.source.name}"'
        assert f'rowferry_rows_applied_total{{op="update",{source},table="patient"}} 2.0' in text
        assert f'rowferry_rows_applied_total{{op="delete",{source},table="patient"}} 1.0' in text
        assert re.search(rf"rowferry_replication_lag_seconds{{{source}}} \d", text)
        assert re.search(rf"rowferry_applied_source_timestamp_seconds{{{source}}} 1\.\d+e\+09", text)
        assert f'rowferry_batches_total{{result="committed",{source}}}' in text
        assert f'rowferry_state{{{source},state="streaming"}} 1.0' in text
        assert f'rowferry_errors_total{{kind="table",{source},stage="load"}} 0.0' in text
        everything = text + daemon.get("/status")[1] + daemon.log.read_text()
        assert "Canary" not in everything
        assert daemon.stop() == 0


def test_the_daemon_waits_for_servers_that_are_not_there(mariadb_ferry: Ferry) -> None:
    """It retries for ever: alive, and not ready."""
    url = f"mysql://nobody@127.0.0.1:{free_port()}/nothing"
    with mariadb_ferry.daemon(ROWFERRY_SOURCE__URL=url) as daemon:
        wait_until("it retries", lambda: daemon.status().get("state") == "retrying")
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/readyz")[0] == 503
        assert daemon.stop() == 0


def test_settings_come_from_the_strongest_source(mariadb_ferry: Ferry, tmp_path: Path) -> None:
    """Command line > environment > .env > secrets directory > rowferry.toml > default."""
    ferry = mariadb_ferry
    (tmp_path / "rowferry.toml").write_text(
        "[batch]\nmax_rows = 1\nmax_age_seconds = 0.9\nmax_bytes = 111111\n"
    )
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "rowferry_source__password").write_text("from-a-secret-file")
    (tmp_path / ".env").write_text("ROWFERRY_BATCH__MAX_ROWS=2\nROWFERRY_BATCH__MAX_AGE_SECONDS=0.8\n")
    extra = {"CREDENTIALS_DIRECTORY": str(secrets), "ROWFERRY_BATCH__MAX_ROWS": "3"}
    done = ferry.run("config", "--set", "http.listen=127.0.0.1:1", **extra)
    assert done.returncode == 0, done.stderr
    for line in (
        "batch.max_rows = 3",
        "batch.max_age_seconds = 0.8",
        "batch.max_bytes = 111111",
        "http.listen = 127.0.0.1:1",
        "source.password = **********",
    ):
        assert line in done.stdout
    assert "from-a-secret-file" not in done.stdout
