"""Every setting of Rowferry, where it comes from, and which one wins.

Precedence: command line > environment (`ROWFERRY_SOURCE__URL`) > `.env` > secrets directory (also
systemd's $CREDENTIALS_DIRECTORY) > `rowferry.toml` > defaults. Unknown keys are refused.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from rowferry.errors import ConfigurationError

PREFIX: Final = "ROWFERRY_"
CONFIG_VARIABLE: Final = "ROWFERRY_CONFIG"
OTHER_VARIABLES: Final = ("CONFIG", "SECRETS_DIR", "FAILPOINT", "REQUIRE_ALL_SERVERS")
OTHER_PREFIXES: Final = ("LAB_",)
LISTEN_OFF: Final = "off"
OPENDENTAL_EXCLUDES: Final = ("temp*", "tmp*", "*_bak_*")


def _split_list(value: Any) -> Any:
    """Globs from `a,b`, or from a JSON list; `[ab]*` is a glob, so only quotes make a text JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("[") and '"' in value:
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('must be globs separated by commas, or a JSON list: ["a*", "b"]') from None
    return [part.strip() for part in value.split(",") if part.strip()]


Globs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Group):
    """How the connection to the source is encrypted."""

    mode: Literal["disabled", "required", "verify-ca", "verify-identity"] | None = Field(
        default=None, description="unset: verify-identity if `ca` is given, else as the server offers"
    )
    ca: Path | None = Field(default=None, description="file with the certificate authority's certificate")
    cert: Path | None = Field(default=None, description="file with the client's certificate")
    key: Path | None = Field(default=None, description="file with the client's private key")


class SourceSettings(_Group):
    """The MySQL or MariaDB server and database to read."""

    url: str = Field(description="mysql://user@host:3306/database")
    password: SecretStr | None = Field(default=None, description="password, if not in the URL")
    server_id: int | None = Field(
        default=None, ge=1, le=4294967295, description="replica id; unset: derived from the dataset"
    )
    tls: TlsSettings = TlsSettings()
    heartbeat_seconds: float = Field(default=1.0, gt=0, le=60, description="binlog heartbeat period")
    connect_timeout_seconds: int = Field(default=10, ge=1, description="time to wait for a connection")

    @field_validator("url")
    @classmethod
    def _check(cls, value: str) -> str:
        parts = _split(value, ("mysql", "mariadb"))
        if not parts.path.strip("/") or "/" in parts.path.strip("/"):
            raise ValueError("must name one database: mysql://user@host:3306/database")
        return value

    @property
    def host(self) -> str:
        """Host name or address."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        """TCP port."""
        return urlsplit(self.url).port or 3306

    @property
    def user(self) -> str:
        """Account name."""
        return unquote(urlsplit(self.url).username or "rowferry")

    @property
    def database(self) -> str:
        """The database to copy."""
        return unquote(urlsplit(self.url).path.strip("/"))

    @property
    def secret(self) -> str:
        """The password; "" if there is none."""
        if self.password is not None:
            return self.password.get_secret_value()
        return unquote(urlsplit(self.url).password or "")


class DestinationSettings(_Group):
    """The Postgres server, database and schema to write."""

    url: str = Field(description="postgresql://user@host:5432/database")
    password: SecretStr | None = Field(default=None, description="password, if not in the URL")
    dataset: str = Field(default="raw", description="Postgres schema that holds the copy")

    @field_validator("url")
    @classmethod
    def _check(cls, value: str) -> str:
        parts = _split(value, ("postgresql", "postgres"))
        if not parts.path.strip("/"):
            raise ValueError("must name a database: postgresql://user@host:5432/database")
        return value

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, value: str) -> str:
        if not value or len(value.encode()) > 54 or '"' in value or value.startswith("pg_"):
            raise ValueError("must be a schema name of 1 to 54 bytes, without a quote, not starting with pg_")
        return value

    @property
    def secret(self) -> str:
        """The password; "" if there is none."""
        if self.password is not None:
            return self.password.get_secret_value()
        return unquote(urlsplit(self.url).password or "")


class TableSettings(_Group):
    """Which tables are copied: names that match a glob of `include` and none of `exclude`."""

    include: Globs = Field(default=("*",), description="globs of table names, separated by commas")
    exclude: Globs = Field(default=(), description="globs of table names, separated by commas")


class BatchSettings(_Group):
    """When a micro-batch closes. Under backlog it grows up to `max_bytes`."""

    max_age_seconds: float = Field(default=0.5, gt=0, le=60, description="oldest change waits this long")
    max_rows: int = Field(default=50_000, ge=1, description="row changes in one batch")
    max_bytes: int = Field(
        default=16 << 20, ge=1 << 16, description="bytes of row images waiting to be loaded"
    )


class CopySettings(_Group):
    """How tables are copied while the stream goes on."""

    chunk_seconds: float = Field(default=0.2, gt=0, le=10, description="aim for one SELECT's duration")
    max_chunk_rows: int = Field(default=50_000, ge=1, description="rows of one SELECT at most")
    settle_seconds: float = Field(
        default=2.0, ge=0.1, le=60, description="how long a change may take from the binlog to a SELECT"
    )


class HttpSettings(_Group):
    """The daemon's small HTTP server."""

    listen: str = Field(default="127.0.0.1:9580", description="address:port, or off")

    @field_validator("listen")
    @classmethod
    def _check(cls, value: str) -> str:
        if value != LISTEN_OFF and not value.rpartition(":")[2].isdigit():
            raise ValueError("must be address:port, for instance 127.0.0.1:9580")
        return value


class LogSettings(_Group):
    """How the daemon logs."""

    format: Literal["auto", "json", "text"] = Field(default="auto", description="auto: text on a terminal")
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level shown"
    )


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
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
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
    _refuse_unknown_names(paths)
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


def _split(url: str, schemes: Sequence[str]) -> SplitResult:
    form = f"{schemes[0]}://user@host:port/database"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text quotes the URL, perhaps the password
        reason = "with a port from 1 to 65535, and %2F %23 %3F %5B %5D for / # ? [ ] in a password"
        raise ValueError(f"must look like {form}, {reason}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must look like {form}")
    if port == 0:
        raise ValueError("must have a port from 1 to 65535")
    return parts


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
