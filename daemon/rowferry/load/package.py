"""dlt's working directory: the pipeline object, and load packages written straight into it.

Packages bypass dlt's extract and normalize steps. Nothing in the directory is needed after the
process ends, so it is built anew by each process and whenever it is found damaged.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import dlt
from dlt.common.schema import Schema
from dlt.common.storages import LoadStorage
from dlt.common.storages.configuration import LoadStorageConfiguration
from dlt.common.storages.load_package import PackageStorage
from dlt.pipeline.pipeline import Pipeline, with_schemas_sync, with_state_sync

from rowferry.load import csv_file, straight
from rowferry.load.destination import OneTransactionPostgres
from rowferry.load.dlt_schema import Document, with_tables
from rowferry.load.plan import Plan
from rowferry.load.staging import staged_rows

KEPT_PACKAGES: Final = 5


class LoadPipeline(Pipeline):
    """dlt's pipeline, with the published schema at hand instead of read and hashed at each load."""

    published: Schema | None = None

    @property
    def default_schema(self) -> Schema:
        """The published schema."""
        return self.published if self.published is not None else super().default_schema

    @with_schemas_sync
    @with_state_sync()
    def install(self, schema: Schema) -> None:
        """Make `schema` the only one, exactly as it is."""
        if self.published is schema:
            return
        self._schema_storage.save_schema(schema)
        if not self.default_schema_name:
            self._set_default_schema_name(schema)
        self.published = schema


class Workspace:
    """The working directory of one pipeline, made when it is first used."""

    def __init__(
        self, pipelines_dir: Path, name: str, destination: OneTransactionPostgres, dataset: str
    ) -> None:
        """Touches nothing yet."""
        self._pipelines_dir = pipelines_dir
        self._name = name
        self._destination = destination
        self._dataset = dataset
        self._pipeline: LoadPipeline | None = None
        self._published: Schema | None = None

    @property
    def directory(self) -> Path:
        """Where everything is."""
        return self._pipelines_dir / self._name

    def pipeline(self) -> LoadPipeline:
        """The pipeline, whose directory is there; built anew, and empty, if it is not."""
        if self._pipeline is None or not self._intact():
            self._pipeline = self._build()
        return self._pipeline

    def publish(self, schema: Schema) -> None:
        """Make `schema` the pipeline's own, in its schema storage and state."""
        self._published = schema
        self.pipeline().install(schema)

    def write(self, plan: Plan, base: Document) -> None:
        """Write the plan as a package that is ready to be loaded. base: a schema of dlt's own tables."""
        storage = self._storage()
        packages, load_id = storage.new_packages, plan.load_id
        packages.create_package(load_id)
        folder = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
        for part in plan.parts:
            rows = straight.rows(part, load_id) if part.fresh else staged_rows(part)
            csv_file.write(rows, folder / PackageStorage.NEW_JOBS_FOLDER / part.file_name)
        tables = {part.alias: part.table for part in plan.parts}
        document = with_tables(base, tables.items())
        (folder / PackageStorage.SCHEMA_FILE_NAME).write_text(json.dumps(document), encoding="utf-8")
        storage.commit_new_load_package(load_id)

    def discard(self, load_id: str) -> None:
        """Remove a package that is still pending, with its rows."""
        for folder in ("new", "normalized"):
            shutil.rmtree(self.directory / "load" / folder / load_id, ignore_errors=True)

    def purge(self) -> None:
        """Keep the newest loaded packages, which hold no rows any more, and no others."""
        try:
            loaded = sorted((self.directory / "load" / "loaded").iterdir(), key=_modified)
        except OSError:
            return self.reset()
        for package in loaded[:-KEPT_PACKAGES]:
            shutil.rmtree(package, ignore_errors=True)
        return None

    def reset(self) -> None:
        """Have everything built anew when it is next used."""
        self._pipeline = None

    def _intact(self) -> bool:
        load = self.directory / "load"
        return (self.directory / "state.json").exists() and all(
            (load / folder).is_dir() for folder in ("new", "normalized", "loaded")
        )

    def _build(self) -> LoadPipeline:
        shutil.rmtree(self.directory, ignore_errors=True)
        pipeline = dlt.pipeline(
            self._name,
            pipelines_dir=str(self._pipelines_dir),
            destination=self._destination,
            dataset_name=self._dataset,
            _impl_cls=LoadPipeline,
        )
        self._load_storage = LoadStorage(True, ["csv"], config=self._configuration())
        if self._published is not None:
            pipeline.install(self._published)
        return pipeline

    def _configuration(self) -> LoadStorageConfiguration:
        return LoadStorageConfiguration(
            load_volume_path=str(self.directory / "load"), delete_completed_jobs=True
        )

    def _storage(self) -> LoadStorage:
        self.pipeline()
        return self._load_storage


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns
