"""The parts of `rowferry check` that need no server: grants as text, names in statements, a pooler."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rowferry.check_destination import pooler_finding
from rowferry.check_grants import account_name, covers, database_pattern, parse_grant


def test_a_grant_is_read_without_its_secret() -> None:
    """Rights on single columns are not rights on the table; a role is no right."""
    found = parse_grant("GRANT SELECT (a, `b`), INSERT ON `d`.`t` TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'")
    assert found is not None
    assert (set(found.rights), found.object) == ({"INSERT"}, "`d`.`t`")
    assert parse_grant("GRANT `r`@`%` TO `u`@`%`") is None


@pytest.mark.parametrize(
    ("pattern", "database", "good"),
    [
        ("`clinic`.*", "clinic", True),
        ("`clinic`.*", "clinics", False),
        (r"`a\_b`.*", "a_b", True),
        (r"`a\_b`.*", "axb", False),
        ("`a_b`.*", "axb", True),
        ("`a%`.*", "abc", True),
        ("`a``b`.*", "a`b", True),
        ("`clinic`.`t`", "clinic", False),
    ],
)
def test_the_database_of_a_grant_is_a_pattern(pattern: str, database: str, good: bool) -> None:
    """As the servers read it."""
    assert covers(pattern, database) is good


@pytest.mark.parametrize("database", ["a_b", "a%b", "a`b", "plain"])
def test_a_grant_names_one_database_only(database: str) -> None:
    """What is printed covers that database, and no other that looks like it."""
    assert covers(f"{database_pattern(database)}.*", database)
    assert not covers(f"{database_pattern('a_b')}.*", "axb")


def test_an_account_stays_inside_its_quotes() -> None:
    """Hostile names too."""
    assert account_name("o'x\\@127.%") == "'o''x\\\\'@'127.%'"


class Pooled:
    """A session through a pooler: the process numbers that its transactions see, and that of the login."""

    def __init__(self, login: int, *seen: int) -> None:
        self.info = SimpleNamespace(backend_pid=login)
        self._seen = list(seen)

    def execute(self, *_: Any) -> Any:
        """The next transaction's process."""
        rows = [(self._seen.pop(0),)]
        return SimpleNamespace(fetchall=lambda: rows)


@pytest.mark.parametrize(
    ("session", "level"),
    [
        (Pooled(1, 1, 1, 1, 1, 1), "ok"),
        (Pooled(9, 1, 1, 1, 1, 1), "warning"),
        (Pooled(9, 1, 2, 1, 2, 1), "failure"),
    ],
)
def test_a_pooler_is_noticed(session: Any, level: str) -> None:
    """One that gives each transaction another session would lose the lock."""
    assert pooler_finding(session).level == level
