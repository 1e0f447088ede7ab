"""Fetches a server's packages and unpacks them into a folder: no root, nothing installed.

apt works on a state of its own (lists, cache, an empty list of installed packages), with the mirror that
the machine's own sources name and their signing keys. Signatures are always verified.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rowferry_lab.servers.apt_sources import Source
from rowferry_lab.servers.catalogue import Offer
from rowferry_lab.servers.messages import say

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
)

# Dependencies of the packages' own scripts and of Postgres' just-in-time compiler: the server starts
# without them, and they are more than half of the download.
_NOT_NEEDED = re.compile(
    r"^(perl|perl-base|perl-modules-.*|libperl.*|lib.*-perl|debconf|dpkg|tar|ucf|adduser|passwd|login\.defs"
    r"|openssl|procps|ssl-cert|sensible-utils|locales|libc-l10n|libc-bin|base-passwd|netbase"
    r"|sysvinit-utils|init-system-helpers|libpam-modules.*|readline-common"
    r"|libllvm.*|libz3-.*|postgresql-common.*|postgresql-client-common)$"
)
_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+)", re.MULTILINE)
_COMMAND_SECONDS = 900

# The machine's own configuration stays in force (a proxy, say), except its hooks, its pinning, and its
# other architectures.
_CONFIGURATION = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/own.sources";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::preferences "{folder}/none";
Dir::Etc::preferencesparts "{folder}/none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
#clear APT::Architectures;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
"""


class AptFailed(Exception):
    """An apt or dpkg command did not do what was asked; its own words say why."""


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be fetched: the packages' names, and the bytes of them all."""

    names: tuple[str, ...]
    size_bytes: int


class PrivateApt:
    """An apt of our own for one release, in a folder that is thrown away afterwards."""

    def __init__(self, folder: Path, source: Source, offer: Offer) -> None:
        """Write its configuration; nothing is fetched yet."""
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "packages"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        (folder / "own.sources").write_text(source_text(source, offer))
        architecture = run(["dpkg", "--print-architecture"]).strip()
        (folder / "apt.conf").write_text(_CONFIGURATION.format(folder=folder, architecture=architecture))

    def update(self) -> None:
        """Fetch the release's index and verify its signature, and its date unless the mirror lags."""
        try:
            self._apt("apt-get", "update")
        except AptFailed as error:
            if "is expired" not in str(error):
                raise
            say(
                "the mirror's index is past its date: a mirror that lags. Its signature is verified; going on"
            )
            self._apt("apt-get", "update", "-o", "Acquire::Check-Valid-Until=false")

    def version_of(self, package: str) -> str:
        """Give the version that the release offers, or nothing."""
        found = re.search(r"^Version: (?:\d+:)?(\S+)", self._apt("apt-cache", "show", package), re.MULTILINE)
        return found[1] if found else ""

    def plan(self, package: str) -> Download:
        """Find what the server needs: the package and its dependencies."""
        text = self._apt("apt-get", "--print-uris", "install", "-y", package)
        return needed(text)

    def unpack(self, download: Download, root: Path) -> None:
        """Fetch the packages and unpack them below the root."""
        packages = self._folder / "packages"
        self._apt("apt-get", "download", *download.names, folder=packages)
        for package in sorted(packages.glob("*.deb")):
            run(["dpkg", "-x", str(package), str(root)])

    def _apt(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        return run([program, "-q", "-c", str(self._folder / "apt.conf"), *arguments], folder)


def needed(print_uris: str) -> Download:
    """Read `apt-get --print-uris`, leaving out what a server starts without."""
    lines = [(match["file"].split("_")[0], int(match["size"])) for match in _URI_LINE.finditer(print_uris)]
    kept = [(name, size) for name, size in lines if not _NOT_NEEDED.match(name)]
    return Download(tuple(name for name, _ in kept), sum(size for _, size in kept))


def source_text(source: Source, offer: Offer, keyrings: Sequence[Path] = KEYRINGS) -> str:
    """Write the one source of our own apt: the machine's mirror, another release."""
    lines = [
        "Types: deb",
        f"URIs: {source.uri}",
        f"Suites: {offer.suite}",
        f"Components: {offer.components}",
    ]
    signed_by = _signed_by(source, keyrings)
    return "\n".join([*lines, f"Signed-By: {signed_by}" if signed_by else "", ""])


def _signed_by(source: Source, keyrings: Sequence[Path]) -> str:
    """Trust the keys the machine trusts for this mirror, and its archive's own keys of other releases."""
    if source.signed_by and not source.signed_by.startswith("/"):
        return source.signed_by if "\n" not in source.signed_by else "\n " + source.signed_by.lstrip()
    paths = [source.signed_by] if source.signed_by else []
    paths += [str(path) for path in keyrings if path.is_file() and str(path) not in paths]
    return ",".join(paths)


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Run a command to its end and give what it printed; its errors become ours."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise AptFailed(f"{command[0]}: {_last_lines(error.stderr or error.stdout)}") from error
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise AptFailed(str(error)) from error
    return done.stdout


def _last_lines(text: str) -> str:
    wanted = [line.strip() for line in text.splitlines() if line.startswith(("E:", "W:", "dpkg"))]
    return "; ".join(wanted[-3:]) or text.strip()[-300:]
