"""A column's type in a DDL statement, as the catalogue would show it. Pure text, no server.

Types and their other names: https://dev.mysql.com/doc/refman/9.7/en/data-types.html,
https://mariadb.com/kb/en/data-types/ and the grammar of both servers (sql_yacc.yy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from rowferry.sql_words import NotUnderstood, Pieces
from rowferry.table_schema import ColumnType


@dataclass(frozen=True, slots=True)
class TypeWords:
    """What a statement says of a column's type, and what the type alone says of the column.

    type: charset is None unless the statement names it. texts: how COLUMN_TYPE may show the type; several
    where MariaDB and MySQL differ. collated: whether it names a character set or a collation. nullable:
    None where it depends on a setting of the server (TIMESTAMP). serial: whether the server numbers it.
    """

    type: ColumnType
    texts: tuple[str, ...]
    nullable: bool | None = True
    serial: bool = False
    collated: bool = False


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
_CHARSETS: Final = frozenset(
    {"utf8", "utf8mb3", "utf8mb4", "latin1", "latin2", "ascii", "cp1250", "cp1251", "cp1252", "ucs2"}
    | {"utf16", "utf16le", "utf32", "latin5", "latin7", "greek", "hebrew", "koi8r", "cp850", "cp852"}
)


def read_type(pieces: Pieces) -> TypeWords:
    """A type with its signs and its character set, to where it ends. Raises NotUnderstood."""
    word = pieces.next("word").word
    if word in _INTEGERS:
        return _integer(pieces, _INTEGERS[word])
    if word in _TEXTS:
        return _with_charset(pieces, _of(ColumnType(word.lower(), length=_TEXTS[word])))
    if word in _PLAIN:
        return _of(ColumnType(word.lower()))
    maker = _MAKERS.get(word)
    if maker is None:
        raise NotUnderstood
    return maker(pieces)


def _of(kind: ColumnType, *texts: str) -> TypeWords:
    shown = texts or (kind.base,)
    return TypeWords(replace(kind, text=shown[0]), tuple(dict.fromkeys(shown)))


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


def _integer(pieces: Pieces, base: str) -> TypeWords:
    """MariaDB shows a width of digits always, MySQL with ZEROFILL and of TINYINT(1)."""
    width = _length(pieces)
    unsigned, zerofill = _signs(pieces)
    shown = width or _WIDTHS.get(base, (20, 20))[unsigned]
    mariadb = _signed_text(f"{base}({shown})", unsigned, zerofill)
    kept = zerofill or (base == "tinyint" and width == 1 and not unsigned)
    mysql = mariadb if kept else _signed_text(base, unsigned, zerofill)
    return _of(ColumnType(base, unsigned=unsigned), mariadb, mysql)


def _boolean(_: Pieces) -> TypeWords:
    return _of(ColumnType("tinyint"), "tinyint(1)")


def _serial(_: Pieces) -> TypeWords:
    made = _of(ColumnType("bigint", unsigned=True), "bigint(20) unsigned", "bigint unsigned")
    return replace(made, nullable=False, serial=True)


def _two(pieces: Pieces) -> tuple[int | None, int | None]:
    if not pieces.take("("):
        return None, None
    first = pieces.whole_number()
    second = pieces.whole_number() if pieces.take(",") else None
    pieces.need(")")
    return first, second


def _decimal(pieces: Pieces) -> TypeWords:
    precision, scale = _two(pieces)
    precision, scale = 10 if precision is None else precision, scale or 0
    if not 1 <= precision <= 65 or scale > min(38, precision):
        raise NotUnderstood
    unsigned, zerofill = _signs(pieces)
    kind = ColumnType("decimal", unsigned=unsigned, precision=precision, scale=scale)
    return _of(kind, _signed_text(f"decimal({precision},{scale})", unsigned, zerofill))


def _float(pieces: Pieces) -> TypeWords:
    """FLOAT(25) and more is a DOUBLE."""
    precision, scale = _two(pieces)
    if precision is not None and scale is None:
        if not 1 <= precision <= 53:
            raise NotUnderstood
        return _floating(pieces, "float" if precision <= 24 else "double", "")
    return _floating(pieces, "float", f"({precision},{scale})" if scale is not None else "")


def _double(pieces: Pieces) -> TypeWords:
    pieces.take("PRECISION")
    precision, scale = _two(pieces)
    if (precision is None) != (scale is None):
        raise NotUnderstood
    return _floating(pieces, "double", f"({precision},{scale})" if scale is not None else "")


def _floating(pieces: Pieces, base: str, digits: str) -> TypeWords:
    unsigned, zerofill = _signs(pieces)
    shown = _signed_text(base + digits, unsigned, zerofill)
    return _of(ColumnType(base, unsigned=unsigned), shown)


def _char(pieces: Pieces) -> TypeWords:
    if pieces.take("VARYING"):
        return _varchar(pieces)
    length = _length(pieces) or 1
    return _with_charset(pieces, _of(ColumnType("char", length=length), f"char({length})"))


def _varchar(pieces: Pieces) -> TypeWords:
    length = _length(pieces)
    if length is None or length > _MOST_CHARACTERS:
        raise NotUnderstood
    return _with_charset(pieces, _of(ColumnType("varchar", length=length), f"varchar({length})"))


def _national(pieces: Pieces) -> TypeWords:
    word = pieces.take_one("CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER")
    if not word:
        raise NotUnderstood
    return _in_utf8(_char(pieces) if word in ("CHAR", "CHARACTER") else _varchar(pieces))


def _nchar(pieces: Pieces) -> TypeWords:
    varying = pieces.take_one("VARYING", "VARCHAR", "VARCHARACTER")
    return _in_utf8(_varchar(pieces) if varying else _char(pieces))


def _in_utf8(made: TypeWords) -> TypeWords:
    if made.type.charset not in (None, "utf8mb3"):
        raise NotUnderstood
    return replace(made, type=replace(made.type, charset="utf8mb3"), collated=True)


def _long(pieces: Pieces) -> TypeWords:
    if pieces.take("VARBINARY"):
        return _of(ColumnType("mediumblob"))
    if not pieces.take_one("VARCHAR", "VARCHARACTER") and pieces.take_one("CHAR", "CHARACTER"):
        pieces.need("VARYING")
    return _with_charset(pieces, _of(ColumnType("mediumtext", length=_TEXTS["MEDIUMTEXT"])))


def _binary(pieces: Pieces) -> TypeWords:
    length = _length(pieces) or 1
    return _of(ColumnType("binary", length=length), f"binary({length})")


def _varbinary(pieces: Pieces) -> TypeWords:
    length = _length(pieces)
    if length is None or length > _TEXTS["TEXT"] - 3:
        raise NotUnderstood
    return _of(ColumnType("varbinary", length=length), f"varbinary({length})")


def _bit(pieces: Pieces) -> TypeWords:
    length = _length(pieces) or 1
    return _of(ColumnType("bit", length=length), f"bit({length})")


def _year(pieces: Pieces) -> TypeWords:
    if _length(pieces) not in (None, 4):
        raise NotUnderstood
    return _of(ColumnType("year"), "year(4)", "year")


def _timed(base: str) -> Callable[[Pieces], TypeWords]:
    def read(pieces: Pieces) -> TypeWords:
        fraction = 0
        if pieces.take("("):
            fraction = pieces.whole_number()
            pieces.need(")")
        if fraction > 6:
            raise NotUnderstood
        shown = f"{base}({fraction})" if fraction else base
        made = _of(ColumnType(base, fraction=fraction), shown)
        return replace(made, nullable=None) if base == "timestamp" else made

    return read


def _labels(base: str) -> Callable[[Pieces], TypeWords]:
    def read(pieces: Pieces) -> TypeWords:
        pieces.need("(")
        labels = [pieces.text().rstrip(" ")]
        while pieces.take(","):
            labels.append(pieces.text().rstrip(" "))
        pieces.need(")")
        lengths = [len(label) for label in labels]
        length = max(lengths) if base == "enum" else sum(lengths) + len(labels) - 1
        listed = ",".join("'" + label.replace("'", "''") + "'" for label in labels)
        return _with_charset(pieces, _of(ColumnType(base, length=length), f"{base}({listed})"))

    return read


_MAKERS: Final[dict[str, Callable[[Pieces], TypeWords]]] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), _boolean),
    **dict.fromkeys(("DECIMAL", "DEC", "NUMERIC", "FIXED"), _decimal),
    **dict.fromkeys(("FLOAT", "FLOAT4"), _float),
    **dict.fromkeys(("DOUBLE", "FLOAT8"), _double),
    **dict.fromkeys(("CHAR", "CHARACTER"), _char),
    **dict.fromkeys(("VARCHAR", "VARCHARACTER"), _varchar),
    "SERIAL": _serial,
    "NATIONAL": _national,
    "NCHAR": _nchar,
    "NVARCHAR": lambda pieces: _in_utf8(_varchar(pieces)),
    "LONG": _long,
    "BINARY": _binary,
    "VARBINARY": _varbinary,
    "BIT": _bit,
    "YEAR": _year,
    **{base.upper(): _timed(base) for base in ("datetime", "timestamp", "time")},
    **{base.upper(): _labels(base) for base in ("enum", "set")},
}


def _with_charset(pieces: Pieces, made: TypeWords) -> TypeWords:
    """The character set and the collation that follow a text type, in any order."""
    while True:
        if pieces.take("BINARY"):
            made = replace(made, collated=True)
        elif pieces.take("COLLATE"):
            made = collated(pieces, made)
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


def _in_charset(made: TypeWords, charset: str) -> TypeWords:
    if made.type.charset not in (None, charset):
        raise NotUnderstood
    return replace(made, type=replace(made.type, charset=charset), collated=True)


def collated(pieces: Pieces, made: TypeWords) -> TypeWords:
    """With the collation that comes next. Raises NotUnderstood if it contradicts the character set.

    A collation's name begins with its character set's; MariaDB's newer ones need not."""
    found = (pieces.text() if pieces.comes("text") else pieces.name()).lower()
    charset = found.partition("_")[0]
    if charset == "binary":
        raise NotUnderstood
    if charset not in _CHARSETS:
        return replace(made, collated=True)
    return _in_charset(made, "utf8mb3" if charset == "utf8" else charset)
