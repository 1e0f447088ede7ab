"""The user a server runs as. Postgres refuses to be root; the others only want to be told."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rowferry_lab.servers.spec import Product

_STAND_INS_FOR_ROOT = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, other than the one we are."""

    name: str
    uid: int
    gid: int


def is_root() -> bool:
    """Say whether we run as root, as in most containers."""
    return os.geteuid() == 0


def account_for(product: Product) -> Account | None:
    """Give the user to switch to, or None to stay who we are."""
    if product != "postgres" or not is_root():
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _STAND_INS_FOR_ROOT:
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise LookupError("Postgres refuses to run as root, and there is no user postgres or nobody")


def give_to(account: Account | None, folder: Path) -> None:
    """Make the folder and all in it the account's own, where there is one to switch to."""
    if account is not None:
        subprocess.run(["chown", "-R", f"{account.uid}:{account.gid}", str(folder)], check=True)


def is_open_to_all(folder: Path) -> bool:
    """Say whether any user can get into the folder: each folder on the way lets everyone through."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents) if part.is_dir())
