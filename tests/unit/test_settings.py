"""Settings: every source, which one wins, and that a mistake is one line without the value."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rowferry.errors import ConfigurationError, ExitCode
from rowferry.settings import (
    OPENDENTAL_EXCLUDES,
    Settings,
    describe,
    load_settings,
    mask_url,
    parse_overrides,
)

SOURCE = "mysql://reader@db/clinic"
DESTINATION = "postgresql://writer@warehouse/dwh"
VALUE = "hunter2"


class Place:
    """An empty working folder, and the sources of settings around it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.secrets = folder / "credentials"
        self.secrets.mkdir()
        self.patch = patch
        self.set("CREDENTIALS_DIRECTORY", str(self.secrets))

    def set(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self.patch.setenv(name, value)

    def put(self, source: str, group: str, name: str, value: str) -> list[str]:
        """Set `group.name` in one of the sources; the arguments of --set that it takes."""
        variable = f"ROWFERRY_{group}__{name}".upper()
        match source:
            case "--set":
                return [f"{group}.{name}={value}"]
            case "environment":
                self.set(variable, value)
            case ".env":
                self.append(".env", f"{variable}={value}\n")
            case "secrets":
                (self.secrets / variable).write_text(value, "utf-8")
            case "toml":
                self.append("rowferry.toml", f"[{group}]\n{name} = '{value}'\n")
        return []

    def append(self, file: str, text: str) -> None:
        """Write more of a file."""
        with (self.folder / file).open("a", encoding="utf-8") as opened:
            opened.write(text)

    def refuse(self, *overrides: str) -> str:
        """The one line that the settings are refused with, free of the value."""
        with pytest.raises(ConfigurationError) as caught:
            load_settings(parse_overrides(overrides))
        line = str(caught.value)
        assert "\n" not in line
        assert VALUE not in line
        assert caught.value.exit_code == ExitCode.CONFIGURATION
        return line


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """No settings at all."""
    for name in os.environ:
        if name.upper().startswith("ROWFERRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, monkeypatch)


@pytest.fixture
def place(nothing: Place) -> Place:
    """The two URLs, in the environment."""
    nothing.set("ROWFERRY_SOURCE__URL", SOURCE)
    nothing.set("ROWFERRY_DESTINATION__URL", DESTINATION)
    return nothing


SOURCES = ("--set", "environment", ".env", "secrets", "toml")


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_can_set(place: Place, source: str) -> None:
    """Also those of the group `copy`, whose field has another name."""
    overrides = place.put(source, "destination", "dataset", "from_here")
    overrides += place.put(source, "copy", "settle_seconds", "7.5")
    settings = load_settings(parse_overrides(overrides))
    assert settings.destination.dataset == "from_here"
    assert settings.copying.settle_seconds == 7.5
    assert settings.destination.url == DESTINATION


@pytest.mark.parametrize(("stronger", "weaker"), list(pairwise(SOURCES)))
def test_the_stronger_source_wins(place: Place, stronger: str, weaker: str) -> None:
    """Command line > environment > .env > secrets > toml > defaults."""
    overrides = [*place.put(stronger, "http", "listen", "a:1"), *place.put(weaker, "http", "listen", "b:2")]
    assert load_settings(parse_overrides(overrides)).http.listen == "a:1"


def test_sources_complete_each_other_within_a_group(place: Place) -> None:
    """The URL from the environment, the password from systemd."""
    place.put("secrets", "source", "password", VALUE + "\n")
    source = load_settings().source
    assert (source.url, source.secret) == (SOURCE, VALUE)


def test_defaults_are_those_of_the_documentation(place: Place) -> None:
    """The weakest source."""
    settings = load_settings()
    assert settings.destination.dataset == "raw"
    assert settings.http.listen == "127.0.0.1:9580"
    assert settings.batch.max_age_seconds == 0.5
    assert settings.tables.include == ("*",)
    assert settings.source.port == 3306
    assert settings.profile == "generic"


def test_a_secrets_folder_that_may_not_be_read_is_refused(place: Place) -> None:
    """One line and the settings' exit code, not a traceback. (Root may read everything, hence the patch.)"""

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    place.patch.setattr(Path, "iterdir", refuse)
    line = place.refuse()
    assert f"read the secrets ({place.secrets})" in line
    assert "Permission denied" in line


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("group", "name"), [("source", "pasword"), ("sauce", "url")])
def test_an_unknown_name_is_refused_in_each_source(place: Place, source: str, group: str, name: str) -> None:
    """A misspelt setting that is passed over is a setting that is not in force."""
    line = place.refuse(*place.put(source, group, name, VALUE))
    assert "there is no such setting" in line
    assert (name if group == "source" else group) in line.lower()


@pytest.mark.parametrize("name", ["ROWFERRY_CONFIGURATION", "ROWFERRY_FAILPOINTS", "rowferry_sorce__url"])
def test_a_variable_close_to_a_known_one_is_refused(place: Place, name: str) -> None:
    """Known variables that are no settings count only when spelt exactly."""
    place.set(name, VALUE)
    assert name in place.refuse()


def test_variables_and_secrets_of_other_programs_are_passed_over(place: Place) -> None:
    """`COPY` and `SOURCE__URL` without the prefix are not ours; nor is another service's credential."""
    for name in ("COPY", "COPY__SETTLE_SECONDS", "SOURCE__URL", "ROWFERRY_LAB_PROVIDERS"):
        place.set(name, VALUE)
    (place.secrets / "tls.key").write_text(VALUE, "utf-8")
    settings = load_settings()
    assert settings.source.url == SOURCE
    assert settings.copying.settle_seconds == 2.0


def test_settings_that_are_missing_are_named_with_their_variables(nothing: Place) -> None:
    """The first run of a new user."""
    line = nothing.refuse()
    assert "ROWFERRY_SOURCE__URL" in line
    assert "ROWFERRY_DESTINATION__URL" in line


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("group", "name"), [("batch", "max_rows"), ("source", "url"), ("http", "listen"), ("log", "level")]
)
def test_a_wrong_value_is_not_repeated(place: Place, source: str, group: str, name: str) -> None:
    """It may be a password in the wrong place."""
    place.patch.delenv("ROWFERRY_SOURCE__URL")
    other = [] if (group, name) == ("source", "url") else place.put(source, "source", "url", SOURCE)
    line = place.refuse(*other, *place.put(source, group, name, VALUE))
    assert f"{group}.{name}" in line


