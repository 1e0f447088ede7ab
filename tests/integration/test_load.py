"""The loader's promises: one transaction, nothing half done, and dlt's own view of the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rowferry.load import Loader
from rowferry.table_schema import ColumnType
from rowferry_lab.servers import DestinationDatabase
from tests.integration.loading import (
    BIGINT,
    DATASET,
    SECRET,
    TEXT,
    A,
    B,
    files_under,
    load_of,
    loader_for,
    make_tables,
    named,
    request_of,
    state,
    table_of,
)

ROOT: Final = Path(__file__).parents[2]


def test_a_load_upserts_deletes_and_says_when_and_by_what(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Rows carry the load that wrote them last; the record of the load refers to the published schema."""
    make_tables(destination_database, A)
    with loader_for(destination_database, tmp_path, A) as loader:
        first = loader.load(request_of(load_of(A, named(1, 2, 3)), position=1))
        second = loader.load(request_of(load_of(A, named(2, 4, name="x"), deletes=named(3, 99)), position=2))
    assert (first.rows, second.rows) == (3, 4)
    assert set(second.stages) == {"package", "stage", "merge", "record", "commit"}
    found = destination_database.rows(
        f"SELECT a.id, name, _dlt_load_id FROM {DATASET}.a JOIN {DATASET}._dlt_loads l"
        f" ON l.load_id = _dlt_load_id JOIN {DATASET}._dlt_version v ON v.version_hash = schema_version_hash"
        " WHERE abs(extract(epoch FROM now() - _loaded_at)) < 60 AND l.status = 0 ORDER BY 1"
    )
    assert found == [(1, "n1", first.load_id), (2, "x2", second.load_id), (4, "x4", second.load_id)]


