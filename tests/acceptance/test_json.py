"""JSON columns, copied and streamed."""

from __future__ import annotations

import pytest

from rowferry_lab.servers import RunningServer
from tests.acceptance.harness import Ferry

BOTH = pytest.mark.parametrize("source", ["mariadb_10_5", "mysql_9_7"], indirect=True)
DOCUMENTS = (
    "(1, NULL)",
    "(2, JSON_OBJECT('bb', 1.10, 'a', JSON_ARRAY(18446744073709551615, 'é\\n\"', NULL, TRUE)))",
    "(3, '[]')",
    "(4, JSON_ARRAY(REPEAT('x', 70000), 0.5, -70000))",
)


@BOTH
def test_json_columns_are_kept_equal(ferry: Ferry, source: RunningServer) -> None:
    """By the copy and by the stream, also where the source changes a stored document in its place."""
    table = "CREATE TABLE docs (id bigint PRIMARY KEY, j json)"
    ferry.source.run(table, f"INSERT INTO docs VALUES {', '.join(DOCUMENTS)}")
    assert ferry.run("run", "--until-caught-up").returncode == 0
    ferry.assert_equal("docs")
    ferry.source.run(
        *(f"INSERT INTO docs SELECT id + 10, j FROM docs WHERE id = {n}" for n in range(1, 5)),
        "UPDATE docs SET j = JSON_SET(j, '$.a', 'short', '$.new', 2.50) WHERE id IN (2, 12)",
        "UPDATE docs SET j = JSON_REMOVE(j, '$[0]') WHERE id IN (4, 14)",
        "UPDATE docs SET j = NULL WHERE id = 3",
        "UPDATE docs SET j = 'null' WHERE id = 1",
        "DELETE FROM docs WHERE id = 11",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 0
    ferry.assert_equal("docs")
    kinds = ferry.destination.rows("SELECT DISTINCT pg_typeof(j)::text FROM raw.docs")
    assert kinds == [("text" if source.spec.product == "mariadb" else "jsonb",)]


def test_the_nul_character_in_json_stops_its_table(mysql_ferry: Ferry) -> None:
    """By that policy: the message names column and key and no value, and resync mends it."""
    ferry = mysql_ferry
    ferry.settings["ROWFERRY_COLUMNS"] = '{"*": {"j": {"invalid_text": "stop"}}}'
    ferry.source.run(
        "CREATE TABLE copied (id bigint PRIMARY KEY, j json)",
        "CREATE TABLE streamed (id bigint PRIMARY KEY, j json)",
        r"""INSERT INTO copied VALUES (1, '["canary \\u0000"]')""",
        r"""INSERT INTO streamed VALUES (1, '["canary \\\\u0000"]')""",
    )
    assert ferry.run("run", "--until-caught-up").returncode == 1
    ferry.source.run(r"""INSERT INTO streamed VALUES (2, '{"canary \\u0000": 1}')""")
    log = ferry.run("run", "--until-caught-up").stderr
    for table in ("copied", "streamed"):
        assert ferry.tracked("state", table) == "stopped"
        assert "column j, row with key id=" in ferry.tracked("error", table)
        assert "it holds the character U+0000" in ferry.tracked("error", table)
        ferry.source.run(f"UPDATE {table} SET j = '[]'")
    assert "canary" not in log
    assert ferry.run("resync", "copied", "streamed").returncode == 0
    ferry.assert_equal()
