"""Servers out of distribution packages, unpacked into the cache: no root, no service, nothing installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rowferry_lab.servers import apt_sources, binaries, cache, catalogue
from rowferry_lab.servers.apt_packages import AptFailed, PrivateApt
from rowferry_lab.servers.apt_sources import Distribution, Source
from rowferry_lab.servers.catalogue import Offer
from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.local import Installation, start_local
from rowferry_lab.servers.messages import say
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import ServerSpec

_OS_RELEASE = Path("/etc/os-release")
_PROGRAMS = ("apt-get", "apt-cache", "dpkg")
_MOST_MIRRORS = 3
_Unpack = Callable[[ServerSpec, Source, Offer, Path], None]


class PackagesProvider:
    """Serves from the packages of this machine's own distribution, whatever the release."""

    name = "packages"

    def check(self, spec: ServerSpec) -> str:
        """Look at the cache, then at whether this machine can fetch it."""
        if self._folder(spec).is_dir():
            return f"unpacked in {self._folder(spec)}"
        offers, _ = _ways(spec)
        return f"packages of {offers[0].suite}, to be fetched"

    def start(self, spec: ServerSpec, options: Sequence[str], data_dir: Path | None) -> RunningServer:
        """Start a server of our own out of the unpacked packages, fetched if need be."""
        root = cache.build_once(self._folder(spec), lambda partial: _fetch(spec, partial, _unpack))
        found = binaries.unpacked(spec, root)
        if found is None:
            raise ProviderUnavailable(spec, f"what is in {root} does not run", hint="remove that folder")
        return start_local(Installation(spec, self.name, found), options, data_dir)

    def _folder(self, spec: ServerSpec) -> Path:
        return cache.cache_folder() / spec.folder_name


def _ways(spec: ServerSpec) -> tuple[tuple[Offer, ...], list[Source]]:
    """Give the packages that hold the server and the mirrors to ask, or say what is missing."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ProviderUnavailable(spec, f"this machine has no {', '.join(missing)}")
    distribution = _distribution()
    offers = catalogue.offers(distribution.name, spec)
    if not offers:
        raise ProviderUnavailable(spec, _no_offer(distribution, spec))
    mirrors = apt_sources.mirrors(apt_sources.read_machine(), distribution.codename)[:_MOST_MIRRORS]
    if not mirrors:
        raise ProviderUnavailable(spec, "the apt sources of this machine name no mirror of its distribution")
    return offers, mirrors


def _distribution() -> Distribution:
    text = _OS_RELEASE.read_text() if _OS_RELEASE.is_file() else ""
    return apt_sources.read_distribution(text)


def _no_offer(distribution: Distribution, spec: ServerSpec) -> str:
    name = distribution.name or "this system"
    others = catalogue.offered_elsewhere(distribution.name, spec)
    versions = catalogue.versions_in(distribution.name, spec)
    return (
        f"the packages of {name} do not have it"
        + (f", those of {' and '.join(others)} do" if others else "")
        + (f"; {name} has {', '.join(versions)}" if versions else "")
    )


def client_folder(spec: ServerSpec) -> Path:
    """Give the folder of the server's unpacked command line client, fetched if need be.

    Raises `ProviderUnavailable`.
    """
    folder = cache.cache_folder() / f"{spec.folder_name}.client"
    return cache.build_once(folder, lambda partial: _fetch(spec, partial, _unpack_client))


def _fetch(spec: ServerSpec, root: Path, unpack: _Unpack) -> None:
    """Unpack it into the folder, from the first mirror and release that has it."""
    offers, mirrors = _ways(spec)
    reasons: list[str] = []
    for offer in offers:
        for mirror in mirrors:
            try:
                unpack(spec, mirror, offer, root)
            except AptFailed as error:
                reasons.append(f"{offer.suite}: {error}")
                _empty(root)
            else:
                return
    hint = ""
    if any("NO_PUBKEY" in reason or "not signed" in reason for reason in reasons):
        hint = "this machine lacks the release's signing key: install debian-archive-keyring, or a newer one"
    raise ProviderUnavailable(spec, "; ".join(reasons), hint)


def _unpack(spec: ServerSpec, mirror: Source, offer: Offer, root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".apt-", dir=root) as folder:
        apt = PrivateApt(Path(folder), mirror, offer)
        apt.update()
        version = apt.version_of(offer.package)
        if not spec.is_met_by(spec.product, version.split("-")[0]):
            raise AptFailed(f"{offer.package} is at {version or 'no version'} there")
        download = apt.plan(offer.package)
        say(f"fetching {spec.title} packages ({download.size_bytes / 1e6:.0f} MB) into {root.parent}")
        apt.unpack(download, root)
    if spec.product == "postgres":
        binaries.wrap_programs(root)
    if binaries.unpacked(spec, root) is None:
        raise AptFailed("its packages were unpacked, and the server in them does not run here")


def _unpack_client(spec: ServerSpec, mirror: Source, offer: Offer, root: Path) -> None:
    package = offer.package.replace("-server-", "-client-")
    with tempfile.TemporaryDirectory(prefix=".apt-", dir=root) as folder:
        apt = PrivateApt(Path(folder), mirror, offer)
        apt.update()
        download = apt.plan(package)
        say(f"fetching the client of {spec.title} ({download.size_bytes / 1e6:.0f} MB) into {root.parent}")
        apt.unpack(download, root)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir(mode=0o755)
