"""The shape of the code: imports go down the tiers, one outside thing has one importer, nothing is too long.

A module that is new must be given its tier here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import rowferry

PACKAGE = Path(rowferry.__file__).parent
TIERS = (
    "errors position failpoints daemon_state",
    "table_schema changes column_settings setting_groups settings",
    "types wire_types table_map decode charset_tables charsets arrays decimals temporal mysql_json "
    "labels temporal_hires compressed geometry fixed_kinds convert ddl transaction json_texts overrides "
    "retype zero_dates policies text_columns carry row_history batch assemble touched lag load_ids progress "
    "repeats chunk_sql key_sql key_texts payload binlog_events row_text checksum_sql verify_keys "
    "judging sql_words column_words definitions actions alterations filled widening evolve "
    "event_names metric_families retention happenings lag_history readiness page_words page_style "
    "lag_plot page",
    "terminal crash mysql_source raw_rows mysql_catalog dispatch binlog destination standing fitting "
    "requests checkpoint load metrics logs schema_log book layout_changes status_server batch_queue "
    "quarantine checksum_there verify_sides systemd binlog_files state_dir pace",
    "copy_pace copy_read copy_jobs copy copy_gate copies monitor follower applier batch_log desk "
    "feeder preflight resync status schema_report waiting verify_walk verify_values verify repair "
    "verify_watch findings check_source check_grants check_tables",
    "__init__ startup attempt board loading pipeline quarantine_commands resync_command "
    "schema_command schema_plan verify_command cli __main__ standby endpoints check_server "
    "check_destination check_dataset check_host check_command init_answers init_files init_command "
    "health",
)
TIER_OF = {module: tier for tier, modules in enumerate(TIERS) for module in modules.split()}
PURE = {module for tier in TIERS[:3] for module in tier.split()}
BROAD_EXCEPTS = {"attempt": 1, "pipeline": 1, "status_server": 1}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60


@dataclass(frozen=True)
class Import:
    """One import. runtime: whether it happens outside of `if TYPE_CHECKING`."""

    module: str
    line: int
    runtime: bool


@dataclass(frozen=True)
class Source:
    """A file of the package. unit: its module or package directly below `rowferry`."""

    path: Path
    unit: str
    name: str
    text: str
    tree: ast.Module

    @property
    def imports(self) -> tuple[Import, ...]:
        """All of them, also those inside of functions."""
        checked = {
            id(node)
            for block in ast.walk(self.tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for statement in block.body
            for node in ast.walk(statement)
        }
        return tuple(
            Import(module, node.lineno, id(node) not in checked)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in _modules(node)
        )

    @property
    def annotated_only(self) -> frozenset[str]:
        """Names that appear in annotations and nowhere else (annotations are not evaluated)."""
        annotations = {
            id(part)
            for node in ast.walk(self.tree)
            for annotation in _annotations(node)
            for part in ast.walk(annotation)
        }
        names = [node for node in ast.walk(self.tree) if isinstance(node, ast.Name)]
        used = {node.id for node in names if id(node) not in annotations}
        return frozenset({node.id for node in names} - used)


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "imports name the whole path"
    if node.module == "rowferry":
        yield from (f"rowferry.{alias.name}" for alias in node.names)
    else:
        yield node.module or ""


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
        yield node.returns
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation


def _read(path: Path) -> Source:
    relative = path.relative_to(PACKAGE).with_suffix("")
    text = path.read_text("utf-8")
    return Source(path, relative.parts[0], ".".join(relative.parts), text, ast.parse(text))


SOURCES = [_read(path) for path in sorted(PACKAGE.rglob("*.py"))]
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)


def own_units(source: Source, *, runtime_only: bool = False) -> set[str]:
    """The modules of the package that a file imports; names of the package itself are its `__init__`."""
    found = set()
    for each in source.imports:
        root, *rest = each.module.split(".")
        if root == "rowferry" and (each.runtime or not runtime_only):
            found.add(rest[0] if rest and rest[0] in TIER_OF else "__init__")
    return found


def calls(source: Source) -> set[str]:
    """What is called, as written."""
    return {ast.unparse(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}


def importers(library: str) -> dict[str, set[str]]:
    """Units that import a library at runtime, and what of it."""
    found: dict[str, set[str]] = {}
    for source in SOURCES:
        for each in source.imports:
            if each.module.split(".")[0] == library and each.runtime:
                found.setdefault(source.unit, set()).add(each.module)
    return found


def test_every_module_has_a_tier() -> None:
    """And every module that has one exists."""
    assert {source.unit for source in SOURCES} == set(TIER_OF)


@each_source
def test_imports_go_down(source: Source) -> None:
    """A module knows its own tier and those below; the version, in `__init__`, is known to all."""
    tier = TIER_OF[source.unit]
    upwards = {unit for unit in own_units(source) - {"__init__"} if TIER_OF[unit] > tier}
    assert not upwards, f"{source.name} (tier {tier}) imports {upwards}"


def test_no_modules_import_each_other() -> None:
    """Also not within a tier."""
    graph: dict[str, set[str]] = {}
    for source in SOURCES:
        graph.setdefault(source.unit, set()).update(own_units(source, runtime_only=True) - {source.unit})
    graph["__init__"] = set()
    TopologicalSorter(graph).prepare()


def test_no_modules_of_the_loader_import_each_other() -> None:
    """It is a package of its own."""
    inside = [source for source in SOURCES if source.unit == "load"]
    names = {source.name for source in inside}
    graph = {
        source.name: {each.module.removeprefix("rowferry.") for each in source.imports if each.runtime}
        & names
        for source in inside
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("pymysqlreplication", {"binlog"}),
        ("dlt", {"load"}),
        ("prometheus_client", {"metrics"}),
        ("structlog", {"logs"}),
        ("sqlglot", {"ddl"}),
        ("pydantic", {"settings", "setting_groups", "column_settings"}),
        ("pydantic_settings", {"settings", "setting_groups"}),
        ("http", {"status_server", "health"}),
        ("argparse", {"cli"}),
    ],
)
def test_an_outside_thing_has_one_importer(library: str, only: set[str]) -> None:
    """So that it can change, or be changed, in one place."""
    assert set(importers(library)) == only


@pytest.mark.parametrize(
    ("library", "only"), [("pymysql", {"mysql_source", "binlog"}), ("psycopg", {"destination", "load"})]
)
def test_a_driver_is_known_to_its_own_side(library: str, only: set[str]) -> None:
    """Others may name a connection's type in annotations, and do nothing with the library itself."""
    types = {"pymysql": {"pymysql.connections"}, "psycopg": set[str]()}[library]
    for source in SOURCES:
        for each in source.imports:
            if each.module.split(".")[0] != library or not each.runtime or source.unit in only:
                continue
            assert each.module in types, f"{source.name}:{each.line}"
            assert "Connection" in source.annotated_only, f"{source.name} uses Connection at runtime"


