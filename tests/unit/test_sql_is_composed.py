"""Nothing but quoted names and the type table's own words is ever put into a statement's text.

Values go by parameters, by COPY, or (to MySQL, for the keys of a copy) as hexadecimal or checked digits.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rowferry
from rowferry.chunk_sql import chunk_select, encode_key, quote
from rowferry.destination import create_table, name
from rowferry.key_sql import rows_select
from rowferry.table_schema import Column, ColumnType, TableId, TableSchema

PACKAGE = Path(rowferry.__file__).parent
SQL = re.compile(
    r"\s*\(?(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|TRUNCATE|COPY|COMMENT|ADD COLUMN|"
    r"PRIMARY KEY|CAST|CONVERT|FROM|JOIN|WHERE|AND|OR|ORDER BY|FORCE INDEX|SET|SHOW|START)\s*\(?[ \n({\"]"
)
ALLOWED = {
    "checkpoint": r"name\(.*\)|literal\(.*\)",
    "quarantine": r"name\(.*\)",
    "resync": r"name\(.*\)",
    "status": r"name\(.*\)",
    "waiting": r"name\(.*\)",
    "destination": r"name\(.*\)|there|literal\(.*\)|kinds\[n\]"
    r"|', '\.join\((parts|\(name\(k\) for k in there\.key\))\)",
    "chunk_sql": r"quote\(.*\)|qualified\(table\)|columns|where|order|limit|lead|_by_key\(table\)"
    r"|names|place|rows - 1",
    "checksum_sql": r"_SUMS|rows|_ALL|columns|where|more|index|texts|qualified\(table\)"
    r"|(_of_row|_key|_bucket)\(table\)|quote\(table\.key_index\)",
    "checksum_there": r"_SUMS|rows|row|more|arrays|wanted|same|where|name\(.*\)|_bucket\(table\)"
    r"|' AND '\.join\(conditions\)",
    "verify_values": r"name\(.*\)|temporary|columns|table|csv_file.COPY_OPTIONS|equal|texts|there|here"
    r"|same_key",
    "copy_read": r"seconds|sql|max\(1, int\(seconds \* 1000\)\)",
    "requests": r"name\(.*\)|where",
    "layout_changes": r"there|kind|filled|name\(.*\)",
    "schema_log": r"name\(.*\)",
    "fitting": r"', '\.join\(parts\)|change\.(wanted|instead)|_NEW\[column\]|value|column|there|part"
    r"|index|whole|again|kind|columns|same|nothing|name\(.*\)",
    "key_sql": r"qualified\(table\)|columns|with_keys\(table, keys\)",
    "mysql_catalog": r"quote\(.*\)|', '\.join\(\['%s'\] \* len\(names\)\)",
    "mysql_source": r"NET_TIMEOUT_SECONDS|marks",
    "check_source": r"name|value",
    "check_grants": r"right|pattern|account\.name",
    "check_dataset": r"name\(.*\)",
    "check_destination": r"name\(.*\)|setting|value|words|function|ddl\(name\(user\)\)\.text",
    "init_files": r"account|monitor|role|database|literal\(password\)|text_literal\(.*\)"
    r"|database_pattern\(.*\)",
    "check_command": r"account|database",
}
"""By module, what may stand in the place of a `{}` in a statement; all of it made of names, or checked."""


def interpolations(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What is put into texts that look like SQL."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        first = node.values[0]
        text = first.value if isinstance(first, ast.Constant) else ""
        if isinstance(text, str) and SQL.match(text):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield node.lineno, ast.unparse(part.value)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_only_names_are_put_into_statements(path: Path) -> None:
    """Whatever else a new statement needs must become a parameter, or be allowed here."""
    allowed = re.compile(ALLOWED.get(path.stem, r"(?!)"))
    for line, text in interpolations(ast.parse(path.read_text())):
        assert allowed.fullmatch(text), f"{path.name}:{line}: {text}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "load").glob("*.py")), ids=lambda p: p.stem)
def test_the_loader_composes_with_the_drivers_own_means(path: Path) -> None:
    """`SQL` takes constants only, and the type table's words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "SQL":
            text = ast.unparse(node.args[0])
            constant = isinstance(node.args[0], ast.Constant)
            assert constant or text in ("csv_file.COPY_OPTIONS", "t"), f"{path.name}:{node.lineno}: {text}"


HOSTILE = ("a`b", 'a"b', "a'b", "%s", "%%", "a;DROP TABLE x", "--", "/*", "{0}", "a\\", "a\nb", "é😀")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_keys_stay_inside_their_quotes(text: str) -> None:
    """In the source's dialect and in the destination's."""
    kind = ColumnType("varchar", length=9, charset="utf8mb4", text="varchar(9)")
    table = TableSchema(TableId(text, text), (Column(text, kind, nullable=False),), (text,))
    assert quote(text) == "`" + text.replace("`", "``") + "`"
    for statement in (
        chunk_select(table, encode_key([text.encode()]), 5),
        rows_select(table, [(text,)]),
    ):
        bare = statement.replace(quote(text), "")
        assert text.encode().hex() in bare
        assert not any(part in bare for part in (text, "'" * 3))
    made = create_table(text, table).text
    quoted = '"' + text.replace('"', '""') + '"'
    assert text not in made.replace(quoted, "")
    assert name(text) == quoted.replace("%", "%%")
