"""A MariaDB whose clock is not this machine's, and can be set while it runs: by libfaketime."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rowferry_lab import tools
from rowferry_lab.servers import RunningServer, ServerSpec, SourceDatabase
from tests.acceptance.harness import wait_until
from tests.conftest import end_without

if TYPE_CHECKING:
    from tests.conftest import GetServer

NEAR_SECONDS: Final = 60.0


@dataclass(frozen=True)
class WrongClock:
    """The server, and the file that says how far off its clock is."""

    server: RunningServer
    file: Path

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds ahead of this machine's; it takes a second."""
        self.file.write_text(f"{seconds:+d}\n")
        wait_until(f"the source's clock is {seconds} s ahead", lambda: abs(self.ahead() - seconds) < 5)

    def ahead(self) -> float:
        """Seconds that the server's own clock is ahead."""
        [(now,)] = SourceDatabase(self.server, "mysql").rows("SELECT UNIX_TIMESTAMP(NOW(6))")
        return float(now) - time.time()


def server_with_wrong_clock(get_server: GetServer, folder: Path) -> WrongClock:
    """A server of its own. Ends the test as the policy on missing servers says where there is none."""
    try:
        found = list(tools.package_folder("libfaketime").glob("usr/lib/*-linux-*/faketime/libfaketime.so.1"))
        reason = "" if found else "there is no libfaketime in its package"
    except tools.ToolUnavailable as error:
        found, reason = [], str(error)
    if not found:
        end_without(reason)
    file = folder / "clock"
    file.write_text("+0\n")
    variables = {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    options = [f"{name}={value}" for name, value in variables.items()]
    server = get_server(ServerSpec.parse("mariadb:10.11"), options=options, name="wrong clock")
    return WrongClock(server, file)
