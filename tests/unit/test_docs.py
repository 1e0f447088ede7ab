"""The documents say what the code does: tables are compared with the code, names with the tree.

What is written here once for people is derived from the code where that is possible; where a comparison
fails, its message holds the line that belongs into the document.
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_origin
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rowferry import cli, geometry, metrics, types
from rowferry import metric_families as families
from rowferry.changes import Statement
from rowferry.checkpoint import create_tracking_tables
from rowferry.errors import ExitCode
from rowferry.event_names import EVENT_TYPES
from rowferry.settings import PREFIX, ColumnSettings, Settings, describe, load_settings
from rowferry.table_schema import ColumnType

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))
PACKAGE: Final = ROOT / "daemon" / "rowferry"

HOSTS: Final = frozenset(
    {"127.0.0.1", "192.0.2.10", "db", "host", "dlthub.com", "docs.getdbt.com", "keepachangelog.com"}
    | {"semver.org", "mariadb.com", "dev.mysql.com", "www.postgresql.org", "prometheus.io"}
)
"""Hosts that a document may name; a registry of packages is none of them."""

page = pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)


def rows(name: str, *header: str) -> list[list[str]]:
    """The cells of all tables of a page that have exactly this header."""
    found: list[list[str]] = []
    wanted = False
    for line in (DOCS / name).read_text().splitlines():
        if not line.startswith("|"):
            wanted = False
            continue
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if set("".join(cells)) <= set("-: "):
            continue
        if wanted:
            found.append(cells)
        else:
            wanted = cells == list(header)
    assert found, f"{name} has no table with the header {header}"
    return found


def code(text: str) -> str:
    """As inline code."""
    return f"`{text}`"


# Settings


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as `group.name`, with its field."""
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, path + ".")
        else:
            yield path, field


KINDS: Final[dict[Any, str]] = {
    str: "text",
    SecretStr: "secret",
    int: "whole number",
    bool: "true or false",
    float: "number",
    Path: "path",
}
SIGNS: Final = {"gt": "more than", "ge": "at least", "le": "at most", "lt": "less than"}


def type_cell(field: FieldInfo) -> str:
    """A field's type in words, with its limits."""
    kind: Any = field.annotation
    if type(None) in get_args(kind):
        kind = next(a for a in get_args(kind) if a is not type(None))
    if get_origin(kind) is tuple:
        return "list"
    if get_origin(kind) is dict:
        return "section"
    if choices := [a for a in get_args(kind) if isinstance(a, str)]:
        return f"{', '.join(map(code, choices[:-1]))} or {code(choices[-1])}"
    limits = [
        f"{words} {limit}"
        for item in field.metadata
        for sign, words in SIGNS.items()
        if (limit := getattr(item, sign, None)) is not None
    ]
    return ", ".join([KINDS[kind], *limits])


def default_cell(field: FieldInfo) -> str:
    """A field's default in words."""
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "unset"
    value = ",".join(field.default) if isinstance(field.default, tuple | dict) else str(field.default)
    return code(value) if value else "empty"


