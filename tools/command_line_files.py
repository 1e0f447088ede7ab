"""Writes what is made from the command line's parser: completions for bash and zsh, and the manual page.

Run by `make generate`. What argparse says differs between versions of Python; these files are what 3.11 says.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import shtab
from argparse_manpage.manpage import Manpage

from rowferry import __version__
from rowferry.cli import parser

ROOT: Final = Path(__file__).parents[1]
BASH: Final = "deploy/completion/bash/rowferry"
ZSH: Final = "deploy/completion/zsh/_rowferry"
MAN: Final = "deploy/man/rowferry.1"


def generated() -> dict[str, str]:
    """The text of each file, by its path."""
    os.environ["COLUMNS"] = "80"
    made = parser()
    for action in actions(made):
        if action.metavar == "FILE":
            vars(action)["complete"] = shtab.FILE
    return {BASH: shtab.complete(made, "bash"), ZSH: shtab.complete(made, "zsh"), MAN: manual()}


def actions(of: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of the commands included."""
    for action in of._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions(command)


def manual() -> str:
    """The manual page; its date would differ from day to day, and is left out."""
    names = {"project_name": "Rowferry", "version": __version__, "manual_title": "Rowferry"}
    page = Manpage(parser(), {**names, "description": "keep PostgreSQL an exact copy of a MySQL database"})
    page.date = ""
    return str(page).rstrip("\n") + "\n"


def main() -> None:
    """Write the files."""
    for name, text in generated().items():
        (ROOT / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
