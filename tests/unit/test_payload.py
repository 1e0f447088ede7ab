"""Compressed parts of the binlog from bytes; the integration tests read those of real servers."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rowferry.payload import PayloadError, inner_events, payload_header, uncompressed_record
from tests.unit.packets import event, field, payload_body, record

EVENTS = [event(2, b"BEGIN"), event(30, bytes(range(256)) * 40), event(16, bytes(8))]
CONTENT = b"".join(EVENTS)


def inner(body: bytes) -> list[bytes]:
    """The events of a body that does not begin at 0, with something behind it."""
    return list(inner_events(b"head" + body + b"crc!", 4, 4 + len(body)))


def test_events_come_out_as_they_went_in() -> None:
    """Each with its header."""
    assert inner(payload_body(CONTENT)) == EVENTS


def test_content_that_is_not_compressed_is_read() -> None:
    """Compression type 255 needs no second size."""
    assert inner(field(2, 255) + field(1, len(CONTENT)) + b"\0" + CONTENT) == EVENTS


def test_several_frames_are_one_content() -> None:
    """The compressed format allows it; frames do not end where events do."""
    packed = b"".join(zstandard.ZstdCompressor().compress(p) for p in (CONTENT[:50], CONTENT[50:]))
    body = field(2, 0) + field(3, len(CONTENT)) + field(1, len(packed)) + b"\0" + packed
    assert inner(body) == EVENTS


@given(sizes=st.lists(st.integers(0, 300_000), max_size=5), level=st.integers(1, 19))
def test_events_of_any_size_come_out(sizes: list[int], level: int) -> None:
    """Also those larger than the library's own buffers."""
    pick = random.Random(len(sizes))
    events = [event(30, pick.randbytes(size // 2) + bytes(size - size // 2)) for size in sizes]
    content = b"".join(events)
    packed = zstandard.ZstdCompressor(level=level).compress(content)
    body = field(1, len(packed)) + field(3, len(content)) + field(2, 0) + b"\0" + packed
    assert inner(body) == events


def test_not_more_than_one_event_is_held() -> None:
    """64 MB of events pass through less than one of them."""
    one = event(30, bytes(8_000))
    body = payload_body(one * 8_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in inner_events(body, 0, len(body))) == 8_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("value", [0, 250, 251, 65_535, 65_536, 2**24 - 1, 2**24, 2**40])
def test_numbers_of_every_width_are_read(value: int) -> None:
    """One byte, or two, three or eight after a mark."""
    widths = [(250, b"", 1), (2**16 - 1, b"\xfc", 2), (2**24 - 1, b"\xfd", 3), (2**64, b"\xfe", 8)]
    mark, width = next((mark, width) for top, mark, width in widths if value <= top)
    number = mark + value.to_bytes(width, "little")
    body = bytes([3, len(number)]) + number + b"\2\1\0" + b"\1\1\4" + b"\0" + b"data"
    header = payload_header(body, 0, len(body))
    assert (header.uncompressed_size, header.size, header.start) == (value, 4, len(body) - 4)


PACKED = zstandard.ZstdCompressor().compress(CONTENT)
SIZES = field(3, len(CONTENT)) + field(1, len(PACKED))
WRONG_HEADERS = {
    "field 4": (field(4, 1) + SIZES + b"\0" + PACKED, "field 4"),
    "field 300": (b"\xfc\x2c\x01\1\1" + SIZES + b"\0" + PACKED, "field 300"),
    "twice": (field(2, 0) + field(2, 0) + SIZES + b"\0" + PACKED, "field 2"),
    "length": (b"\2\2\0" + SIZES + b"\0" + PACKED, "field 2.*length"),
    "compression": (field(2, 1) + SIZES + b"\0" + PACKED, "compression type 1 "),
    "no compression": (SIZES + b"\0" + PACKED, "compression type None"),
    "no size": (field(2, 0) + field(3, len(CONTENT)) + b"\0" + PACKED, "size"),
    "no uncompressed size": (field(2, 0) + field(1, len(PACKED)) + b"\0" + PACKED, "uncompressed size"),
    "other size": (field(2, 0) + SIZES + b"\0" + PACKED[:-1], "another size"),
    "more after it": (field(2, 0) + SIZES + b"\0" + PACKED + b"x", "another size"),
    "uncompressed": (field(2, 255) + field(1, 4) + field(3, 5) + b"\0data", "uncompressed size"),
    "no end": (field(2, 0) + SIZES, "ends early"),
    "cut": (field(2, 0)[:5], "ends early"),
    "null": (b"\2\1\xfb", "malformed"),
    "empty": (b"", "ends early"),
}


@pytest.mark.parametrize(("body", "says"), WRONG_HEADERS.values(), ids=WRONG_HEADERS)
def test_a_header_that_is_not_understood_is_refused(body: bytes, says: str) -> None:
    """Nothing of the content is guessed from the rest."""
    with pytest.raises(PayloadError, match=says):
        inner(body)


def with_size(packed: bytes, said: int) -> bytes:
    """A body of these compressed bytes."""
    return field(2, 0) + field(3, said) + field(1, len(packed)) + b"\0" + packed


WRONG_CONTENT = {
    "cut": (with_size(PACKED[:-10], len(CONTENT)), "ends early"),
    "cut to nothing": (with_size(b"", len(CONTENT)), "ends early"),
    "larger": (payload_body(CONTENT, len(CONTENT) - len(EVENTS[2])), "more than it says"),
    "smaller": (payload_body(CONTENT, len(CONTENT) + 30), "ends early"),
    "inside an event": (payload_body(CONTENT, len(CONTENT) - 3), "passes its end"),
    "half a header": (payload_body(CONTENT + b"half", None), "passes its end"),
    "no length": (payload_body(bytes(40)), "shorter than its header"),
    "long": (payload_body(event(16, bytes(8))[:-1]), "passes its end"),
    "no zstd": (with_size(b"this is not compressed", 30), "cannot be uncompressed"),
    "a tail": (with_size(PACKED + b"tail", len(CONTENT)), "cannot be uncompressed"),
    "a second frame": (with_size(PACKED + PACKED, len(CONTENT)), "more than it says"),
}


@pytest.mark.parametrize(("body", "says"), WRONG_CONTENT.values(), ids=WRONG_CONTENT)
def test_content_that_is_not_what_the_header_says_is_refused(body: bytes, says: str) -> None:
    """At the latest when the last event was taken."""
    with pytest.raises(PayloadError, match=says):
        inner(body)


@given(at=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_damage_is_never_another_error(at: int, bit: int) -> None:
    """A flipped bit is found, or changes content that only a checksum can prove."""
    damaged = bytearray(PACKED)
    damaged[at] ^= 1 << bit
    try:
        found = inner(with_size(bytes(damaged), len(CONTENT)))
    except PayloadError:
        return
    assert len(b"".join(found)) == len(CONTENT)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536, 2**24 - 1, 2**24])
def test_records_of_every_width_come_out(size: int) -> None:
    """One to four bytes of length."""
    content = bytes(size)
    data = b"head" + record(content) + b"crc!"
    assert uncompressed_record(data, 4, len(data) - 4) == content


GOOD = record(b"content")
WRONG_RECORDS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0x00"),
    "no mark": (b"\x01" + GOOD[1:], "0x01"),
    "algorithm": (b"\x91" + GOOD[1:], "0x91"),
    "no length": (b"\x80" + GOOD[2:], "0x80"),
    "five bytes of length": (b"\x85\0\0\0\0\7" + GOOD[2:], "0x85"),
    "shorter": (record(b"content", 6), "more or less"),
    "longer": (record(b"content", 8), "more or less"),
    "cut": (GOOD[:-1], "more or less"),
    "a tail": (GOOD + b"tail", "more or less"),
    "only its head": (GOOD[:1], "more or less"),
    "no zlib": (GOOD[:2] + b"content", "cannot be uncompressed"),
    "damaged": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "cannot be uncompressed"),
}


@pytest.mark.parametrize(("data", "says"), WRONG_RECORDS.values(), ids=WRONG_RECORDS)
def test_a_record_that_is_not_understood_is_refused(data: bytes, says: str) -> None:
    """Unknown algorithms name their byte."""
    with pytest.raises(PayloadError, match=says):
        uncompressed_record(data, 0, len(data))


def test_a_record_does_not_grow_past_its_length() -> None:
    """A few bytes that would become a gigabyte are refused after as many as they say."""
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError):
            uncompressed_record(b"\x81\x0a" + packed, 0, len(packed) + 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_no_content_is_told() -> None:
    """It may be a row."""
    secret = record(b"secret", 3)
    with pytest.raises(PayloadError) as refused:
        uncompressed_record(secret, 0, len(secret))
    assert "secret" not in str(refused.value)
    with pytest.raises(PayloadError) as refused:
        inner(payload_body(b"secret" * 9))
    assert "secret" not in str(refused.value)