def variable(path: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + path.upper().replace(".", "__")


def setting_row(path: str, field: FieldInfo) -> str:
    """The line that the page must have."""
    assert field.description, f"{path} has no description"
    cells = (code(path), code(variable(path)), type_cell(field), default_cell(field), field.description)
    return f"| {' | '.join(cells)} |"


def test_every_setting_is_described_as_the_code_has_it() -> None:
    """Name, variable, type, default and meaning: nothing missing, nothing else."""
    shown = rows("configuration.md", "Setting", "Environment variable", "Type", "Default", "Meaning")
    wanted = [setting_row(path, field) for path, field in leaves(Settings)]
    assert [f"| {' | '.join(cells)} |" for cells in shown] == wanted


ANOTHER: Final = {
    "true or false": "True",
    "whole number": "7",
    "number": "2.5",
    "text": "x",
    "path": "x",
    "list": "x",
    "secret": "x",
}
SECTIONS: Final = {
    "tables.rename": ('{"a": "b"}', "tables.rename.a", "b"),
    "columns": ('{"a": {"b": {"type": "text"}}}', "columns.a.b.type", "text"),
}
URLS: Final = {"source.url": "mysql://a@db/b", "destination.url": "postgresql://a@db/b"}


def another_value(path: str, field: FieldInfo) -> str:
    """A value that is not the default."""
    if path in URLS:
        return URLS[path]
    if path == "http.listen":
        return "127.0.0.1:1"
    if path == "batch.max_bytes":
        return "70000"
    kind = type_cell(field)
    return kind.split("`")[-2] if kind.startswith("`") else ANOTHER[kind.partition(",")[0]]


@pytest.mark.parametrize(("path", "field"), [pytest.param(p, f, id=p) for p, f in leaves(Settings)])
def test_every_environment_variable_of_the_page_is_obeyed(
    path: str, field: FieldInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable that is documented and ignored would be worse than none."""
    monkeypatch.chdir(tmp_path)
    value = SECTIONS[path][0] if path in SECTIONS else another_value(path, field)
    for name, given in ({variable(p): v for p, v in URLS.items()} | {variable(path): value}).items():
        monkeypatch.setenv(name, given)
    shown, wanted = SECTIONS[path][1:] if path in SECTIONS else (path, value)
    assert describe(load_settings())[shown] in (wanted, "**********")


def test_every_setting_of_a_column_is_described_as_the_code_has_it() -> None:
    """What stands in a section `columns.TABLE.COLUMN`."""
    wanted = [[code(name), str(field.description)] for name, field in ColumnSettings.model_fields.items()]
    assert rows("configuration.md", "Of a column", "Meaning") == wanted


def test_exit_codes_are_the_code_s() -> None:
    """Each exit code, once."""
    shown = {int(cells[0].strip("`")) for cells in rows("configuration.md", "Exit code", "Meaning")}
    assert shown == {int(c) for c in ExitCode}


# Types


def column_type(text: str) -> ColumnType:
    """What the catalogue says of a column declared like that: `decimal(10,2)`, `int unsigned`."""
    match = re.fullmatch(r"(\w+)(?:\((\d+)?(?:,(\d+))?('.*')?\))?( unsigned)?", text)
    assert match, text
    base, first, second, listed, unsigned = match.groups()
    number = int(first) if first else None
    if listed:
        labels = re.findall(r"'(\w*)'", listed)
        return ColumnType(base, length=max(map(len, labels)), charset="utf8mb4", text=text)
    return ColumnType(
        base=base,
        unsigned=bool(unsigned),
        length=number if base in ("char", "varchar", "binary", "varbinary", "bit") else None,
        precision=number if base == "decimal" else None,
        scale=int(second) if second else None,
        fraction=number or 0 if base in ("datetime", "timestamp", "time") else 0,
        text=text,
    )


def test_the_type_table_is_the_code_s() -> None:
    """Every row leads where the code leads, and every type of the code has a row."""
    seen = set()
    for source, destination, *_ in rows("types.md", "Source type", "Postgres type", "Remarks"):
        for text in re.findall(r"`([^`]+)`", source):
            found = column_type(text)
            assert code(types.destination_type(found).postgres) == destination, text
            seen.add((found.base, found.unsigned))
    signed = {base for base, _ in types._INTEGERS}
    named = types._TEXT | types._BYTES | geometry.KINDS | set(types._MAKERS) | signed
    others = {(base, False) for base in named}
    assert seen == others | set(types._INTEGERS)


def test_types_that_stop_their_table_do() -> None:
    """What the page calls not carried is refused."""
    for cells in rows("types.md", "Not carried yet"):
        for text in re.findall(r"`([^`]+)`", cells[0]):
            with pytest.raises(types.UnsupportedType):
                types.destination_type(column_type(text))


# Metrics, events, errors


def unit_of(metric: str) -> str:
    """The unit that the name of a metric promises."""
    units = {"_timestamp_seconds": "s since 1970", "_seconds": "s", "_bytes": "bytes", "_rows": "rows"}
    return next((unit for ending, unit in units.items() if metric.endswith(ending)), "1")


def there_from(metric: str, labels: str) -> str:
    """When its series begin."""
    if code("table") not in labels:
        return "start"
    continuous = ("rowferry_verify_mismatched_rows", "rowferry_verify_last_success_timestamp_seconds")
    return code("verify.continuous") if metric in continuous else "table"


def test_every_metric_is_described_as_the_registry_has_it() -> None:
    """Name as Prometheus sees it, type, unit, labels, when it begins, and meaning."""
    registry = metrics.Metrics("1", "clinic").registry
    wanted = []
    for family in registry._collector_to_names:
        name = getattr(family, "_name", "")
        if name.startswith("rowferry_"):
            kind: str = family._type  # type: ignore[attr-defined]
            labels = ", ".join(map(code, family._labelnames))  # type: ignore[attr-defined]
            shown = name + ("_total" if kind == "counter" else "")
            text: str = family._documentation  # type: ignore[attr-defined]
            wanted.append([code(shown), kind, unit_of(name), labels, there_from(name, labels), text])
    header = ("Metric", "Type", "Unit", "Labels", "There from", "Meaning")
    assert sorted(rows("metrics.md", *header)) == sorted(wanted)


def test_label_values_are_the_code_s() -> None:
    """Every label of every family, once, with all its values where these are of a fixed set."""
    fixed = {
        "state of rowferry_state": families.STATES,
        "state of rowferry_tables": families.TABLE_STATES,
        "side": families.SIDES,
        "type of rowferry_events_total": EVENT_TYPES,
        "op": families.OPERATIONS,
        "result of rowferry_batches_total": families.BATCH_RESULTS,
        "result of rowferry_schema_changes_total": families.CHANGE_RESULTS,
        "action of rowferry_zero_dates_total": families.ZERO_DATE_ACTIONS,
        "action of rowferry_schema_changes_total": families.CHANGE_ACTIONS,
        "reason of rowferry_reconnects_total": tuple(dict.fromkeys(r for _, r in families.RECONNECTS)),
        "reason": families.POLICIES,
        "stage of rowferry_errors_total": families.STAGES,
        "stage of rowferry_batch_duration_seconds": families.BATCH_STAGES,
        "kind of rowferry_errors_total": families.ERROR_KINDS,
        "kind of rowferry_verify_mismatched_rows": families.DIFFERENCES,
    }
    shown = {label.replace("`", ""): text for label, text in rows("metrics.md", "Label", "Values")}
    open_ended = {"source", "table", "version", "dlt", "type of rowferry_unknown_events_total"}
    assert shown.keys() == fixed.keys() | open_ended
    labels = {label for family in families.FAMILIES for label in family.labels}
    assert {label.partition(" ")[0] for label in shown} == labels | {"source", "version", "dlt"}
    for label, values in fixed.items():
        assert re.findall(r"`(\w+)`", re.split("[:;]", shown[label])[0]) == list(values), label


def logged_events() -> dict[str, set[str]]:
    """Names and fields of everything that the daemon logs."""
    found: dict[str, set[str]] = {}
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            logger = ast.unparse(node.func.value)
            if logger.endswith(("_log", "log")) and node.func.attr in ("debug", "info", "warning", "error"):
                assert isinstance(node.args[0], ast.Constant)
                fields = found.setdefault(str(node.args[0].value), set())
                fields.update(k.arg for k in node.keywords if k.arg)
    return found


def test_every_log_event_is_described_with_its_fields() -> None:
    """Events by name; people and programs search for them."""
    shown = {
        event.strip("`"): set(re.findall(r"`(\w+)`", fields))
        for event, _, fields, _ in rows("logs.md", "Event", "Level", "Fields", "Meaning")
    }
    assert shown == logged_events()


def test_the_line_of_a_batch_is_explained() -> None:
    """Every field of it."""
    text = " ".join(" ".join(cells) for cells in rows("logs.md", "Field", "Holds"))
    assert set(re.findall(r"`([a-z_]+)`", text)) >= logged_events()["batch_committed"]


# Tracking tables


def columns_in(statement: Statement) -> tuple[str, dict[str, str]] | None:
    """Name, columns and types of a CREATE TABLE statement."""
    match = re.search(r'CREATE TABLE IF NOT EXISTS "raw"\."(\w+)" \((.*)\)\s*\Z', statement.text, re.DOTALL)
    if match is None:
        return None
    parts = [p.split() for p in re.split(r",(?![^(]*\))", match[2])]
    return match[1], {p[0]: p[1] for p in parts if p[0] != "PRIMARY"}


def test_every_column_of_the_tracking_tables_is_described() -> None:
    """Table, column and type."""
    made = [c for s in create_tracking_tables("raw") if (c := columns_in(s)) is not None]
    wanted = {(code(t), code(c), kind) for t, columns in made for c, kind in columns.items()}
    shown = rows("tracking-tables.md", "Table", "Column", "Type", "Meaning")
    assert {(table, column, kind) for table, column, kind, _ in shown} == wanted


# Dependencies and modules


def test_every_dependency_has_its_reason() -> None:
    """One row each, those of developers apart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        return {code(re.split(r"[\[<>=!~ ]", r)[0]) for r in requirements}

    shown = {cells[0] for cells in rows("dependencies.md", "Package", "Why")}
    assert shown == names(project["dependencies"])
    developers = {cells[0] for cells in rows("dependencies.md", "For developers", "Why")}
    assert developers == names(project["optional-dependencies"]["dev"])


def test_every_module_has_its_place() -> None:
    """The architecture names the modules that there are, and no others."""
    modules = {p.relative_to(PACKAGE).with_suffix("").as_posix() for p in PACKAGE.rglob("*.py")}
    shown: list[str] = []
    for _, cell, _ in rows("architecture.md", "Tier", "Modules", "Holds"):
        shown += re.findall(r"`([\w/]+)`", cell)
    assert sorted(shown) == sorted(m for m in modules if not m.endswith("__init__"))


def tiers() -> dict[str, int]:
    """The tier of each module, as the architecture says."""
    table = rows("architecture.md", "Tier", "Modules", "Holds")
    return {m: int(tier) for tier, cell, _ in table for m in re.findall(r"`([\w/]+)`", cell)}


def imports(module: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_towards_the_lower_tiers() -> None:
    """A module imports from its own tier and from lower ones, as the architecture says."""
    known = tiers()
    for name, tier in known.items():
        for imported in imports(PACKAGE / f"{name}.py"):
            parts = imported.split(".")[1:] if imported.startswith("rowferry.") else []
            for other in ("/".join(parts[:2]), *parts[:1]):
                assert known.get(other, 0) <= tier, f"{name} imports {other}"


def test_two_libraries_have_one_importer_each() -> None:
    """dlt stays inside of `load`, mysql-replication inside of `binlog`."""
    importers: dict[str, set[str]] = {"dlt": set(), "pymysqlreplication": set()}
    for module in PACKAGE.rglob("*.py"):
        for imported in imports(module):
            if (library := imported.partition(".")[0]) in importers:
                importers[library].add(module.relative_to(PACKAGE).parts[0])
    assert importers == {"dlt": {"load"}, "pymysqlreplication": {"binlog.py"}}


# Names, commands, addresses

_FOLDERS: Final = r"(?:daemon|docs|tests|lab|tools|benchmarks|\.ci)/[\w./-]*\w"
_REGISTERED: Final = re.compile(r"(?<![\w/.-])" + _FOLDERS)
_LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)|\]\(#([\w-]+)\)")
_TEST: Final = re.compile(r"\btest_\w+")
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMAND: Final = re.compile(r"(?:\S*/)?rowferry\s+\S")


def commands(text: str) -> Iterator[str]:
    """Every `rowferry ...` command of a page, in blocks and in lines."""
    blocks = re.findall(r"^```(?:console|sh|ini)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    candidates = [line.removeprefix("ExecStart=") for block in blocks for line in block.splitlines()]
    for candidate in [*candidates, *_INLINE.findall(text)]:
        bare = re.sub(r"^(?:\w+=\S+\s+|sudo\s+(?:-\w+\s+)*)+", "", candidate.strip())
        if _COMMAND.match(bare):
            yield bare


def anchors(path: Path) -> set[str]:
    """The headings of a page, as links name them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def existing_tests() -> set[str]:
    """Names of all tests and of the modules that hold them."""
    names: set[str] = set()
    for module in (ROOT / "tests").rglob("test_*.py"):
        names.add(module.stem)
        names.update(re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE))
    return names


def is_understood(command: str) -> bool:
    """Whether the command line's parser takes it, or answers it as it does --help."""
    try:
        cli.parser().parse_args(shlex.split(command.replace("...", ""), comments=True)[1:])
    except SystemExit as ended:
        return ended.code == 0
    return True


@page
def test_commands_shown_are_commands(path: Path) -> None:
    """What a reader copies is understood by the command line."""
    refused = [line for line in commands(path.read_text()) if not is_understood(line)]
    assert refused == []


def test_commands_are_found() -> None:
    """The search above does not pass by finding nothing."""
    found = list(commands((ROOT / "README.md").read_text()))
    assert {"rowferry check", "rowferry run", "rowferry resync --all"} <= set(found)


@page
def test_paths_and_links_lead_somewhere(path: Path) -> None:
    """No page names a file that is not there, or a heading that is not."""
    text = path.read_text()
    for name in _REGISTERED.findall(text):
        assert (ROOT / name).exists(), name
    for target, anchor, here in _LINK.findall(text):
        if "://" in target:
            continue
        other = (path.parent / target) if target else path
        assert other.exists(), target
        assert not (anchor or here) or (anchor or here) in anchors(other), f"{target}#{anchor or here}"


@page
def test_tests_that_are_named_exist(path: Path) -> None:
    """A promise that names a test has one."""
    assert set(_TEST.findall(path.read_text())) <= existing_tests()


@page
def test_make_targets_that_are_named_exist(path: Path) -> None:
    """`make demo` and its like."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(), re.MULTILINE)) <= targets


@page
def test_pages_name_no_other_hosts_and_no_place_of_one_machine(path: Path) -> None:
    """Addresses are documentation's and examples; a registry of packages is a matter of the machine."""
    text = path.read_text()
    urls = re.findall(r"\b(?:https?|mysql|postgresql)://[^\s`\"')>|]+", text)
    for url in urls:
        assert (urlsplit(url).hostname or "") in HOSTS, url
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text


def test_the_readme_leads_to_every_page() -> None:
    """A page that nothing leads to is not read."""
    text = (ROOT / "README.md").read_text()
    assert [p.name for p in DOCS.glob("*.md") if f"(docs/{p.name})" not in text] == []


def test_the_licence_is_the_one_of_the_project() -> None:
    """The whole text of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "LICENSE").read_text()
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
