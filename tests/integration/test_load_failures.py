"""A load that fails, at whatever point and for whatever reason, leaves nothing and says no value."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from rowferry.changes import Statement
from rowferry.errors import ConfigurationError, FencedOff, LoadFailed, RowferryError, Unreachable
from rowferry.failpoints import ENVIRONMENT_VARIABLE
from rowferry.load import CommitUnknown, Loader, TableLoadFailed
from rowferry.table_schema import ColumnType
from rowferry_lab.servers import DestinationDatabase
from tests.integration.loading import (
    BIGINT,
    DATASET,
    SECRET,
    A,
    B,
    assert_private,
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


KILLED: Final = """
import sys
from pathlib import Path
from rowferry.load import Loader
from tests.integration.loading import DATASET, load_of, named, request_of, table_of
url, directory = sys.argv[1:]
a, b = table_of("a"), table_of("b")
loader = Loader(url, DATASET, Path(directory))
loader.publish_schema([a, b])
for n in (1, 2):
    loader.load(request_of(load_of(a, named(n)), load_of(b, named(n)), position=n))
"""


@pytest.mark.parametrize(
    ("place", "loaded"), [("load-staged", 1), ("load-merged", 1), ("before-commit", 1), ("after-commit", 2)]
)
def test_a_process_killed_during_its_second_load_leaves_all_of_it_or_nothing(
    destination_database: DestinationDatabase, tmp_path: Path, place: str, loaded: int
) -> None:
    """kill -9 at any place; the next process abandons what is pending and goes on from the checkpoint."""
    make_tables(destination_database, A, B)
    environment = {
        **os.environ,
        ENVIRONMENT_VARIABLE: f"{place}:2",
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("daemon", "lab", ".")),
    }
    command = [sys.executable, "-c", KILLED, destination_database.url, str(tmp_path)]
    killed = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert state(destination_database) == (loaded, loaded, loaded, loaded)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(load_of(A, named(3)), load_of(B, named(3)), position=3))
    assert state(destination_database) == (loaded + 1, loaded + 1, 3, loaded + 1)


def failing(database: DestinationDatabase, directory: Path, column: str = "") -> TableLoadFailed:
    """The error of a load in which table b fails, after table a; nothing else may be left of it."""
    secret = [{"id": 2, "name": SECRET}]
    with loader_for(database, directory, A, B) as loader:
        loader.load(request_of(load_of(A, named(1)), load_of(B, named(1)), position=1))
        with pytest.raises(TableLoadFailed) as caught:
            loader.load(request_of(load_of(A, secret), load_of(B, secret), position=2))
        assert state(database) == (1, 1, 1, 1)
        loader.load(request_of(load_of(A, named(2)), position=2))
        assert state(database) == (2, 1, 2, 2)
        assert_private(caught.value, directory)
    error = caught.value
    assert (error.table, error.column) == (B.id, column)
    return error


def test_a_violated_constraint_names_the_table_and_leaves_nothing(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The table and the constraint are told, the row is not."""
    make_tables(destination_database, A)
    make_tables(destination_database, B, extra="CONSTRAINT short_names CHECK (length(name) < 10)")
    error = failing(destination_database, tmp_path)
    assert (error.sqlstate, error.constraint, error.transient) == ("23514", "short_names", False)


