"""A column's definition in a DDL statement: its type as the catalogue would show it, and its attributes.

Pure text, no server. Types and their other names: https://dev.mysql.com/doc/refman/9.7/en/data-types.html,
https://mariadb.com/kb/en/data-types/ and the grammar of both servers (sql_yacc.yy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from rowferry.sql_words import NotUnderstood, Pieces
from rowferry.table_schema import ColumnType


class DefaultKind(Enum):
    """What a definition says of the column's default."""

    NONE = "none"
    NULL = "null"
    TEXT = "text"
    NUMBER = "number"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Default:
    """text: of a literal, without its quotes."""

    kind: DefaultKind = DefaultKind.NONE
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a statement says of a column.

    type: charset is None unless the statement names it. texts: how COLUMN_TYPE may show the type; several
    where MariaDB and MySQL differ. collated: whether it names a character set or a collation. nullable:
    None where it depends on a setting of the server (TIMESTAMP). key: whether it makes the column part of
    one. first, after: its place; the name of the column before it.
    """

    name: str
    type: ColumnType
    texts: tuple[str, ...]
    nullable: bool | None = True
    default: Default = Default()
    generated: bool = False
    auto_increment: bool = False
    key: bool = False
    on_update: bool = False
    collated: bool = False
    first: bool = False
    after: str = ""


_INTEGERS: Final = {
    **dict.fromkeys(("TINYINT", "INT1"), "tinyint"),
    **dict.fromkeys(("SMALLINT", "INT2"), "smallint"),
    **dict.fromkeys(("MEDIUMINT", "INT3", "MIDDLEINT"), "mediumint"),
    **dict.fromkeys(("INT", "INTEGER", "INT4"), "int"),
    **dict.fromkeys(("BIGINT", "INT8"), "bigint"),
}
_WIDTHS: Final = {"tinyint": (4, 3), "smallint": (6, 5), "mediumint": (9, 8), "int": (11, 10)}
"""Digits that MariaDB shows, signed and unsigned; 20 for BIGINT."""
_TEXTS: Final = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 16_777_215, "LONGTEXT": 4_294_967_295}
_PLAIN: Final = frozenset(
    {"TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "DATE", "JSON", "UUID", "INET4", "INET6"}
)
_MOST_CHARACTERS: Final = 16_383
"""Of a VARCHAR: with more the server may make a TEXT of it."""
_NOW: Final = ("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP")
_FUNCTIONS: Final = (*_NOW, "CURRENT_DATE", "CURDATE", "CURRENT_TIME", "CURTIME", "SYSDATE", "UUID")
_CHARSETS: Final = frozenset(
    {"utf8", "utf8mb3", "utf8mb4", "latin1", "latin2", "ascii", "cp1250", "cp1251", "cp1252", "ucs2"}
    | {"utf16", "utf16le", "utf32", "latin5", "latin7", "greek", "hebrew", "koi8r", "cp850", "cp852"}
)


def read_definition(pieces: Pieces) -> Definition:
    """A name, a type and attributes, to where they end. Raises NotUnderstood."""
    name = pieces.name()
    found = _type(pieces, name)
    while (more := _attribute(pieces, found)) is not None:
        found = more
    return found


def _type(pieces: Pieces, name: str) -> Definition:
    word = pieces.next("word").word
    if word in _INTEGERS:
        return _integer(pieces, name, _INTEGERS[word])
    if word in _TEXTS:
        return _with_charset(pieces, _of(name, ColumnType(word.lower(), length=_TEXTS[word])))
    if word in _PLAIN:
        return _of(name, ColumnType(word.lower()))
    maker = _MAKERS.get(word)
    if maker is None:
        raise NotUnderstood
    return maker(pieces, name)


def _of(name: str, kind: ColumnType, *texts: str) -> Definition:
    shown = texts or (kind.base,)
    return Definition(name, replace(kind, text=shown[0]), tuple(dict.fromkeys(shown)))


def _length(pieces: Pieces) -> int | None:
    """A number in parentheses that is not zero; None if there is none."""
    if not pieces.take("("):
        return None
    found = pieces.whole_number()
    pieces.need(")")
    if not found:
        raise NotUnderstood
    return found


def _signs(pieces: Pieces) -> tuple[bool, bool]:
    """Whether UNSIGNED and ZEROFILL follow; the second means the first, too."""
    unsigned = zerofill = signed = False
    while word := pieces.take_one("UNSIGNED", "ZEROFILL", "SIGNED"):
        unsigned, zerofill = unsigned or word == "UNSIGNED", zerofill or word == "ZEROFILL"
        signed = signed or word == "SIGNED"
    if signed and (unsigned or zerofill):
        raise NotUnderstood
    return unsigned or zerofill, zerofill


def _signed_text(shown: str, unsigned: bool, zerofill: bool) -> str:
    return shown + " unsigned" * unsigned + " zerofill" * zerofill


def _integer(pieces: Pieces, name: str, base: str) -> Definition:
    """MariaDB shows a width of digits always, MySQL with ZEROFILL and of TINYINT(1)."""
    width = _length(pieces)
    unsigned, zerofill = _signs(pieces)
    shown = width or _WIDTHS.get(base, (20, 20))[unsigned]
    mariadb = _signed_text(f"{base}({shown})", unsigned, zerofill)
    kept = zerofill or (base == "tinyint" and width == 1 and not unsigned)
    mysql = mariadb if kept else _signed_text(base, unsigned, zerofill)
    return _of(name, ColumnType(base, unsigned=unsigned), mariadb, mysql)


def _boolean(_: Pieces, name: str) -> Definition:
    return _of(name, ColumnType("tinyint"), "tinyint(1)")


def _serial(_: Pieces, name: str) -> Definition:
    made = _of(name, ColumnType("bigint", unsigned=True), "bigint(20) unsigned", "bigint unsigned")
    return replace(made, nullable=False, auto_increment=True, key=True)


def _two(pieces: Pieces) -> tuple[int | None, int | None]:
    if not pieces.take("("):
        return None, None
    first = pieces.whole_number()
    second = pieces.whole_number() if pieces.take(",") else None
    pieces.need(")")
    return first, second


def _decimal(pieces: Pieces, name: str) -> Definition:
    precision, scale = _two(pieces)
    precision, scale = 10 if precision is None else precision, scale or 0
    if not 1 <= precision <= 65 or scale > min(38, precision):
        raise NotUnderstood
    unsigned, zerofill = _signs(pieces)
    kind = ColumnType("decimal", unsigned=unsigned, precision=precision, scale=scale)
    return _of(name, kind, _signed_text(f"decimal({precision},{scale})", unsigned, zerofill))


def _float(pieces: Pieces, name: str) -> Definition:
    """FLOAT(25) and more is a DOUBLE."""
    precision, scale = _two(pieces)
    if precision is not None and scale is None:
        if not 1 <= precision <= 53:
            raise NotUnderstood
        return _floating(pieces, name, "float" if precision <= 24 else "double", "")
    return _floating(pieces, name, "float", f"({precision},{scale})" if scale is not None else "")


def _double(pieces: Pieces, name: str) -> Definition:
    pieces.take("PRECISION")
    precision, scale = _two(pieces)
    if (precision is None) != (scale is None):
        raise NotUnderstood
    return _floating(pieces, name, "double", f"({precision},{scale})" if scale is not None else "")


def _floating(pieces: Pieces, name: str, base: str, digits: str) -> Definition:
    unsigned, zerofill = _signs(pieces)
    shown = _signed_text(base + digits, unsigned, zerofill)
    return _of(name, ColumnType(base, unsigned=unsigned), shown)


def _char(pieces: Pieces, name: str) -> Definition:
    if pieces.take("VARYING"):
        return _varchar(pieces, name)
    length = _length(pieces) or 1
    return _with_charset(pieces, _of(name, ColumnType("char", length=length), f"char({length})"))


def _varchar(pieces: Pieces, name: str) -> Definition:
    length = _length(pieces)
    if length is None or length > _MOST_CHARACTERS:
        raise NotUnderstood
    return _with_charset(pieces, _of(name, ColumnType("varchar", length=length), f"varchar({length})"))


def _national(pieces: Pieces, name: str) -> Definition:
    word = pieces.take_one("CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER")
    if not word:
        raise NotUnderstood
    return _in_utf8(_char(pieces, name) if word in ("CHAR", "CHARACTER") else _varchar(pieces, name))


def _nchar(pieces: Pieces, name: str) -> Definition:
    varying = pieces.take_one("VARYING", "VARCHAR", "VARCHARACTER")
    return _in_utf8(_varchar(pieces, name) if varying else _char(pieces, name))


def _in_utf8(made: Definition) -> Definition:
    if made.type.charset not in (None, "utf8mb3"):
        raise NotUnderstood
    return replace(made, type=replace(made.type, charset="utf8mb3"), collated=True)


def _long(pieces: Pieces, name: str) -> Definition:
    if pieces.take("VARBINARY"):
        return _of(name, ColumnType("mediumblob"))
    if not pieces.take_one("VARCHAR", "VARCHARACTER") and pieces.take_one("CHAR", "CHARACTER"):
        pieces.need("VARYING")
    return _with_charset(pieces, _of(name, ColumnType("mediumtext", length=_TEXTS["MEDIUMTEXT"])))


def _binary(pieces: Pieces, name: str) -> Definition:
    length = _length(pieces) or 1
    return _of(name, ColumnType("binary", length=length), f"binary({length})")


def _varbinary(pieces: Pieces, name: str) -> Definition:
    length = _length(pieces)
    if length is None or length > _TEXTS["TEXT"] - 3:
        raise NotUnderstood
    return _of(name, ColumnType("varbinary", length=length), f"varbinary({length})")


def _bit(pieces: Pieces, name: str) -> Definition:
    length = _length(pieces) or 1
    return _of(name, ColumnType("bit", length=length), f"bit({length})")


def _year(pieces: Pieces, name: str) -> Definition:
    if _length(pieces) not in (None, 4):
        raise NotUnderstood
    return _of(name, ColumnType("year"), "year(4)", "year")


def _timed(base: str) -> Callable[[Pieces, str], Definition]:
    def read(pieces: Pieces, name: str) -> Definition:
        fraction = 0
        if pieces.take("("):
            fraction = pieces.whole_number()
            pieces.need(")")
        if fraction > 6:
            raise NotUnderstood
        shown = f"{base}({fraction})" if fraction else base
        made = _of(name, ColumnType(base, fraction=fraction), shown)
        return replace(made, nullable=None) if base == "timestamp" else made

    return read


def _labels(base: str) -> Callable[[Pieces, str], Definition]:
    def read(pieces: Pieces, name: str) -> Definition:
        pieces.need("(")
        labels = [pieces.text().rstrip(" ")]
        while pieces.take(","):
            labels.append(pieces.text().rstrip(" "))
        pieces.need(")")
        lengths = [len(label) for label in labels]
        length = max(lengths) if base == "enum" else sum(lengths) + len(labels) - 1
        listed = ",".join("'" + label.replace("'", "''") + "'" for label in labels)
        return _with_charset(pieces, _of(name, ColumnType(base, length=length), f"{base}({listed})"))

    return read


_MAKERS: Final[dict[str, Callable[[Pieces, str], Definition]]] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), _boolean),
    **dict.fromkeys(("DECIMAL", "DEC", "NUMERIC", "FIXED"), _decimal),
    **dict.fromkeys(("FLOAT", "FLOAT4"), _float),
    **dict.fromkeys(("DOUBLE", "FLOAT8"), _double),
    **dict.fromkeys(("CHAR", "CHARACTER"), _char),
    **dict.fromkeys(("VARCHAR", "VARCHARACTER"), _varchar),
    "SERIAL": _serial,
    "NATIONAL": _national,
    "NCHAR": _nchar,
    "NVARCHAR": lambda pieces, name: _in_utf8(_varchar(pieces, name)),
    "LONG": _long,
    "BINARY": _binary,
    "VARBINARY": _varbinary,
    "BIT": _bit,
    "YEAR": _year,
    **{base.upper(): _timed(base) for base in ("datetime", "timestamp", "time")},
    **{base.upper(): _labels(base) for base in ("enum", "set")},
}


def _with_charset(pieces: Pieces, made: Definition) -> Definition:
    """The character set and the collation that follow a text type, in any order."""
    while True:
        if pieces.take("BINARY"):
            made = replace(made, collated=True)
        elif pieces.take("COLLATE"):
            made = _collated(pieces, made)
        elif pieces.take("CHARSET") or pieces.take("CHARACTER", "SET"):
            made = _in_charset(made, charset_name(pieces))
        else:
            return made


def charset_name(pieces: Pieces) -> str:
    """A character set's name, lower case; utf8 is utf8mb3. Raises NotUnderstood for unknown ones."""
    found = pieces.text() if pieces.comes("text") else pieces.name()
    if found.lower() not in _CHARSETS:
        raise NotUnderstood
    return "utf8mb3" if found.lower() == "utf8" else found.lower()