@pytest.mark.parametrize("file", ["environment", ".env"])
def test_a_group_that_is_no_json_is_one_line(place: Place, file: str) -> None:
    """Not a traceback."""
    if file == ".env":
        place.append(".env", f"ROWFERRY_BATCH={VALUE}\n")
    else:
        place.set("ROWFERRY_BATCH", VALUE)
    assert "batch" in place.refuse()


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{VALUE}/x@h:3306/db",
        f"mysql://u:{VALUE}#x@h:3306/db",
        f"mysql://u:{VALUE}?x@h:3306/db",
        f"mysql://u:[{VALUE}]@h:3306/db",
        f"mysql://u:[{VALUE}@h:3306/db",
        f"mysql://u:{VALUE}\u2100@h:3306/db",
        f"mysql://u@h:{VALUE}/db",
        "mysql://u@h:99999/db",
        "mysql://u@h:0/db",
        "mysql://u@h:3306",
        "mysql://u@h:3306/",
        "mysql://u@h:3306/a/b",
        "mysql:///db",
        "postgresql://u@h/db",
        "db",
        "",
    ],
)
def test_a_source_url_that_is_wrong_is_refused_without_its_password(place: Place, url: str) -> None:
    """urllib's own messages quote what they cannot read."""
    assert "source.url: must" in place.refuse(f"source.url={url}")


@pytest.mark.parametrize(
    "url", ["mysql://u@h/db", "postgresql://h", "postgresql:///db", f"postgresql://u:{VALUE}/x@h:5432/db"]
)
def test_a_destination_url_that_is_wrong_is_refused_without_its_password(place: Place, url: str) -> None:
    """As the source's."""
    assert "destination.url: must" in place.refuse(f"destination.url={url}")


def test_a_source_url_is_taken_apart(place: Place) -> None:
    """Percent escapes are undone in each part."""
    url = "mariadb://re%40der:p%2Fw%3A@[::1]:3307/my%20clinic"
    source = load_settings(parse_overrides([f"source.url={url}"])).source
    assert (source.host, source.port, source.user) == ("::1", 3307, "re@der")
    assert (source.database, source.secret) == ("my clinic", "p/w:")


@pytest.mark.parametrize("name", ["", "x" * 55, "é" * 28, 'a"b', "pg_raw"])
def test_a_dataset_must_be_a_schema_name_with_room_for_its_twin(place: Place, name: str) -> None:
    """`_staging` is added, and Postgres cuts names at 63 bytes without an error."""
    assert "destination.dataset" in place.refuse(f"destination.dataset={name}")


def test_secrets_and_passwords_are_masked(place: Place) -> None:
    """`rowferry config` is pasted into tickets."""
    values = describe(
        load_settings(
            parse_overrides(
                [
                    f"source.url=mysql://u:{VALUE}@h:1/db?x={VALUE}",
                    f"destination.url=postgresql://u:{VALUE}@h/db?password={VALUE}",
                    f"source.password={VALUE}",
                    f"destination.password={VALUE}",
                ]
            )
        )
    )
    assert VALUE not in str(values)
    assert values["source.url"] == "mysql://u:***@h:1/db?***"
    assert "copy.settle_seconds" in values


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (f"mysql://u:{VALUE}@h/d", "mysql://u:***@h/d"),
        (f"mysql://u:{VALUE}@x@h/d", "mysql://u:***@h/d"),
        (f"mysql://:{VALUE}@h/d", "mysql://:***@h/d"),
        ("mysql://u@h/d", "mysql://u@h/d"),
        (f"mysql://h/d?a={VALUE}", "mysql://h/d?***"),
    ],
)
def test_a_url_keeps_everything_but_its_secrets(url: str, masked: str) -> None:
    """So that a message still says which server."""
    assert mask_url(url) == masked


