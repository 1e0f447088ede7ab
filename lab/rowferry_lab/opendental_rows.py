"""Invented values for the OpenDental-shaped tables, with the oddities that real offices have.

Pure and deterministic: everything comes out of one `random.Random`. No name or text is a real one's.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from typing import Final

from rowferry_lab.opendental_schema import BY_NAME, TABLES, Column, Table

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

ZERO_DATE: Final = "0000-00-00"
UNSET_DATE: Final = "0001-01-01"
NO_OVERRIDE: Final = "-01:00:00"

_PLAIN: Final = (
    "Amalgam check", "Routine visit", "called back", "see chart", "left message", "copay due", "n/a",
    "O'Brien said \"later\"", "back\\slash", "\\N", "tab\there", "two\nlines", "CR\r\nLF", "", " ",
    "trailing  ", "NULL", "a,b;c", "100%s %d {x}", "\\", "$1 `x`", "-- not a comment", "bell\x07\x1a", "''",
)  # fmt: skip
_LATIN: Final = ("Zahnärzte Müßig", "12 € fällig", "Œuvre naïve ž", "undefined \x81 byte", "¡Señor Peña!")
_BMP: Final = ("Łódź Ząb", "Žižkov", "日本語の歯科", "Ελληνικά δόντια", "Ḟoo ﬁx")
_ASTRAL: Final = ("😀 all fine 🦷", "👨‍👩‍👧 family", "𓀀 𐍈")
TEXTS: Final = {
    "latin1": _PLAIN + _LATIN,
    "utf8mb3": _PLAIN + _LATIN + _BMP,
    "utf8mb4": _PLAIN + _LATIN + _BMP + _ASTRAL,
}

_SYLLABLES: Final = (
    "ba", "dor", "ven", "li", "mar", "quo", "sten", "ü", "ña", "ko", "rell", "ix", "ost", "é",
)  # fmt: skip
_ODD_DOUBLES: Final = (-0.0, 0.1 + 0.2, 1e-7, -1234567.8949999999, 1.7976931348623157e308, 5e-324, 1 / 3)
_ODD_TIMES: Final = (NO_OVERRIDE, "-00:00:01", "25:30:00", "838:59:59", "-838:59:59", "00:00:00")
_REFERENCES: Final = {table.key: table.name for table in TABLES} | {
    "Guarantor": "patient",
    "Subscriber": "patient",
    "PriProv": "provider",
    "ProvHyg": "provider",
    "Op": "operatory",
}
_STATUSES: Final = {
    "PatStatus": (0, 0, 0, 0, 1, 2, 3, 4, 255),
    "AptStatus": (1, 1, 1, 2, 2, 3, 5, 6, 7, 8),
    "HistApptAction": (2, 3, 4),
    "ProcStatus": (1, 2, 2, 6),
    "Status": (0, 1, 4, 6),
    "Percentage": (-1, -1, 0, 50, 80, 100),
    "IsSecondary": (0, 0, 1),
    "IsHidden": (0, 0, 0, 1, 2),
    "IsHygiene": (0, 1),
    "ClaimStatus": ("U", "H", "W", "S", "R", ""),
    "PlanType": ("", "p", "f", "c"),
    "ToothNum": ("", "1", "8", "32", "A", "T"),
    "Surf": ("", "M", "MOD", "B", "L"),
}
_PEOPLE: Final = ("LName", "FName", "Abbr", "CarrierName", "OpName")
_FIRST_DAY: Final = dt.date(2009, 3, 1)
_DAYS: Final = 6200


class RowMaker:
    """Makes rows of any table of the schema."""

    def __init__(self, rng: random.Random, *, rows_scale: float = 1.0) -> None:
        """rows_scale: how large the referenced tables are, so that references hit."""
        self._rng = rng
        self._scale = rows_scale
        self._by_code: dict[str, Callable[[], Value]] = {
            "u": lambda: rng.choice((0, 0, 0, 1, 2, 7, 254, 255)),
            "t": lambda: rng.choice((0, 0, 1, -1, 127, -128)),
            "B": lambda: rng.choice((0, 0, 1, 5, rng.randrange(500), 2**63 - 1, -(2**63))),
            "int": lambda: rng.choice((0, -1, -16777216, -2147483648, rng.randrange(2**31))),
            "smallint": lambda: rng.choice((0, 1, -1, 32767, -32768, rng.randrange(300))),
            "d": self.money,
            "float": lambda: rng.choice((0.0, -0.0, 3.14, -90.5, rng.uniform(-180, 180), 1e-30)),
            "decimal": lambda: f"{rng.randrange(-(10**12), 10**12) / 10**6:.6f}",
            "D": self.date,
            "DT": self.datetime,
            "DT6": lambda: f"{self.datetime()}.{rng.randrange(10**6):06d}",
            "TS": self.timestamp,
            "time": self.time,
            "mediumblob": lambda: rng.randbytes(rng.choice((0, 3, 40, 300))),
            "binary16": lambda: rng.randbytes(rng.choice((16, 12, 0))),
        }

    def rows(self, table: Table, count: int) -> Iterator[Row]:
        """`count` rows of a table, keys included."""
        for number in range(1, count + 1):
            yield (self.key(table, number), *self.values(table))

    def key(self, table: Table, number: int) -> int:
        """The key of the number-th row: random over nearly the full range in commlog, else the number."""
        return self.random_key() if table.name == "commlog" else number

    def random_key(self) -> int:
        """A key as sites with random primary keys have them."""
        return self._rng.randrange(-(9 * 10**18), 9 * 10**18)

    def values(self, table: Table) -> Row:
        """A row without its key."""
        return tuple(self.value(table, column) for column in table.columns[1:])

    def value(self, table: Table, column: Column) -> Value:
        """One value that fits a column."""
        if column.nullable and self._rng.random() < 0.3:
            return None
        if column.name in _STATUSES:
            return self._rng.choice(_STATUSES[column.name])
        if column.name in _REFERENCES:
            return self.reference(_REFERENCES[column.name])
        if column.code in self._by_code:
            return self._by_code[column.code]()
        return self.text(table, column)

    def reference(self, table_name: str) -> int:
        """A key of a table, or 0 for none."""
        rows = max(1, int(BY_NAME[table_name].rows * self._scale))
        return 0 if self._rng.random() < 0.1 else self._rng.randrange(1, rows + 1)

    def text(self, table: Table, column: Column) -> str:
        """Text that the column's character set holds, cut to its length."""
        found = self._text_for(table, column)
        return found[: column.text_length] if column.text_length is not None else found

    def _text_for(self, table: Table, column: Column) -> str:
        if column.name == "SSN":
            return self._rng.choice(("", f"000{self._rng.randrange(10**6):06d}"))
        if column.name == "SubscriberID":
            return f"ZZ{self._rng.randrange(10**7)}"
        if column.name in _PEOPLE and self._rng.random() < 0.9:
            return self.name()
        words = self._rng.choices(TEXTS[table.charset], k=self._rng.choice((1, 1, 2, 4)))
        return " ".join(words) if len(words) > 1 else words[0]

    def name(self) -> str:
        """An invented name (every syllable of it exists in latin1)."""
        return "".join(self._rng.choices(_SYLLABLES, k=self._rng.choice((2, 3)))).capitalize()

    def money(self) -> float:
        """An amount; now and then one whose bits are easily lost."""
        if self._rng.random() < 0.02:
            return self._rng.choice(_ODD_DOUBLES)
        return round(self._rng.uniform(-50, 900), 2)

    def date(self) -> str:
        """A date; some are zero, partly zero or unset."""
        dice = self._rng.random()
        if dice < 0.06:
            return self._rng.choice((ZERO_DATE, UNSET_DATE, UNSET_DATE, "1999-00-00", "9999-12-31"))
        return self.day()

    def day(self) -> str:
        """A plain date."""
        return str(_FIRST_DAY + dt.timedelta(days=self._rng.randrange(_DAYS)))

    def datetime(self) -> str:
        """A wall time; zero and unset ones occur."""
        date = self.date()
        return f"{date} 00:00:00" if date in (ZERO_DATE, UNSET_DATE) else f"{date} {self.clock()}"

    def timestamp(self) -> str:
        """A UTC instant; zero occurs."""
        return f"{ZERO_DATE} 00:00:00" if self._rng.random() < 0.01 else f"{self.day()} {self.clock()}"

    def clock(self) -> str:
        """A time of day."""
        return f"{self._rng.randrange(24):02d}:{self._rng.randrange(60):02d}:{self._rng.randrange(60):02d}"

    def time(self) -> str:
        """A TIME: signed, beyond 24 hours at times."""
        return self._rng.choice(_ODD_TIMES) if self._rng.random() < 0.2 else self.clock()
