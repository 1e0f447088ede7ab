"""What is written down of a statement: enough to know it again, no secret, no row."""

from __future__ import annotations

import pytest

from rowferry.schema_log import MAX_STATEMENT, shown


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (id int) ENGINE=FEDERATED CONNECTION='mysql://u:secret@h/d/t'",
        "ALTER TABLE t CONNECTION = 'mysql://u:it''s secret@h/d/t'",
        "CREATE USER x IDENTIFIED BY 'a \\' secret'",
        'ALTER USER x IDENTIFIED BY "secret"',
        "CREATE USER x IDENTIFIED BY 'secret",
        "CREATE TABLE t AS SELECT 'secret' AS a FROM u",
        "/* x */ CREATE TABLE t (a int) VALUES (1, 'secret')",
    ],
)
def test_no_secret_and_no_row_is_shown(statement: str) -> None:
    """A password, or what a CREATE ... SELECT selects; the rest stays."""
    text = shown(statement)
    assert "secret" not in text
    assert text.split()[0] == statement.split(maxsplit=1)[0]


def test_an_ordinary_statement_is_shown_as_it_is() -> None:
    """Only a very long one is cut."""
    plain = "ALTER TABLE patient ADD note varchar(20) DEFAULT 'select' COMMENT 'the password hint'"
    assert shown(plain) == plain
    assert len(shown(plain + " " * MAX_STATEMENT)) < MAX_STATEMENT + 10
