"""Values of COMPRESSED columns: what is stored comes out, what is malformed is refused without being told."""

from __future__ import annotations

import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowferry.arrays import Converted, ValueNotCarriable
from rowferry.changes import WireColumn
from rowferry.compressed import uncompressed_first
from rowferry.convert import LayoutMismatch, binlog_converter
from rowferry.table_schema import Column, ColumnType

VARCHAR = WireColumn("c", 141, 301, collation_id=8)
BLOB = WireColumn("c", 140, 2, collation_id=63)


def packed(plain: bytes, bare: bool = True, stated: int | None = None) -> bytes:
    """A value as the server compresses it; stated: another length than the real one."""
    length = len(plain) if stated is None else stated
    size = max(1, (length.bit_length() + 7) // 8)
    stream = zlib.compressobj(wbits=-15 if bare else 15)
    head = bytes([0x80 | (8 if bare else 0) | size]) + length.to_bytes(size, "big")
    return head + stream.compress(plain) + stream.flush()


def plain(wire: WireColumn, *values: bytes | None) -> list[bytes | None]:
    """What the converter behind is given."""

    def keep(found: object) -> Converted:
        return Converted(pa.array(found, pa.large_binary()))

    found: list[bytes | None] = uncompressed_first(wire, keep)(values).array.to_pylist()
    return found


@given(
    st.lists(st.none() | st.tuples(st.binary(max_size=300), st.sampled_from(["as it is", "bare", "wrapped"])))
)
def test_what_was_stored_comes_out(stored: list[tuple[bytes, str] | None]) -> None:
    """Whatever the method, NULLs and empty values between."""
    values = [
        None if each is None
        else b"" if not each[0]
        else b"\0" + each[0] if each[1] == "as it is"
        else packed(each[0], each[1] == "bare")
        for each in stored
    ]  # fmt: skip
    expected = [None if each is None else each[0] for each in stored]
    assert plain(VARCHAR, *values) == expected
    assert plain(BLOB, *values) == expected


def test_a_plain_column_costs_nothing() -> None:
    """The converter itself comes back."""
    convert = binlog_converter(WireColumn("c", 252, 2, collation_id=63), Column("c", ColumnType("blob")))
    assert uncompressed_first(WireColumn("c", 252, 2), convert) is convert


TEXT = b"canary " * 30
MALFORMED = {
    "an unknown method": b"\x10" + TEXT,
    "another unknown method": b"\x9a" + packed(TEXT)[1:],
    "a first byte of none": b"\x01" + TEXT,
    "no length": packed(TEXT)[:1],
    "no stream": packed(TEXT)[:2],
    "a stream that is cut": packed(TEXT)[:-1],
    "a wrapped stream without its checksum": packed(TEXT, bare=False)[:-4],
    "bytes behind the stream": packed(TEXT) + b"x",
    "a bare stream called wrapped": bytes([packed(TEXT)[0] & ~8]) + packed(TEXT)[1:],
    "a wrapped stream called bare": bytes([packed(TEXT, bare=False)[0] | 8]) + packed(TEXT, bare=False)[1:],
    "less than stated": packed(TEXT, stated=len(TEXT) + 1),
    "more than stated": packed(TEXT, stated=len(TEXT) - 1),
    "nothing stated": packed(TEXT, stated=0),
    "no bytes of length": b"\x88" + packed(TEXT)[2:],
    "a wrong checksum": packed(TEXT, bare=False)[:-1] + bytes([packed(TEXT, bare=False)[-1] ^ 1]),
    "longer than the type, as it is": b"\0" + b"x" * 301,
    "longer than the type": packed(b"x" * 301),
    "far longer than the type": b"\x8f" + b"\xff" * 7 + packed(TEXT)[2:],
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_value_is_refused(value: bytes) -> None:
    """By its place; the message holds nothing of it."""
    with pytest.raises(ValueNotCarriable) as refused:
        plain(VARCHAR, None, packed(TEXT), value)
    assert (refused.value.column, refused.value.index) == ("c", 2)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_no_more_is_made_than_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small value that would become huge is cut off, not unpacked and then measured."""
    asked: list[int] = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits: int) -> None:
            self.stream = real(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            asked.append(most)
            return self.stream.decompress(data, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self.stream, name)

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(ValueNotCarriable):
        plain(BLOB, packed(bytes(50_000_000), stated=1000))
    assert asked == [1001]


@pytest.mark.parametrize(("width", "limit"), [(1, 255), (2, 65535)])
def test_the_width_of_a_blob_bounds_its_values(width: int, limit: int) -> None:
    """As its type does."""
    wire = WireColumn("c", 140, width)
    assert plain(wire, packed(bytes(limit))) == [bytes(limit)]
    with pytest.raises(ValueNotCarriable):
        plain(wire, packed(bytes(limit + 1)))


def test_text_is_read_by_its_own_charset() -> None:
    """The event's, behind the uncompressing."""
    known = Column("c", ColumnType("varchar", length=300, charset="utf8mb4"))
    values = [packed(b"Zo\xeb" * 50), b"\0\x80", b"", None]
    assert binlog_converter(VARCHAR, known)(values).array.to_pylist() == ["Zoë" * 50, "€", "", None]


@pytest.mark.parametrize(
    ("wire", "base"), [(VARCHAR, "char"), (VARCHAR, "varbinary"), (BLOB, "varbinary"), (BLOB, "text")]
)
def test_compressed_columns_fit_their_own_types_only(wire: WireColumn, base: str) -> None:
    """Bytes are no text, a VARCHAR is no BLOB."""
    with pytest.raises(LayoutMismatch):
        binlog_converter(wire, Column("c", ColumnType(base, length=9, charset="latin1")))
