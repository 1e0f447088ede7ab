"""The two replicas of a rendered pod, as processes: what Kubernetes asks them, and what they answer."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.forked import Forked
from tests.acceptance.harness import Daemon, Ferry, free_port, wait_until
from tests.unit.deployed import DEPLOY
from tests.unit.kustomize import render
from tests.unit.pods import lay_out

EXAMPLE = DEPLOY / "kubernetes" / "overlays" / "example-two-sources" / "north"
PASSWORD = "Canary-password"


def secret_and_settings(ferry: Ferry, objects: list[dict[str, Any]]) -> dict[str, str]:
    """Put the lab's two servers in the place of the example's; accounts whose passwords are in the Secret."""
    account = f"pod_{ferry.source.name}"[:32]
    ferry.source.run(
        f"CREATE USER '{account}'@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT ALL PRIVILEGES ON *.* TO '{account}'@'%'",
    )
    [settings] = [o["data"] for o in objects if o["kind"] == "ConfigMap"]
    source = re.sub(r"//[^@]*@", f"//{account}@", ferry.source.url)
    text = re.sub(r'"mysql://[^"]*"', f'"{source}"', settings["rowferry.toml"])
    settings["rowferry.toml"] = re.sub(r'"postgresql://[^"]*"', f'"{ferry.destination.url}"', text)
    return {"ROWFERRY_SOURCE__PASSWORD": PASSWORD, "ROWFERRY_DESTINATION__PASSWORD": PASSWORD}


@contextmanager
def replica(
    ferry: Ferry, objects: list[dict[str, Any]], secret: Mapping[str, str], root: Path
) -> Iterator[Daemon]:
    """A process with the arguments, variables and files of the pod; only the port is another."""
    pod = lay_out(objects, {"rowferry-north": secret}, root)["rowferry-north"]
    port, log = free_port(), root / "log"
    own = {k: v for k, v in ferry.environment().items() if not k.startswith("ROWFERRY_")}
    environment = {**own, **pod.environment, "ROWFERRY_HTTP__LISTEN": f"0.0.0.0:{port}"}
    with log.open("wb") as output:
        process = Forked(pod.args, environment, pod.cwd, stderr=output)
    try:
        yield Daemon(process, port, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_two_replicas_are_ready_and_one_takes_over(mariadb_ferry: Ferry) -> None:
    """The probes of both hold, also of the one that stands by; after a kill the other one leads."""
    ferry = mariadb_ferry
    ferry.source.run("CREATE TABLE patient (PatNum bigint PRIMARY KEY)", "INSERT INTO patient VALUES (1)")
    objects = render(EXAMPLE)
    secret = secret_and_settings(ferry, objects)
    [made] = [o for o in objects if o["kind"] == "StatefulSet"]
    [container] = made["spec"]["template"]["spec"]["containers"]
    live, ready = (container[p]["httpGet"]["path"] for p in ("livenessProbe", "readinessProbe"))
    with replica(ferry, objects, secret, ferry.state / "0") as first:
        first.wait_state("patient", "streaming")
        with replica(ferry, objects, secret, ferry.state / "1") as second:
            wait_until("the second stands by", lambda: second.status().get("state") == "standby")
            for each in (first, second):
                assert [each.get(path)[0] for path in (live, ready)] == [200, 200]
            assert [each.get("/readyz")[0] for each in (first, second)] == [200, 503]
            first.process.kill()
            first.process.wait()
            ferry.source.run("INSERT INTO patient VALUES (2)")
            rows = "SELECT count(*) FROM north.patient"
            wait_until("the second takes over", lambda: ferry.destination.rows(rows) == [(2,)])
            assert second.get("/readyz")[0] == 200
            assert second.stop(signal.SIGTERM) == 0
