"""The loader, made when it is first needed: `import dlt` takes longer than everything else at a start."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, cast

from rowferry.changes import LoadReceipt, LoadRequest
from rowferry.destination import url_with_password
from rowferry.settings import Settings
from rowferry.table_schema import TableSchema

if TYPE_CHECKING:
    from rowferry.load import Loader


class LazyLoader:
    """A loader for the life of the process."""

    def __init__(self, settings: Settings) -> None:
        """Imports and connects to nothing yet."""
        self._settings = settings
        self._making = threading.Lock()
        self._loader: Loader | None = None

    def warm(self) -> None:
        """Make the loader now; in any thread."""
        self._get()

    def load(self, request: LoadRequest, tables: list[TableSchema]) -> LoadReceipt:
        """Publish the layouts if they changed, then load. Raises what `Loader.load` raises."""
        loader = self._get()
        loader.publish_schema(tables)
        return loader.load(request)

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