def test_rows_of_a_copy_go_straight_into_a_table_that_was_empty(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Without a twin; where the stream was faster for some key, its row is replaced all the same."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        fresh = replace(load_of(A, named(1, 2, 3)), fresh=True)
        first = loader.load(request_of(fresh, load_of(B, named(7)), position=1))
        assert destination_database.rows(f"SELECT to_regclass('{DATASET}_staging.a') IS NULL") == [(True,)]
        loader.load(request_of(load_of(A, named(5, name="stream")), position=2))
        again = replace(load_of(A, named(4, 5, 6)), fresh=True)
        last = loader.load(request_of(again, position=3))
    found = destination_database.rows(
        f"SELECT id, name, _dlt_load_id FROM {DATASET}.a"
        " WHERE abs(extract(epoch FROM now() - _loaded_at)) < 60 ORDER BY id"
    )
    assert found == [(n, f"n{n}", first.load_id if n < 4 else last.load_id) for n in range(1, 7)]
    assert destination_database.rows(f"SELECT id FROM {DATASET}.b") == [(7,)]


def test_columns_that_an_older_layout_lacks_keep_their_values(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """A batch from before ALTER TABLE ... ADD says nothing about the new column."""
    table = table_of("a", {"id": BIGINT, "name": TEXT, "added": TEXT})
    make_tables(destination_database, table)
    with loader_for(destination_database, tmp_path, table) as loader:
        loader.load(request_of(load_of(table, [{"id": 1, "name": "n", "added": "kept"}])))
        loader.load(request_of(load_of(table, named(1, 2, name="new"))))
    found = destination_database.rows(f"SELECT id, name, added FROM {DATASET}.a ORDER BY id")
    assert found == [(1, "new1", "kept"), (2, "new2", None)]


def test_a_load_without_rows_still_runs_its_statements(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The checkpoint moves also when nothing that is captured has changed."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(position=7))
        loader.load(request_of(load_of(A), position=8))
    assert state(destination_database) == (0, 0, 8, 2)


def test_a_table_whose_columns_change_is_staged_anew(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The staging twin follows the table's schema."""
    wider = table_of("a", {"id": BIGINT, "name": ColumnType("longtext"), "added": BIGINT})
    make_tables(destination_database, A)
    with loader_for(destination_database, tmp_path, A) as loader:
        loader.load(request_of(load_of(A, named(1))))
        destination_database.run(
            f"ALTER TABLE {DATASET}.a ADD added bigint", f"ALTER TABLE {DATASET}.a ALTER name TYPE text"
        )
        loader.publish_schema([wider])
        loader.load(request_of(load_of(wider, [{"id": 2, "name": "x" * 200, "added": 5}])))
    assert destination_database.rows(f"SELECT id, added FROM {DATASET}.a ORDER BY 1") == [(1, None), (2, 5)]


def test_a_reader_never_sees_a_part_of_a_load(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Two tables, the checkpoint and dlt's record move together for whoever looks at any moment."""
    make_tables(destination_database, A, B)
    seen: set[tuple[int, int, int, int]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(state(destination_database))

    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(position=0))
        watcher = threading.Thread(target=watch)
        watcher.start()
        for n in range(1, 41):
            loader.load(request_of(load_of(A, named(n)), load_of(B, named(n)), position=n))
        done.set()
        watcher.join()
    assert len(seen) > 2
    assert {(a, b, position + 1) for a, b, position, _ in seen} == {(n - 1, n - 1, n) for *_, n in seen}


def test_a_loader_may_be_made_in_one_thread_and_used_in_another(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """dlt keeps some of its context by thread; nothing here depends on it."""
    make_tables(destination_database, A, B)
    made: list[Loader] = []
    maker = threading.Thread(target=lambda: made.append(Loader(destination_database.url, DATASET, tmp_path)))
    maker.start()
    maker.join()
    made[0].publish_schema([A, B])
    user = threading.Thread(target=lambda: made[0].load(request_of(load_of(A, named(1)), position=1)))
    user.start()
    user.join()
    made[0].close()
    assert state(destination_database) == (1, 0, 1, 1)


def test_files_are_bounded_and_hold_neither_rows_nor_secrets(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """After 200 loads there is no more on disk than after 20, and nothing of what was loaded."""
    make_tables(destination_database, A, B)
    secret = [{"id": 1, "name": SECRET}]
    url = destination_database.url.replace("@", f":{SECRET}@", 1)
    url = url if urlsplit(destination_database.url).password is None else destination_database.url
    loader = Loader(url, DATASET, tmp_path)
    loader.publish_schema([A, B])
    counts = []
    for _ in range(200):
        loader.load(request_of(load_of(A, secret), load_of(B, secret)))
        counts.append((len(files_under(tmp_path)), sum(p.stat().st_size for p in files_under(tmp_path))))
    loader.close()
    assert counts[-1][0] == counts[19][0]
    assert counts[-1][1] < counts[19][1] * 1.1
    assert not [p for p in files_under(tmp_path) if SECRET.encode() in p.read_bytes()]
    (staged,) = destination_database.rows(f"SELECT count(*) FROM {DATASET}_staging.a")
    assert staged == (0,)


def test_publishing_writes_only_what_is_new_and_makes_no_table_with_data(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The same schema again, from the same or another process, adds nothing; a change adds a version."""
    tables = [table_of(f"t{n}") for n in range(20)]

    def versions() -> list[tuple[int, str]]:
        query = f"SELECT version, version_hash FROM {DATASET}._dlt_version ORDER BY inserted_at"
        return [(version, str(digest)) for version, digest in destination_database.rows(query)]

    for _ in range(2):
        with loader_for(destination_database, tmp_path, *tables) as loader:
            loader.publish_schema(list(reversed(tables)))
            first = versions()
            assert [version for version, _ in first] == [1]
    with loader_for(destination_database, tmp_path, *tables) as loader:
        loader.publish_schema(tables[:10])
        loader.publish_schema(tables)
    assert [version for version, _ in versions()] == [2, 3]
    assert versions()[-1][1] == first[0][1]
    made = destination_database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'raw' ORDER BY 1")
    assert made == [("_dlt_loads",), ("_dlt_pipeline_state",), ("_dlt_version",)]


def test_a_package_holds_only_the_tables_of_its_batch(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """So the cost of a load does not depend on how many tables there are."""
    make_tables(destination_database, A)
    others = [table_of(f"t{n}") for n in range(430)]
    with loader_for(destination_database, tmp_path, A, *others) as loader:
        receipt = loader.load(request_of(load_of(A, named(1))))
    schema = tmp_path / "rowferry" / "load" / "loaded" / receipt.load_id / "schema.json"
    document = json.loads(schema.read_text(encoding="utf-8"))
    assert set(document["tables"]) == {"a", "_dlt_loads", "_dlt_version", "_dlt_pipeline_state"}
    assert len(schema.read_bytes()) < 10_000


ATTACHED: Final = """
import sys
import dlt
for directory in sys.argv[1:]:
    pipeline = dlt.attach("rowferry", pipelines_dir=directory, destination="postgres", dataset_name="raw")
    assert sorted(t for t in pipeline.dataset().tables if not t.startswith("_dlt")) == ["Odd name", "a"]
    assert pipeline.dataset()["a"].select("id", "name", "span").fetchall()[0][:2] == (1, "n1")
    assert pipeline.dataset()["Odd name"].arrow().num_rows == 1
"""


def test_dlt_itself_shows_and_reads_the_result(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """`dlt pipeline info` and `dlt.attach` work here, and on a machine that has only the destination."""
    table = table_of("a", {"id": BIGINT, "name": TEXT, "span": ColumnType("time", fraction=6)})
    odd = table_of("Odd name")
    make_tables(destination_database, table, odd)
    with loader_for(destination_database, tmp_path / "here", table, odd) as loader:
        row = {"id": 1, "name": "n1", "span": "-838:59:59.000000"}
        receipt = loader.load(request_of(load_of(table, [row]), load_of(odd, named(1))))
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DESTINATION__POSTGRES__CREDENTIALS": destination_database.url.replace("@", ":unused@", 1),
    }
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    info = [str(Path(sys.executable).parent / "dlt"), "pipeline", "--pipelines-dir", here, "rowferry", "info"]
    for command in (info, [sys.executable, "-c", ATTACHED, here, there]):
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert command is not info or receipt.load_id in done.stdout