@each_source
def test_the_laboratory_is_not_shipped(source: Source) -> None:
    """Nor are the tests and their tools."""
    forbidden = {"rowferry_lab", "tests", "benchmarks", "pytest", "hypothesis"}
    assert not {each.module.split(".")[0] for each in source.imports} & forbidden


@pytest.mark.parametrize("source", [s for s in SOURCES if s.unit in PURE], ids=lambda s: s.name)
def test_the_core_has_no_sockets_threads_or_clocks(source: Source) -> None:
    """Values in, values out."""
    forbidden = {"socket", "threading", "time", "subprocess", "asyncio", "logging", "random"}
    assert not {each.module.split(".")[0] for each in source.imports} & forbidden
    assert not calls(source) & {"open", "input", "datetime.now", "datetime.utcnow", "dt.datetime.now"}


@each_source
def test_only_the_command_line_prints(source: Source) -> None:
    """The daemon's words are log events."""
    assert source.unit in ("cli", "resync_command") or "print" not in calls(source)


@each_source
def test_only_the_run_loop_catches_everything(source: Source) -> None:
    """Elsewhere a defect would be passed over."""
    broad = [
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
    ]
    suppressed = re.search(r"suppress\([^)]*\b(Base)?Exception\b", source.text)
    assert len(broad) == BROAD_EXCEPTS.get(source.unit, 0), f"lines {broad}"
    assert not suppressed


@each_source
def test_invariants_do_not_depend_on_assert(source: Source) -> None:
    """It can be switched off."""
    lines = [node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.Assert)]
    assert not lines


@each_source
def test_every_module_says_what_it_holds(source: Source) -> None:
    """In its docstring."""
    assert ast.get_docstring(source.tree)


@each_source
def test_every_public_thing_has_a_docstring(source: Source) -> None:
    """Functions, classes and methods whose names do not begin with an underscore."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nested = [
        inner
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
        if inner is not node
    ]
    hidden = [
        inner
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and (node.name.startswith("_") or node.bases)
        for inner in node.body
    ]
    passed_over = {id(node) for node in [*nested, *hidden]}
    bare = [
        node.name
        for node in ast.walk(source.tree)
        if isinstance(node, kinds)
        and not node.name.startswith("_")
        and id(node) not in passed_over
        and not ast.get_docstring(node)
    ]
    assert not bare


@each_source
def test_no_module_and_no_function_is_too_long(source: Source) -> None:
    """A module that grows past its bound becomes a package."""
    assert len(source.text.splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@each_source
def test_nothing_is_left_to_do(source: Source) -> None:
    """Open ends belong into the tracker."""
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", source.text)


@each_source
def test_every_lint_exception_says_why(source: Source) -> None:
    """`# noqa: X - reason`."""
    for line in source.text.splitlines():
        if "# noqa" in line:
            assert re.search(r"# noqa: [A-Z0-9, ]+ - \w", line), line
