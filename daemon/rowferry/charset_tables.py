"""Character sets of the server as tables: which collation is of which set, and every single-byte set.

Data only. Verified byte by byte against MySQL 9.7 and MariaDB 10.5, 10.11 and 11.8, which agree
(`tests/integration/test_charset_oracle.py` repeats it): the truth is what the server makes of
`CONVERT(_latin1 X'81' USING utf8mb4)`, not what a standard says.
"""

from __future__ import annotations

from typing import Final

UNDEFINED: Final = "\ufffd"
"""Marks a byte that the server maps to no character."""

SINGLE_BYTE: Final[dict[str, tuple[str, dict[int, str]]]] = {
    "armscii8": (
        "iso8859-1",
        {
            0xA1: (
                "\u2741§\u0589)(»«\u2014.\u055d,-\u055f\u2026"
                "\u055c\u055b\u055e\u0531\u0561\u0532\u0562\u0533\u0563\u0534\u0564\u0535\u0565\u0536"
                "\u0566\u0537\u0567\u0538\u0568\u0539\u0569\u053a\u056a\u053b\u056b\u053c\u056c\u053d"
                "\u056d\u053e\u056e\u053f\u056f\u0540\u0570\u0541\u0571\u0542\u0572\u0543\u0573\u0544"
                "\u0574\u0545\u0575\u0546\u0576\u0547\u0577\u0548\u0578\u0549\u0579\u054a\u057a\u054b"
                "\u057b\u054c\u057c\u054d\u057d\u054e\u057e\u054f\u057f\u0550\u0580\u0551\u0581\u0552"
                "\u0582\u0553\u0583\u0554\u0584\u0555\u0585\u0556\u0586\u2019'"
            ),
        },
    ),
    "ascii": ("ascii", {}),
    "cp1250": ("cp1250", {}),
    "cp1251": ("cp1251", {}),
    "cp1256": (
        "cp1256",
        {
            0x8A: "\ufffd",
            0x8F: "\ufffd",
            0x98: "\ufffd",
            0x9A: "\ufffd",
            0x9F: "\ufffd",
            0xAA: "\ufffd",
            0xC0: "\ufffd",
            0xFF: "\ufffd",
        },
    ),
    "cp1257": ("cp1257", {}),
    "cp850": ("cp850", {}),
    "cp852": ("cp852", {}),
    "cp866": (
        "cp866",
        {
            0xFC: "\u207f²",
        },
    ),
    "dec8": (
        "iso8859-1",
        {
            0xA4: "\ufffd",
            0xA6: "\ufffd",
            0xA8: "¤",
            0xAC: "\ufffd\ufffd\ufffd\ufffd",
            0xB4: "\ufffd",
            0xB8: "\ufffd",
            0xBE: "\ufffd",
            0xD0: "\ufffd",
            0xD7: "Œ",
            0xDD: "Ÿ\ufffd",
            0xF0: "\ufffd",
            0xF7: "œ",
            0xFD: "ÿ\ufffd\ufffd",
        },
    ),
    "geostd8": (
        "cp1252",
        {
            0x83: "\ufffd",
            0x88: "\ufffd",
            0x8A: "\ufffd",
            0x8C: "\ufffd",
            0x8E: "\ufffd",
            0x98: "\ufffd\ufffd\ufffd",
            0x9C: "\ufffd",
            0x9E: "\ufffd\ufffd",
            0xC0: (
                "\u10d0\u10d1\u10d2\u10d3\u10d4\u10d5\u10d6\u10f1\u10d7\u10d8\u10d9\u10da\u10db\u10dc"
                "\u10f2\u10dd\u10de\u10df\u10e0\u10e1\u10e2\u10f3\u10e3\u10e4\u10e5\u10e6\u10e7\u10e8"
                "\u10e9\u10ea\u10eb\u10ec\u10ed\u10ee\u10f4\u10ef\u10f0\u10f5\ufffd\ufffd\ufffd\ufffd"
                "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
                "\ufffd\ufffd\ufffd\ufffd\ufffd\u2116\ufffd\ufffd"
            ),
        },
    ),
    "greek": (
        "iso8859-7",
        {
            0xA1: "\u02bd\u02bc",
            0xA4: "\ufffd\ufffd",
            0xAA: "\ufffd",
        },
    ),
    "hebrew": (
        "iso8859-8",
        {
            0xAF: "\u203e",
        },
    ),
    "hp8": ("hp-roman8", {}),
    "keybcs2": (
        "cp437",
        {
            0x80: "Č",
            0x83: "ď",
            0x85: "ĎŤčěĚĹÍľĺ",
            0x8F: "Á",
            0x91: "žŽ",
            0x95: "ÓůÚý",
            0x9B: "ŠĽÝŘť",
            0xA4: "ňŇŮÔšřŕŔ",
        },
    ),
    "koi8r": ("koi8-r", {}),
    "koi8u": (
        "koi8-u",
        {
            0x95: "\u2022",
        },
    ),
    "latin1": (
        "cp1252",
        {
            0x81: "\u0081",
            0x8D: "\u008d",
            0x8F: "\u008f\u0090",
            0x9D: "\u009d",
        },
    ),
    "latin2": ("iso8859-2", {}),
    "latin5": ("iso8859-9", {}),
    "latin7": ("iso8859-13", {}),
    "macce": ("mac-latin2", {}),
    "macroman": ("mac-roman", {}),
    "swe7": (
        "ascii",
        {
            0x40: "É",
            0x5B: "ÄÖÅÜ",
            0x60: "é",
            0x7B: "äöåü\ufffd",
        },
    ),
    "tis620": ("tis-620", {}),
}
"""By the server's name: Python's codec, and the runs of characters in which the server differs."""

COLLATIONS: Final[dict[str, str]] = {
    "armscii8": "32 64",
    "ascii": "11 65",
    "big5": "1 84",
    "binary": "63",
    "cp1250": "26 34 44 66 99",
    "cp1251": "14 23 50-52",
    "cp1256": "57 67",
    "cp1257": "29 58-59",
    "cp850": "4 80",
    "cp852": "40 81",
    "cp866": "36 68",
    "cp932": "95-96",
    "dec8": "3 69",
    "eucjpms": "97-98",
    "euckr": "19 85",
    "gb18030": "248-250",
    "gb2312": "24 86",
    "gbk": "28 87",
    "geostd8": "92-93",
    "greek": "25 70",
    "hebrew": "16 71",
    "hp8": "6 72",
    "keybcs2": "37 73",
    "koi8r": "7 74",
    "koi8u": "22 75",
    "latin1": "5 8 15 31 47-49 94",
    "latin2": "2 9 21 27 77",
    "latin5": "30 78",
    "latin7": "20 41-42 79",
    "macce": "38 43",
    "macroman": "39 53",
    "sjis": "13 88",
    "swe7": "10 82",
    "tis620": "18 89",
    "ucs2": "35 90 128-151 159 640-642",
    "ujis": "12 91",
    "utf16": "54-55 101-124 672-674",
    "utf16le": "56 62",
    "utf32": "60-61 160-183 736-738",
    "utf8mb3": "33 76 83 192-215 223 576-579",
    "utf8mb4": "45-46 224-247 255-271 273-275 277-294 296-298 300 303-323 608-611",
}
"""Collation ids below 1024 (information_schema.COLLATIONS) by character set, as ranges."""

NOPAD_OFFSET: Final = 1024
"""MariaDB's NO PAD collations are those below 1024 plus this."""

UCA1400: Final = ("utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32")
"""MariaDB's UCA-14 collations: 2048, and 256 more for each set in this order."""
