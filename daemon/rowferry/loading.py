"""The loader, made when it is first needed: `import dlt` takes longer than everything else at a start."""

from __future__ import annotations

import importlib
import threading
import time
from typing import TYPE_CHECKING, Final, cast

from rowferry.changes import LoadReceipt, LoadRequest
from rowferry.destination import url_with_password
from rowferry.settings import Settings
from rowferry.table_schema import TableSchema

if TYPE_CHECKING:
    from rowferry.load import Loader


PUBLISH_SECONDS: Final = 5.0
"""While layouts go on changing, dlt is told of them no more often."""


class LazyLoader:
    """A loader for the life of the process."""

    def __init__(self, settings: Settings) -> None:
        """Imports and connects to nothing yet."""
        self._settings = settings
        self._making = threading.Lock()
        self._loader: Loader | None = None
        self._published: list[TableSchema] | None = None
        self._published_at = 0.0

    def warm(self) -> None:
        """Make the loader now; in any thread."""
        self._get()

    def load(self, request: LoadRequest, tables: list[TableSchema]) -> LoadReceipt:
        """Publish the layouts if they changed and it is time, then load. Raises what `Loader.load` raises."""
        if self._published is None or time.monotonic() - self._published_at >= PUBLISH_SECONDS:
            self._publish(tables)
        return self._get().load(request)

    def publish(self, tables: list[TableSchema]) -> None:
        """Tell dlt of layouts that changed since the last load. Raises what `publish_schema` raises."""
        if self._published is not None:
            self._publish(tables)

    def _publish(self, tables: list[TableSchema]) -> None:
        if tables != self._published:
            self._get().publish_schema(tables)
            self._published, self._published_at = tables, time.monotonic()

    def close(self) -> None:
        """Close the loader's connection."""
        if self._loader is not None:
            self._loader.close()

    def _get(self) -> Loader:
        with self._making:
            if self._loader is None:
                module = importlib.import_module("rowferry.load")
                destination = self._settings.destination
                folder = self._settings.state_dir / "pipelines"
                made = module.Loader(url_with_password(destination), destination.dataset, folder)
                self._loader = cast("Loader", made)
            return self._loader