def test_a_value_that_does_not_fit_names_the_column(
    destination_database: DestinationDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COPY tells the column beside the value; only the column is passed on."""
    narrow = table_of("b", {"id": BIGINT, "name": ColumnType("varchar", length=10)})
    monkeypatch.setattr(sys.modules[__name__], "B", narrow)
    make_tables(destination_database, A, narrow)
    assert failing(destination_database, tmp_path, column="name").sqlstate == "22001"


@pytest.mark.parametrize(
    ("change", "sqlstate"),
    [
        ("ALTER TABLE raw.b RENAME TO elsewhere", "42P01"),
        ("ALTER TABLE raw.b RENAME name TO other", "42703"),
        ("ALTER TABLE raw.b DROP CONSTRAINT b_pkey", "42P10"),
    ],
)
def test_a_destination_table_that_was_altered_by_somebody_is_named(
    destination_database: DestinationDatabase, tmp_path: Path, change: str, sqlstate: str
) -> None:
    """Without its table, column or key the table's rows cannot be loaded, and it is told which."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(load_of(B, named(1))))
        destination_database.run(change)
        with pytest.raises(TableLoadFailed) as caught:
            loader.load(request_of(load_of(A, named(1)), load_of(B, named(2))))
    assert (caught.value.table, caught.value.sqlstate) == (B.id, sqlstate)
    assert destination_database.rows(f"SELECT * FROM {DATASET}.a") == []


def test_a_loader_whose_epoch_is_over_is_fenced_off(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """A statement that touches other than the expected rows undoes the load."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        with pytest.raises(FencedOff):
            loader.load(request_of(load_of(A, named(1)), position=5, epoch=99))
        assert state(destination_database) == (0, 0, 0, 0)
        loader.load(request_of(load_of(A, named(1)), position=5))
    assert state(destination_database) == (1, 0, 5, 1)


def test_a_failing_statement_undoes_the_load(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """What the caller adds to the transaction is no table's doing."""
    make_tables(destination_database, A, B)
    bad = Statement("SELECT %s::int / 0", (1,))
    with loader_for(destination_database, tmp_path, A, B) as loader:
        request = request_of(load_of(A, named(1)))
        with pytest.raises(LoadFailed, match="22012"):
            loader.load(type(request)(request.load_id, request.tables, (bad,)))
        loader.load(request)
    assert state(destination_database) == (1, 0, 0, 1)


def test_a_connection_lost_between_loads_is_made_anew(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """An idle connection that a firewall or a restart has cut is noticed before anything is done."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        destination_database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'rowferry' AND datname = current_database()"
        )
        loader.load(request_of(load_of(A, named(1)), position=1))
    assert state(destination_database) == (1, 0, 1, 1)


def test_a_connection_lost_during_a_load_undoes_it(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """The destination is told to be unreachable, and the same loader goes on once it is back."""
    make_tables(destination_database, A, B)
    request = request_of(load_of(A, named(1)), position=1)
    cut = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
    with loader_for(destination_database, tmp_path, A, B) as loader:
        with pytest.raises(Unreachable) as caught:
            loader.load(type(request)(request.load_id, request.tables, (*request.statements, cut)))
        assert not isinstance(caught.value, CommitUnknown)
        assert state(destination_database) == (0, 0, 0, 0)
        loader.load(request)
    assert state(destination_database) == (1, 0, 1, 1)


def test_a_connection_lost_during_commit_is_told_apart(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Whether the load happened is unknown then: only the checkpoint tells."""
    make_tables(destination_database, A, B)
    destination_database.run(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON {DATASET}.a DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    with loader_for(destination_database, tmp_path, A, B) as loader:
        with pytest.raises(CommitUnknown):
            loader.load(request_of(load_of(A, named(1)), position=1))
        assert state(destination_database) == (0, 0, 0, 0)
        loader.load(request_of(load_of(B, named(1)), position=1))
    assert state(destination_database) == (0, 1, 1, 1)


def test_an_interrupt_undoes_the_load(
    destination_database: DestinationDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C inside a job, which dlt's executor would swallow, comes out, and nothing is left."""
    make_tables(destination_database, A, B)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with loader_for(destination_database, tmp_path, A, B) as loader:
        for place in ("_prepare", "empty"):
            with monkeypatch.context() as patched:
                patched.setattr(f"rowferry.load.staging.Staging.{place}", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    loader.load(request_of(load_of(A, named(1)), position=1))
            assert state(destination_database) == (0, 0, 0, 0)
        loader.load(request_of(load_of(A, named(1)), position=1))
    assert state(destination_database) == (1, 0, 1, 1)


def test_the_staging_dataset_is_made_again_if_somebody_drops_it(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """One load fails, without blame for a table; the next one helps itself."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(load_of(A, named(1)), position=1))
        destination_database.run(f"DROP SCHEMA {DATASET}_staging CASCADE")
        with pytest.raises(LoadFailed):
            loader.load(request_of(load_of(A, named(2)), position=2))
        loader.load(request_of(load_of(A, named(2)), position=2))
    assert state(destination_database) == (2, 0, 2, 2)


def test_a_damaged_or_deleted_directory_is_built_anew(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Nothing in dlt's directory is needed; at most one load fails before it is whole again."""
    make_tables(destination_database, A, B)
    directory = tmp_path / "rowferry"
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(load_of(A, named(1)), position=1))
        shutil.rmtree(directory)
        loader.load(request_of(load_of(A, named(2)), position=2))
        for path in files_under(directory):
            path.write_text("damaged", encoding="utf-8")
        with pytest.raises(RowferryError):
            loader.load(request_of(load_of(A, named(3)), position=3))
        loader.load(request_of(load_of(A, named(3)), position=3))
    for path in files_under(directory):
        path.write_text("damaged", encoding="utf-8")
    with loader_for(destination_database, tmp_path, A, B) as loader:
        loader.load(request_of(load_of(A, named(4)), position=4))
    assert state(destination_database) == (4, 0, 4, 4)


def test_tables_that_would_share_a_name_are_refused(
    destination_database: DestinationDatabase, tmp_path: Path
) -> None:
    """Two databases may have a table of one name, and a source may have one named like dlt's own."""
    make_tables(destination_database, A, B)
    with loader_for(destination_database, tmp_path, A, B) as loader:
        for tables in ((A, A), (table_of("_dlt_loads"),)):
            with pytest.raises(ConfigurationError):
                loader.load(request_of(*(load_of(table, named(1)) for table in tables)))
    assert state(destination_database) == (0, 0, 0, 0)


def test_an_unreachable_destination_is_told_without_its_password(tmp_path: Path) -> None:
    """Of a URL, host and reason are told; of a wrong URL nothing is."""
    loader = Loader(f"postgresql://user:{SECRET}@127.0.0.1:1/nowhere", DATASET, tmp_path)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1") as unreachable:
        loader.publish_schema([A])
    assert_private(unreachable.value, tmp_path)
    with pytest.raises(ConfigurationError) as wrong:
        Loader(f"postgresqll://user:{SECRET}@127.0.0.1:1/nowhere", DATASET, tmp_path)
    assert_private(wrong.value, tmp_path)
