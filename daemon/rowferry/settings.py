"""Every setting of Rowferry, where it comes from, and which one wins.

Precedence: command line > environment (`ROWFERRY_SOURCE__URL`) > `.env` > secrets directory (also
systemd's $CREDENTIALS_DIRECTORY) > `rowferry.toml` > defaults. Unknown keys are refused.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from rowferry.column_settings import ColumnSettings, QuarantineSettings
from rowferry.errors import ConfigurationError
from rowferry.setting_groups import (
    LISTEN_OFF,
    BatchSettings,
    CopySettings,
    DestinationSettings,
    HttpSettings,
    LogSettings,
    SchemaSettings,
    SourceSettings,
    TableSettings,
    TlsSettings,
    VerifySettings,
)

__all__ = [
    "LISTEN_OFF",
    "BatchSettings",
    "ColumnSettings",
    "CopySettings",
    "DestinationSettings",
    "HttpSettings",
    "LogSettings",
    "QuarantineSettings",
    "SchemaSettings",
    "VerifySettings",
    "Settings",
    "SourceSettings",
    "TableSettings",
    "TlsSettings",
    "describe",
    "load_settings",
    "mask_url",
    "parse_overrides",
]

PREFIX: Final = "ROWFERRY_"
CONFIG_VARIABLE: Final = "ROWFERRY_CONFIG"
OTHER_VARIABLES: Final = ("CONFIG", "SECRETS_DIR", "FAILPOINT", "REQUIRE_ALL_SERVERS")
OTHER_PREFIXES: Final = ("LAB_",)
OPENDENTAL_EXCLUDES: Final = ("temp*", "tmp*", "*_bak_*")


class Settings(BaseSettings):
    """All settings; `load_settings` makes them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_prefix_target="all",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )
    toml_path: ClassVar[Path | None] = None
    secrets_paths: ClassVar[tuple[Path, ...]] = ()

    source: SourceSettings
    destination: DestinationSettings
    tables: TableSettings = TableSettings()
    batch: BatchSettings = BatchSettings()
    copying: CopySettings = Field(default=CopySettings(), alias="copy")
    schema_rules: SchemaSettings = Field(default=SchemaSettings(), alias="schema")
    verify: VerifySettings = VerifySettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    columns: dict[str, dict[str, ColumnSettings]] = Field(
        default={}, description="policies and types of columns: columns.TABLE.COLUMN, names or globs"
    )
    quarantine: QuarantineSettings = QuarantineSettings()
    state_dir: Path = Field(default=Path(".rowferry"), description="folder for dlt's working files")
    profile: Literal["generic", "opendental"] = Field(default="generic", description="defaults for a product")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, the strongest first."""
        if isinstance(dotenv_settings, DotEnvSettingsSource):  # other programs use the file too
            ours = {k: v for k, v in dotenv_settings.env_vars.items() if k.upper().startswith(PREFIX)}
            dotenv_settings.env_vars = ours
        sources = [init_settings, env_settings, dotenv_settings]
        if cls.secrets_paths:
            sources.append(
                NestedSecretsSettingsSource(
                    file_secret_settings,
                    secrets_dir=list(cls.secrets_paths),
                    secrets_nested_delimiter="__",
                    secrets_prefix=PREFIX,
                )
            )
        if cls.toml_path is not None:
            sources.append(TomlConfigSettingsSource(settings_cls, cls.toml_path))
        return tuple(sources)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.profile == "opendental":
            globs = tuple(dict.fromkeys((*self.tables.exclude, *OPENDENTAL_EXCLUDES)))
            object.__setattr__(self, "tables", self.tables.model_copy(update={"exclude": globs}))
        return self


def load_settings(overrides: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Read the settings from all sources.

    overrides: nested values of the command line. config: a TOML file; without one, the file that
    ROWFERRY_CONFIG names, or `rowferry.toml` here if it exists. Raises ConfigurationError with one
    line that names the setting, never its value.
    """
    paths = tuple(map(Path, _secret_folders()))
    if missing := [str(p) for p in paths if not p.is_dir()]:
        raise ConfigurationError("read the secrets", missing[0], reason="there is no such folder")
    try:
        _refuse_unknown_names(paths)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ConfigurationError("read the secrets", str(error.filename), reason=reason) from None
    chosen = _config_file(config)
    configured = type("Settings", (Settings,), {"toml_path": chosen, "secrets_paths": paths})
    try:
        made: Settings = configured(**(overrides or {}))
    except ValidationError as error:
        raise ConfigurationError("read the settings", reason=_explain(error)) from None
    except SettingsError as error:
        raise ConfigurationError("read the settings", reason=str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("read the settings", str(chosen), reason=str(error)) from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ConfigurationError("read the settings", str(error.filename), reason=reason) from None
    return made


def describe(settings: Settings) -> dict[str, str]:
    """Every setting as `group.name` and its value, with secrets and URLs' passwords masked."""
    flat: dict[str, str] = {}
    _flatten(settings.model_dump(by_alias=True), "", flat)
    for name in ("source.url", "destination.url"):
        flat[name] = mask_url(flat[name])
    return flat


def mask_url(url: str) -> str:
    """The URL with its password, and any query value, replaced by ***."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.password is not None:
        account, _, host = netloc.rpartition("@")
        netloc = f"{account.partition(':')[0]}:***@{host}"
    return parts._replace(netloc=netloc, query="***" if parts.query else "").geturl()


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """Nested values from `group.name=value` texts. Raises ConfigurationError for any other form."""
    nested: dict[str, Any] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        *groups, name = path.strip().split(".")
        if not equals or not name:
            raise ConfigurationError("read --set", reason="expected group.name=value")
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise ConfigurationError("read --set", group, reason="is a group, and was given a value")
        target[name] = value
    return nested


def _config_file(config: Path | None) -> Path | None:
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None and not named.is_file():
        raise ConfigurationError("read the settings", str(named), reason="there is no such file")
    default = Path("rowferry.toml")
    return named or (default if default.is_file() else None)


def _secret_folders() -> list[str]:
    names = ("ROWFERRY_SECRETS_DIR", "CREDENTIALS_DIRECTORY")
    return [os.environ[n] for n in names if os.environ.get(n)]


def _refuse_unknown_names(secret_folders: Sequence[Path]) -> None:
    """Refuse what pydantic passes over: names of no setting in the environment and among the secrets."""
    known = {(f.alias or n).upper() for n, f in Settings.model_fields.items()}
    named = [("environment variable", variable) for variable in os.environ]
    named += [("secret", path.name) for folder in secret_folders for path in folder.iterdir()]
    for kind, text in sorted(named):
        name = text.upper().removeprefix(PREFIX)
        foreign = name == text.upper() or name in OTHER_VARIABLES or name.startswith(OTHER_PREFIXES)
        if not foreign and name.split("__")[0] not in known:
            raise ConfigurationError(
                "read the settings",
                f"{kind} {text}",
                reason="there is no such setting",
                hint="`rowferry config` lists them all",
            )


def _explain(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(p) for p in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            name = f"{name}.url" if name in ("source", "destination") else name
            message = f"is not set (for instance in {PREFIX}{name.upper().replace('.', '__')})"
        elif problem["type"] == "extra_forbidden":
            message = "there is no such setting"
        parts.append(f"{name}: {message}")
    return "; ".join(parts)


def _flatten(values: Mapping[str, Any], prefix: str, flat: dict[str, str]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", flat)
        elif isinstance(value, tuple | list):
            flat[prefix + name] = ",".join(map(str, value))
        else:
            flat[prefix + name] = "" if value is None else str(value)
