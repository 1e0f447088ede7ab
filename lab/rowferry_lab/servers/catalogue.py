"""Which release of which distribution carries which server, under what package name.

A table, and nothing else. A release may move on to another version (sid does): what it really offers is
looked at before anything is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass

from rowferry_lab.servers.spec import ServerSpec


@dataclass(frozen=True, slots=True)
class Offer:
    """A package of a release that holds a server."""

    suite: str
    package: str
    components: str = "main"


_DEBIAN = {
    "mariadb:10.5": (Offer("bullseye", "mariadb-server-core-10.5"),),
    "mariadb:10.11": (Offer("bookworm", "mariadb-server-core"),),
    "mariadb:11.8": (Offer("trixie", "mariadb-server-core"), Offer("sid", "mariadb-server-core")),
    "mysql:9.7": (Offer("sid", "mysql-server-core"),),
    "postgres:13": (Offer("bullseye", "postgresql-13"),),
    "postgres:15": (Offer("bookworm", "postgresql-15"),),
    "postgres:17": (Offer("trixie", "postgresql-17"),),
    "postgres:18": (Offer("sid", "postgresql-18"),),
}

_UBUNTU = {
    "mysql:8.0": (
        Offer("noble", "mysql-server-core-8.0"),
        Offer("jammy", "mysql-server-core-8.0"),
    ),
    "mariadb:10.6": (Offer("jammy", "mariadb-server-core-10.6", "main universe"),),
    "mariadb:10.11": (Offer("noble", "mariadb-server-core", "main universe"),),
    "postgres:14": (Offer("jammy", "postgresql-14"),),
    "postgres:16": (Offer("noble", "postgresql-16"),),
}

_OFFERS = {"debian": _DEBIAN, "ubuntu": _UBUNTU}


def distributions() -> tuple[str, ...]:
    """Name the distributions whose packages we know."""
    return tuple(_OFFERS)


def offers(distribution: str, spec: ServerSpec) -> tuple[Offer, ...]:
    """Give the packages in which the distribution has the server, best first."""
    return _OFFERS.get(distribution, {}).get(str(spec), ())


def offered_elsewhere(distribution: str, spec: ServerSpec) -> list[str]:
    """Name the other distributions that have the server."""
    return [name for name, table in _OFFERS.items() if name != distribution and str(spec) in table]


def versions_in(distribution: str, spec: ServerSpec) -> list[str]:
    """Name the versions of the product that the distribution does have."""
    known = (ServerSpec.parse(text) for text in _OFFERS.get(distribution, {}))
    return [other.version for other in known if other.product == spec.product]
