"""`python -m rowferry_lab.servers mariadb:10.5 postgres:15`: starts servers, prints URLs, waits.

Ends on Ctrl-C, SIGTERM, or when the process that started it is gone; the servers end with it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence

from rowferry_lab.servers import Lab, LabError, ServerSpec, available
from rowferry_lab.servers.messages import say

_PARENT_CHECK_SECONDS = 1.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rowferry_lab.servers", description=__doc__)
    parser.add_argument("spec", nargs="+", help="such as mariadb:10.5, mysql:9.7, postgres:15")
    parser.add_argument("--check", action="store_true", help="only say who would serve each")
    return parser


def _specs(parser: argparse.ArgumentParser, texts: Sequence[str]) -> list[ServerSpec]:
    try:
        return [ServerSpec.parse(text) for text in texts]
    except ValueError as error:
        parser.error(str(error))


def _check(specs: Sequence[ServerSpec]) -> int:
    answers = [available(spec) for spec in specs]
    for answer in answers:
        print(f"{answer.spec}\t{answer.provider or 'unavailable'}\t{answer.detail}")
    return 0 if all(answers) else 1


def _wait_for_the_end() -> None:
    """Wait for a signal that ends us, or for the end of the process that started us."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    parent = os.getppid()
    while not ended.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    given = parser.parse_args(arguments)
    specs = _specs(parser, given.spec)
    if given.check:
        return _check(specs)
    with Lab() as lab:
        try:
            servers = lab.servers(*specs)
        except LabError as error:
            say(str(error))
            return 1
        for server in servers:
            print(f"{server.spec}\t{server.url()}\t{server.version_text}\t{server.provider}", flush=True)
        say("running; Ctrl-C ends them")
        _wait_for_the_end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
