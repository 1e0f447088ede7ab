"""Which server is wanted, and how a server's own words are read back into product and version.

Values only: nothing here looks at a machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Product = Literal["mariadb", "mysql", "postgres"]

PRODUCT_TITLES: dict[Product, str] = {"mariadb": "MariaDB", "mysql": "MySQL", "postgres": "PostgreSQL"}

_VERSION = re.compile(r"\d+(?:\.\d+)*")
_WORDS_OF_A_SERVER = re.compile(r"(?:Ver |PostgreSQL\)? |^)(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A product and the version line that is wanted of it, such as MariaDB 10.5."""

    product: Product
    version: str

    def __post_init__(self) -> None:
        """Refuse what names no server, before anything is started for it."""
        if self.product not in get_args(Product):
            raise ValueError(f"unknown product {self.product!r}: one of {', '.join(get_args(Product))}")
        if _VERSION.fullmatch(self.version) is None:
            raise ValueError(f"{self.version!r} is no version: digits and dots, as in 10.5")

    @classmethod
    def parse(cls, text: str) -> ServerSpec:
        """Read the short form, `mariadb:10.5`."""
        product, _, version = text.partition(":")
        for known in get_args(Product):
            if product == known:
                return cls(known, version)
        raise ValueError(f"{text!r} is no server: write it as mariadb:10.5, mysql:9.7 or postgres:15")

    def __str__(self) -> str:
        """Give the short form back."""
        return f"{self.product}:{self.version}"

    @property
    def title(self) -> str:
        """The name for people: `MariaDB 10.5`."""
        return f"{PRODUCT_TITLES[self.product]} {self.version}"

    @property
    def folder_name(self) -> str:
        """The name for files: `mariadb-10.5`."""
        return f"{self.product}-{self.version}"

    def is_met_by(self, product: Product, version: str) -> bool:
        """Say whether a server of that product and full version is of the wanted line."""
        return product == self.product and f"{version}.".startswith(f"{self.version}.")


def split_options(options: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Tell the variables of the server's environment, `NAME=value`, from the options on its command line."""
    arguments = tuple(option for option in options if option.startswith("-"))
    variables = (option.partition("=") for option in options if not option.startswith("-"))
    return {name: value for name, _, value in variables}, arguments


@dataclass(frozen=True, slots=True)
class Reported:
    """What a server program or a running server says of itself."""

    product: Product
    version: str


def read_mysql_family_version(text: str) -> Reported | None:
    """Read `mysqld --version` or `SELECT VERSION()`; MariaDB names itself, MySQL does not."""
    # MariaDB 10 may prefix its version with 5.5.5- for the sake of old replicas.
    found = _WORDS_OF_A_SERVER.search(text.removeprefix("5.5.5-"))
    if found is None:
        return None
    return Reported("mariadb" if "mariadb" in text.lower() else "mysql", found.group(1))


def read_postgres_version(text: str) -> Reported | None:
    """Read `postgres --version`, `SELECT version()` or `SHOW server_version`."""
    found = _WORDS_OF_A_SERVER.search(text)
    return None if found is None else Reported("postgres", found.group(1))


def read_version(product: Product, text: str) -> Reported | None:
    """Read the words of a server that is expected to be of the product's family."""
    return read_postgres_version(text) if product == "postgres" else read_mysql_family_version(text)
