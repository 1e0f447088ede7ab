"""Whether a column's new type holds every value of the old one unchanged, whatever the values are.

Pure. What is not listed here is not known to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rowferry.filled import INTEGER_BYTES, TEXTS
from rowferry.table_schema import ColumnType

_BLOBS: Final = ("tinyblob", "blob", "mediumblob", "longblob")
_TIMED: Final = ("datetime", "timestamp", "time")
_LABELED: Final = ("enum", "set")
_UTF8MB3: Final = ("utf8", "utf8mb3")
_BYTES: Final = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3, "latin1": 1, "ascii": 1}
"""Of the longest character."""
_GROWTH: Final = {"latin1": 3, "ascii": 1, "utf8": 1, "utf8mb3": 1}
"""How many bytes of utf8mb4 one byte may become."""
_LABEL: Final = re.compile(r"'(?:[^']|'')*'")


def same_charset(one: str | None, other: str | None) -> bool:
    """Whether two names mean the same character set: utf8 is the older name of utf8mb3."""
    return one == other or (one in _UTF8MB3 and other in _UTF8MB3)


def keeps_values(old: ColumnType, new: ColumnType) -> bool:
    """Whether each value of the old type stays what it is."""
    if old == new:
        return True
    if "zerofill" in old.text + new.text and old.base not in _LABELED:
        return False
    return any(rule(old, new) for rule in _RULES)


def keeps_texts(old: ColumnType, new: ColumnType) -> bool:
    """Whether expressions over a value stay what they are, too: its text, its bytes, its sign."""
    return (old.base, old.unsigned, old.scale, old.fraction) == (
        *(new.base, new.unsigned, new.scale, new.fraction),
    ) or (old.base in INTEGER_BYTES and new.base in INTEGER_BYTES and old.unsigned == new.unsigned)


def _integers(old: ColumnType, new: ColumnType) -> bool:
    if old.base not in INTEGER_BYTES or new.base not in INTEGER_BYTES:
        return False
    more = INTEGER_BYTES[new.base] - INTEGER_BYTES[old.base]
    return more >= 0 if old.unsigned == new.unsigned else old.unsigned and more > 0


def _decimals(old: ColumnType, new: ColumnType) -> bool:
    if (old.base, new.base, old.unsigned) != ("decimal", "decimal", new.unsigned):
        return False
    before, after = (((t.precision or 0) - (t.scale or 0), t.scale or 0) for t in (old, new))
    return after[0] >= before[0] and after[1] >= before[1]


def _timed(old: ColumnType, new: ColumnType) -> bool:
    return old.base in _TIMED and old.base == new.base and new.fraction >= old.fraction


def _dates(old: ColumnType, new: ColumnType) -> bool:
    """A date that is none may become another such; so only where all of them are NULL in the end."""
    return (old.base, new.base) == ("date", "datetime")


def _texts(old: ColumnType, new: ColumnType) -> bool:
    if old.base not in TEXTS or new.base not in TEXTS or not _charsets(old, new):
        return False
    if old.base in ("char", "varchar"):
        if new.base == old.base:
            return (new.length or 0) >= (old.length or 0)
        longest = (old.length or 0) * _BYTES.get(new.charset or "", 4)
        return old.base == "varchar" and new.base != "char" and longest <= (new.length or 0)
    growth = 1 if same_charset(old.charset, new.charset) else _GROWTH[old.charset or ""]
    return new.base not in ("char", "varchar") and (old.length or 0) * growth <= (new.length or 0)


def _charsets(old: ColumnType, new: ColumnType) -> bool:
    if old.charset is None or new.charset is None:
        return False
    return same_charset(old.charset, new.charset) or (new.charset == "utf8mb4" and old.charset in _GROWTH)


def _bytes(old: ColumnType, new: ColumnType) -> bool:
    if old.base == new.base == "varbinary":
        return (new.length or 0) >= (old.length or 0)
    if old.base not in _BLOBS or new.base not in _BLOBS:
        return False
    return _BLOBS.index(new.base) >= _BLOBS.index(old.base)


def _labels(old: ColumnType, new: ColumnType) -> bool:
    """Labels appended at the end."""
    if old.base not in _LABELED or old.base != new.base or not _charsets(old, new):
        return False
    before, after = _LABEL.findall(old.text), _LABEL.findall(new.text)
    return bool(after[: len(before)] == before)


_RULES: Final[tuple[Callable[[ColumnType, ColumnType], bool], ...]] = (
    _integers,
    _decimals,
    _timed,
    _dates,
    _texts,
    _bytes,
    _labels,
)