def _in_charset(made: Definition, charset: str) -> Definition:
    if made.type.charset not in (None, charset):
        raise NotUnderstood
    return replace(made, type=replace(made.type, charset=charset), collated=True)


def _collated(pieces: Pieces, made: Definition) -> Definition:
    """A collation's name begins with its character set's; MariaDB's newer ones need not."""
    found = (pieces.text() if pieces.comes("text") else pieces.name()).lower()
    charset = found.partition("_")[0]
    if charset == "binary":
        raise NotUnderstood
    if charset not in _CHARSETS:
        return replace(made, collated=True)
    return _in_charset(made, "utf8mb3" if charset == "utf8" else charset)


def _attribute(pieces: Pieces, made: Definition) -> Definition | None:
    """The definition with the next attribute; None if none follows."""
    if pieces.take("NOT", "NULL"):
        return replace(made, nullable=False)
    if pieces.take("NULL"):
        return replace(made, nullable=True)
    if pieces.take("DEFAULT"):
        return replace(made, default=read_default(pieces))
    if pieces.take("COMMENT"):
        pieces.next("text", "quoted")
        return made
    if pieces.take("COLLATE"):
        return _collated(pieces, made)
    return _of_key(pieces, made) or _computed(pieces, made) or _placed(pieces, made)


