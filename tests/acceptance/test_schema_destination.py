"""What stands in Postgres while the source's schema changes: the table itself, a view on it, a grant."""

from __future__ import annotations

from typing import Final

import pytest

from tests.acceptance.harness import Ferry, wait_until
from tests.acceptance.schema_cases import write, writer
from tests.acceptance.schema_ends import assert_ends_equal, wait_passed, wait_streaming
from tests.acceptance.schema_readers import reading

NEWEST = pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
CREATE: Final = (
    "CREATE TABLE marker (id int PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB",
    "CREATE TABLE pet (id int NOT NULL PRIMARY KEY, s varchar(20) NOT NULL, n int NOT NULL, m decimal(10,4),"
    " w varchar(9)) ENGINE=InnoDB",
    "INSERT INTO pet VALUES (1, 'one', 10, 1.5, 'a'), (2, 'two', 20, NULL, NULL),"
    " (3, 'three', 30, 99999.9999, '')",
)
# The last ones make a table of the same name and other rows in one statement each.
STEPS: Final = (
    ("ALTER TABLE pet ADD c varchar(9) NOT NULL DEFAULT 'grey'",),
    ("ALTER TABLE pet DROP COLUMN w",),
    ("ALTER TABLE pet CHANGE n number int NOT NULL",),
    ("ALTER TABLE pet MODIFY number bigint NOT NULL",),
    ("ALTER TABLE pet MODIFY m decimal(6,1)",),
    ("ALTER TABLE pet MODIFY number varchar(9) NOT NULL",),
    ("ALTER TABLE pet MODIFY number int NOT NULL",),
    ("ALTER TABLE pet DROP PRIMARY KEY, ADD PRIMARY KEY (number)",),
    ("ALTER TABLE pet DROP PRIMARY KEY",),
    ("ALTER TABLE pet ADD PRIMARY KEY (id)",),
    (
        "CREATE TABLE spare AS SELECT * FROM pet",
        "DROP TABLE pet",
        "CREATE TABLE pet (PRIMARY KEY (id)) AS SELECT * FROM spare",
    ),
    ("DROP TABLE pet", "CREATE TABLE pet (PRIMARY KEY (id)) AS SELECT id, s, 'new' AS fresh FROM spare"),
)  # fmt: skip


@NEWEST
def test_a_view_and_a_grant_survive_whatever_happens(ferry: Ferry) -> None:
    """It stays the same table; who reads it all the time meets no error and never an empty table."""
    with writer(ferry.source) as connection:
        write(connection, CREATE)
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        table = ferry.destination.rows("SELECT 'raw.pet'::regclass::oid")
        with reading(ferry.destination, "pet", "id, s") as reader:
            for statements in STEPS:
                with writer(ferry.source) as connection:
                    write(connection, (*statements, "UPDATE pet SET s = CONCAT(s, '.') WHERE id = 2"))
                wait_passed(ferry)
                wait_until("pet is in step", lambda: ferry.tracked("state", "pet") == "streaming")
                reader.reads_on()
                assert reader.errors == [], statements
            assert_ends_equal(ferry, daemon)
            reader.reads_on()
            reader.assert_never_fewer(3)
        assert ferry.destination.rows("SELECT 'raw.pet'::regclass::oid") == table
