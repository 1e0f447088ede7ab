"""Reading which server is wanted, and what servers say of themselves."""

import pytest

from rowferry_lab.servers.spec import (
    Reported,
    ServerSpec,
    read_mysql_family_version,
    read_postgres_version,
    split_options,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "/usr/sbin/mysqld  Ver 10.5.23-MariaDB-0+deb11u1 for debian-linux-gnu on x86_64 (Debian 11)",
            Reported("mariadb", "10.5.23"),
        ),
        (
            "mariadbd  Ver 11.8.6-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (-- Please)",
            Reported("mariadb", "11.8.6"),
        ),
        ("/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", Reported("mysql", "9.7.4")),
        ("/usr/sbin/mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64", Reported("mysql", "8.0.36")),
        ("10.11.18-MariaDB-0+deb12u1-log", Reported("mariadb", "10.11.18")),
        ("5.5.5-10.5.23-MariaDB-1:10.5.23+maria~ubu2004-log", Reported("mariadb", "10.5.23")),
        ("9.7.4-2", Reported("mysql", "9.7.4")),
        ("no version at all", None),
    ],
)
def test_mysql_family_names_product_and_version(text: str, expected: Reported | None) -> None:
    """MariaDB answers to mysqld too, so the product comes from the words, not from the program's name."""
    assert read_mysql_family_version(text) == expected


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("PostgreSQL 17.11 (Debian 17.11-0+deb13u1) on x86_64-pc-linux-gnu, compiled by gcc", "17.11"),
        ("18.6 (Debian 18.6-3)", "18.6"),
        ("postgres (PostgreSQL) 19beta1", "19"),
    ],
)
def test_postgres_version_is_read_from_program_and_server(text: str, version: str) -> None:
    """The compiler's version stands in the same line."""
    assert read_postgres_version(text) == Reported("postgres", version)


def test_version_line_is_matched_by_whole_numbers() -> None:
    """10.1 is no 10.11, and 1 is no 15."""
    assert ServerSpec("mariadb", "10.11").is_met_by("mariadb", "10.11.18")
    assert ServerSpec("postgres", "15").is_met_by("postgres", "15.18")
    assert not ServerSpec("mariadb", "10.1").is_met_by("mariadb", "10.11.18")
    assert not ServerSpec("postgres", "1").is_met_by("postgres", "15.18")
    assert not ServerSpec("mysql", "10.11").is_met_by("mariadb", "10.11.18")


def test_short_form_goes_both_ways() -> None:
    """The command line and the documentation use it."""
    assert str(ServerSpec.parse("mariadb:10.5")) == "mariadb:10.5"
    assert ServerSpec.parse("mysql:9.7").title == "MySQL 9.7"


@pytest.mark.parametrize("text", ["mariadb", "oracle:19", "mysql:", "mysql:8.x", "postgres:../..", ""])
def test_what_names_no_server_is_refused(text: str) -> None:
    """The version becomes part of a folder's name."""
    with pytest.raises(ValueError, match="no server|no version"):
        ServerSpec.parse(text)


def test_options_without_dashes_are_variables_of_the_environment() -> None:
    """A value may hold what it likes."""
    options = ["TZ=UTC", "--port=1", "-d", "X=a=-b"]
    assert split_options(options) == ({"TZ": "UTC", "X": "a=-b"}, ("--port=1", "-d"))
