"""dlt's surroundings inside this process: no configuration files, environment, telemetry or log lines.

dlt reads its settings from a run context; this one holds what Rowferry needs and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import DictionaryProvider
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

SETTINGS: Final[dict[str, Any]] = {
    "runtime": {"dlthub_telemetry": False, "log_level": "CRITICAL", "intercept_signals": False},
    "providers": {"enable_airflow_secrets": False},
    # No trace: it would keep secrets. No retries: they would run inside the failed transaction.
    "enable_runtime_trace": False,
    "restore_from_destination": False,
    "load": {
        "workers": 1,
        "raise_on_failed_jobs": True,
        "raise_on_max_retries": 1,
        "auto_abort_on_terminal_error": False,
        "truncate_staging_dataset": False,
        "delete_completed_jobs": True,
    },
}


class IsolatedRunContext(RunContext):
    """A run context whose directories are Rowferry's and whose settings are `SETTINGS`."""

    def __init__(self, directory: Path) -> None:
        """directory: where dlt looks for files and keeps its own."""
        super().__init__(str(directory))
        self._directory = str(directory)

    @property
    def global_dir(self) -> str:
        """Not the user's home directory."""
        return self._directory

    @property
    def run_dir(self) -> str:
        """Not the current directory."""
        return self._directory

    @property
    def local_dir(self) -> str:
        """Not the current directory."""
        return self._directory

    @property
    def data_dir(self) -> str:
        """Not what the environment says."""
        return self._directory

    def initial_providers(self) -> list[ConfigProvider]:
        """The settings above alone."""
        provider = DictionaryProvider()
        provider._config_doc = SETTINGS
        return [provider]


def isolate(directory: Path) -> None:
    """Make every use of dlt in this process see `SETTINGS` and `directory` only."""
    Container()[PluggableRunContext] = PluggableRunContext(IsolatedRunContext(directory))