@pytest.mark.parametrize("source", ["--set", "environment", ".env", "secrets", "toml"])
@pytest.mark.parametrize(
    ("text", "globs"),
    [
        ("a*, b ,", ("a*", "b")),
        ('["a*", "b"]', ("a*", "b")),
        ("[ab]*,[0-9]*", ("[ab]*", "[0-9]*")),
        ("[1]", ("[1]",)),
    ],
)
def test_globs_come_from_commas_or_from_a_json_list(
    place: Place, source: str, text: str, globs: tuple[str, ...]
) -> None:
    """A JSON list that were one literal glob would copy no table; a bracket alone is a glob."""
    overrides = place.put(source, "tables", "exclude", text)
    assert load_settings(parse_overrides(overrides)).tables.exclude == globs


def test_globs_come_from_a_toml_list(place: Place) -> None:
    """With commas inside, for instance in brackets."""
    place.append("rowferry.toml", "[tables]\ninclude = ['a*', 'b[,]']\n")
    assert load_settings().tables.include == ("a*", "b[,]")


@pytest.mark.parametrize("text", [f'["{VALUE}"', f'["a", {VALUE}]', '[["a"]]', '[1, "a"]'])
def test_globs_that_look_like_json_and_are_not_are_refused(place: Place, text: str) -> None:
    """Rather than taken as a glob that matches nothing."""
    place.set("ROWFERRY_TABLES__INCLUDE", text)
    assert "tables.include" in place.refuse()


def test_overrides_nest() -> None:
    """Values may hold equals signs and dots."""
    assert parse_overrides(["a.b=1", "a.c=x=y", "d=e.f", "g.h.i="]) == {
        "a": {"b": "1", "c": "x=y"},
        "d": "e.f",
        "g": {"h": {"i": ""}},
    }


@pytest.mark.parametrize("text", [f"source.password:{VALUE}", f"={VALUE}", f"source.={VALUE}", VALUE])
def test_an_override_of_another_form_is_refused_without_its_text(place: Place, text: str) -> None:
    """The whole of it may be the value."""
    assert "group.name=value" in place.refuse(text)


@pytest.mark.parametrize(
    "texts", [(f"source={VALUE}", f"source.url={SOURCE}"), (f"source.url={SOURCE}", f"source={VALUE}")]
)
def test_a_group_cannot_be_a_value(place: Place, texts: tuple[str, str]) -> None:
    """In either order."""
    assert "source" in place.refuse(*texts)


@pytest.mark.parametrize("text", [f"[source\nurl='{VALUE}'", f"[source]\npassword={VALUE}", f"a='{VALUE}"])
def test_a_toml_file_with_a_mistake_is_named(place: Place, text: str) -> None:
    """Without the line's text."""
    place.append("rowferry.toml", text)
    assert "(rowferry.toml): " in place.refuse()


def test_the_config_file_can_be_named(place: Place) -> None:
    """By an argument first, by ROWFERRY_CONFIG next; `rowferry.toml` here comes last."""
    for name in ("rowferry", "variable", "argument"):
        place.append(f"{name}.toml", f"[destination]\ndataset = '{name}'\n")

    def dataset(config: Path | None = None) -> str:
        return load_settings(config=config).destination.dataset

    assert dataset() == "rowferry"
    place.set("ROWFERRY_CONFIG", "variable.toml")
    assert dataset() == "variable"
    assert dataset(Path("argument.toml")) == "argument"


def test_a_config_file_that_is_named_must_exist(place: Place) -> None:
    """Defaults would be in force without a word."""
    place.set("ROWFERRY_CONFIG", "missing.toml")
    assert "missing.toml" in place.refuse()


def test_the_profile_adds_its_excludes_to_those_chosen(place: Place) -> None:
    """OpenDental's temporary tables."""
    assert load_settings({"profile": "opendental"}).tables.exclude == OPENDENTAL_EXCLUDES
    chosen: dict[str, Any] = {"profile": "opendental", "tables": {"exclude": "x"}}
    assert load_settings(chosen).tables.exclude == ("x", *OPENDENTAL_EXCLUDES)
    assert load_settings().tables.exclude == ()


def test_settings_cannot_be_changed(place: Place) -> None:
    """Threads share them."""
    settings: Settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.batch.max_rows = 5