def _of_key(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take_one("AUTO_INCREMENT"):
        return replace(made, auto_increment=True, nullable=False)
    if pieces.take("PRIMARY", "KEY") or pieces.take("KEY"):
        return replace(made, key=True, nullable=False)
    if pieces.take("UNIQUE"):
        pieces.take("KEY")
        return replace(made, key=True)
    return None


def _computed(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take("ON", "UPDATE"):
        if not pieces.take_one(*_NOW):
            raise NotUnderstood
        _arguments(pieces)
        return replace(made, on_update=True)
    if pieces.take("GENERATED", "ALWAYS", "AS") or pieces.take("AS"):
        pieces.skip_parentheses()
        pieces.take_one("VIRTUAL", "STORED", "PERSISTENT")
        return replace(made, generated=True)
    if pieces.take("CHECK"):
        pieces.skip_parentheses()
        return made
    return None


def _placed(pieces: Pieces, made: Definition) -> Definition | None:
    if pieces.take("FIRST"):
        return replace(made, first=True)
    if pieces.take("AFTER"):
        return replace(made, after=pieces.name())
    return None


def read_default(pieces: Pieces) -> Default:
    """What follows DEFAULT. Raises NotUnderstood."""
    if pieces.comes("text"):
        return Default(DefaultKind.TEXT, pieces.text())
    if pieces.take("NULL"):
        return Default(DefaultKind.NULL)
    if truth := pieces.take_one("TRUE", "FALSE"):
        return Default(DefaultKind.NUMBER, str(int(truth == "TRUE")))
    if pieces.take_one(*_FUNCTIONS):
        _arguments(pieces)
        return Default(DefaultKind.EXPRESSION)
    sign = pieces.take_one("+", "-")
    if sign or pieces.comes("number"):
        return Default(DefaultKind.NUMBER, sign.replace("+", "") + pieces.next("number").raw)
    pieces.skip_parentheses()
    return Default(DefaultKind.EXPRESSION)


def _arguments(pieces: Pieces) -> None:
    if pieces.take("("):
        if pieces.comes("number"):
            pieces.whole_number()
        pieces.need(")")
