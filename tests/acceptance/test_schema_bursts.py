"""Changes of one table's layout that come faster than they can be followed, also with kills between them."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.acceptance.harness import Ferry
from tests.acceptance.schema_cases import write, writer
from tests.acceptance.schema_ends import assert_ends_equal, assert_same, assert_verified, mark, wait_streaming

# `id` and `touched` are there all the time.
CREATE: Final = (
    "CREATE TABLE marker (id int PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB",
    "CREATE TABLE calm (id int PRIMARY KEY, v int) ENGINE=MyISAM",
    "INSERT INTO calm VALUES (1, 0)",
    "CREATE TABLE burst (id int NOT NULL, touched int, a int, b varchar(10), d date, m decimal(6,2),"
    " PRIMARY KEY (id)) ENGINE=InnoDB",
    "INSERT INTO burst VALUES (1, 0, 70000, '7', '2024-02-29', 1.25),"
    " (2, 0, NULL, 'x', '0000-00-00', -9999.99), (3, 0, -1, '', NULL, NULL)",
)
ALTERS: Final = (
    "ADD c int NOT NULL DEFAULT 7",
    "ADD e varchar(20) NOT NULL DEFAULT 'e''e' AFTER id",
    "DROP COLUMN a",
    "ADD a varchar(5) NOT NULL DEFAULT 'new'",
    "CHANGE b title varchar(10)",
    "MODIFY c bigint NOT NULL DEFAULT 8",
    "MODIFY title text",
    "ENGINE=MyISAM",
    "ADD f datetime NOT NULL DEFAULT '2001-01-01 01:01:01' FIRST",
    "MODIFY d datetime",
    "DROP PRIMARY KEY, ADD PRIMARY KEY (id, touched)",
    "CHANGE e b varchar(20) NOT NULL DEFAULT 'b'",
    "MODIFY m decimal(12,4)",
    "MODIFY c smallint NOT NULL DEFAULT 9",
    "ADD INDEX by_touched (touched)",
    "DROP COLUMN f, ADD f date NOT NULL DEFAULT '2002-02-02'",
    "CONVERT TO CHARACTER SET latin1",
    "ADD g tinyint unsigned NOT NULL DEFAULT 255, ADD h text NOT NULL",
    "RENAME COLUMN g TO h2, RENAME COLUMN h TO g2",
    "DROP PRIMARY KEY, ADD UNIQUE KEY u (id)",
    "MODIFY d date",
    "ENGINE=InnoDB",
    "DROP INDEX by_touched",
    "ADD PRIMARY KEY (id)",
    "DROP INDEX u",
    "MODIFY a varchar(50)",
    "CHANGE a n int",
    "ADD i int AS (touched * 2) STORED",
    "DROP COLUMN i, DROP COLUMN h2",
    "CONVERT TO CHARACTER SET utf8mb4",
    "MODIFY n double",
    "CHANGE n a double AFTER id",
    "ADD j enum('x','y') NOT NULL",
    "MODIFY j enum('y','x','z') NOT NULL DEFAULT 'z'",
    "DROP PRIMARY KEY",
    "ADD nr int NOT NULL AUTO_INCREMENT PRIMARY KEY",
    "MODIFY nr bigint NOT NULL AUTO_INCREMENT",
    "CHANGE nr number bigint NOT NULL",
    "DROP PRIMARY KEY, DROP COLUMN number, ADD PRIMARY KEY (id)",
    "ADD k timestamp NOT NULL DEFAULT '2020-02-02 02:02:02'",
)


def _statements() -> Iterator[str]:
    """Each ALTER, and around it a row that comes, one that changes and one that goes."""
    number = 100
    for alter in ALTERS:
        number += 1
        yield f"INSERT INTO burst (id, touched) VALUES ({number}, {number})"
        yield f"ALTER TABLE burst {alter}"
        yield f"UPDATE burst SET touched = {number} WHERE id IN (1, {number - 5})"
        yield f"DELETE FROM burst WHERE id = {number - 8}"
        yield f"UPDATE calm SET v = {number}"


def _burst(ferry: Ferry, pause_seconds: float = 0.0) -> None:
    with writer(ferry.source) as connection:
        for statement in _statements():
            write(connection, (statement,))
            time.sleep(pause_seconds)


def _prepare(ferry: Ferry) -> None:
    with writer(ferry.source) as connection:
        write(connection, CREATE)


def test_forty_alters_in_one_breath(ferry: Ferry) -> None:
    """Every layout has rows of its own, and the daemon is behind: equal at the end, and nothing stopped."""
    _prepare(ferry)
    with ferry.daemon() as daemon:
        wait_streaming(daemon)
        _burst(ferry)
        mark(ferry)
        assert_ends_equal(ferry, daemon)


@pytest.mark.parametrize("source", ["mysql_9_7"], indirect=True)
@pytest.mark.parametrize("seed", [32])
def test_killed_at_any_moment_of_a_burst(ferry: Ferry, seed: int) -> None:
    """SIGKILL again and again while the layout changes: what a daemon left, the next one goes on with."""
    chance = random.Random(seed)
    _prepare(ferry)
    ferry.catch_up()
    burst = threading.Thread(target=_burst, args=(ferry, 0.04))
    burst.start()
    kills = 0
    while burst.is_alive() or kills < 4:
        with ferry.daemon() as daemon:
            daemon.wait_ready()
            time.sleep(chance.uniform(0.0, 1.2))
            daemon.assert_alive()
            assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
            kills += 1
    burst.join()
    ferry.catch_up()
    assert_same(ferry)
    assert_verified(ferry)
