"""No value of a row and no secret leaves by another way than the copy: every output is searched for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Daemon, Ferry, free_port, wait_until

PASSWORDS: Final = (
    "Canary-env-5e1",
    "Canary-file-5e2",
    "Canary-wrong-5e3",
    "Canary-toml-5e4",
    "Canary-url-5e5",
)
NUMBER: Final = "739184620551"
CANARIES: Final = ("canary-of-a-row", "5e1", "5e2", "5e3", "5e4", "5e5", NUMBER)
ROW: Final = f"'canary-of-a-row', {NUMBER}"
TABLES: Final = ("fine", "aside", "refused", "stated", "retyped", "altered")


def told(text: str) -> list[str]:
    """The canaries in a text; encoded as bytes, too."""
    low = text.lower()
    return [c for c in CANARIES if c.lower() in low or c.encode().hex() in low]


def tracking(ferry: Ferry) -> Iterator[tuple[str, str]]:
    """Rows of all tables that are no copies; the statements of schema changes are kept on purpose."""
    query = (
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'raw' AND table_name LIKE %s"
    )
    for (name,) in ferry.destination.rows(query, ["\\_%"]):
        rows = ferry.destination.rows(f"SELECT to_jsonb(t) - 'statement' FROM raw.{name} t WHERE %s", [True])
        yield name, json.dumps(rows, default=str)


def provoke(ferry: Ferry, daemon: Daemon) -> None:
    """Every table but one comes to harm, each in its own way."""
    ferry.destination.run(
        "ALTER TABLE raw.refused ADD CONSTRAINT small CHECK (n < 10)",
        "ALTER TABLE raw.retyped ALTER t TYPE integer USING 0",
    )
    ferry.source.run(
        f"INSERT INTO fine VALUES (2, {ROW})",
        f"INSERT INTO aside VALUES (2, CONCAT('canary-of-a-row', CHAR(0)), {NUMBER})",
        f"INSERT INTO refused VALUES (2, {ROW})",
        f"INSERT INTO retyped VALUES (2, {ROW})",
        "ALTER TABLE altered ADD more varchar(40) NOT NULL DEFAULT 'canary-of-a-row'",
        f"ALTER TABLE altered ADD m bigint DEFAULT {NUMBER}",
        "SET SESSION binlog_format='STATEMENT'",
        f"UPDATE stated SET t = 'canary-of-a-row', n = {NUMBER}",
    )
    for table in ("refused", "stated", "retyped"):
        daemon.wait_state(table, "stopped")
    wait_until("a row is set aside", lambda: daemon.table("aside").get("rows_set_aside") == 1)
    wait_until("the fine row is there", lambda: daemon.table("fine").get("rows_applied") == 1)


def test_no_output_holds_a_value_or_a_secret(
    mariadb_ferry: Ferry, mariadb_10_11: RunningServer, tmp_path: Path
) -> None:
    """Of the daemon and every command, while all goes well and while all kinds of things fail."""
    ferry, outputs = mariadb_ferry, dict[str, str]()
    for name in TABLES:
        ferry.source.run(f"CREATE TABLE {name} (id int PRIMARY KEY, t varchar(40), n bigint)")
        ferry.source.run(f"INSERT INTO {name} VALUES (1, 'x', 1)")
    user, host = f"reader_{free_port()}", f"127.0.0.1:{mariadb_10_11.port}"
    ferry.source.run(
        f"CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORDS[0]}'", f"GRANT ALL ON *.* TO '{user}'@'%'"
    )
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "ROWFERRY_DESTINATION__PASSWORD").write_text(PASSWORDS[1])
    url = {"ROWFERRY_SOURCE__URL": f"mysql://{user}@{host}/{ferry.source.name}"}
    ferry.settings |= {**url, "ROWFERRY_SOURCE__PASSWORD": PASSWORDS[0]}
    ferry.settings["CREDENTIALS_DIRECTORY"] = str(secrets)

    def run(*arguments: str, **extra: str) -> int:
        done = ferry.run(*arguments, **extra)
        outputs[" ".join(arguments) + str(len(outputs))] = done.stdout + done.stderr
        return done.returncode

    try:
        with ferry.daemon() as daemon:
            for table in TABLES:
                daemon.wait_state(table, "streaming")
            provoke(ferry, daemon)
            for path in ("/metrics", "/status", "/", "/readyz?verbose", "/livez"):
                outputs[path] = daemon.get(path)[1]
            outputs["ps"] = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes().decode()
            assert run("status") == 0
            assert run("status", "--json") == 0
            assert run("schema") == 0
            assert run("verify", "fine", "aside", "refused", "--json") in (1, 3)
            assert run("quarantine", "list", "--json") == 0
            assert run("resync", "refused") == 1
            assert daemon.stop() == 0
            outputs["log"] = daemon.log.read_text()
        assert run("run", "--until-caught-up") == 1
        assert run("quarantine", "retry") == 1
        assert run("check") in (0, 1)
        assert run("config", "--json") == 0
        assert run("check", ROWFERRY_SOURCE__PASSWORD=PASSWORDS[2]) == 78
        nowhere = f"mysql://{user}:{PASSWORDS[4]}@127.0.0.1:{free_port()}/none"
        assert (
            run("run", "--until-caught-up", ROWFERRY_SOURCE__URL=nowhere, ROWFERRY_SOURCE__PASSWORD="") == 69
        )
        toml = tmp_path / "rowferry.toml"
        toml.write_text(f'[source]\npassword = "{PASSWORDS[3]}"\nport = "{PASSWORDS[3]}"\n')
        assert run("config", "--config", str(toml)) == 78
        outputs |= dict(tracking(ferry))
        files = [p for p in (tmp_path / "pipelines").rglob("*") if p.is_file()]
        outputs |= {str(p.relative_to(tmp_path)): p.read_bytes().decode("latin-1") for p in files}
    finally:
        ferry.source.run(f"DROP USER '{user}'@'%'")
    assert {name: found for name, text in outputs.items() if (found := told(text))} == {}
    assert_something_was_told(ferry, outputs["log"])


def assert_something_was_told(ferry: Ferry, log: str) -> None:
    """The test above does not pass because nothing happened, or nothing was logged."""
    copied = ferry.destination.rows("SELECT t, n FROM raw.fine WHERE id = %s", [2])
    assert copied == [("canary-of-a-row", int(NUMBER))]
    events = [json.loads(line) for line in log.splitlines()]
    assert {"batch_committed", "table_stopped", "rows_set_aside", "stopped"} <= {e["event"] for e in events}
    assert {(e["source"], e["dataset"]) for e in events} == {(ferry.source.name, "raw")}
