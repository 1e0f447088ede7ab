"""Strategies for integers, decimals, floats, bits and years."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.generated.kinds import Kind, Kinds, Server


def integers(_: Server) -> Kinds:
    """Integers of each width, signed, unsigned and ZEROFILL."""

    def of(name: str, bits: int, unsigned: bool, zerofill: bool) -> Kind:
        low, high = (0, 2**bits - 1) if unsigned or zerofill else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        values = (st.sampled_from([low, low + 1, 0, 1, high - 1, high]) | st.integers(low, high)).map(str)
        suffix = " UNSIGNED ZEROFILL" if zerofill else " UNSIGNED" if unsigned else ""
        return Kind("integer", name + suffix, values, values)

    sizes = [("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64), ("BOOL", 8)]
    plain = st.tuples(st.sampled_from(sizes[:5]), st.booleans(), st.sampled_from([False, False, True]))
    return st.one_of(
        plain.map(lambda drawn: of(*drawn[0], drawn[1], drawn[2])), st.just(of("BOOL", 8, False, False))
    )


def decimals(_: Server) -> Kinds:
    """DECIMAL of any precision and scale."""

    def of(precision: int, scale: int) -> Kind:
        scale = min(scale, precision)
        top = 10**precision - 1
        digits = st.sampled_from([top, -top, 0, 1, -1]) | st.integers(-top, top)
        values = digits.map(lambda number: f"'{_scaled(number, scale)}'")
        return Kind("decimal", f"DECIMAL({precision},{scale})", values, values)

    precisions = st.sampled_from([1, 9, 10, 18, 19, 38, 39, 65]) | st.integers(1, 65)
    return st.builds(of, precisions, st.sampled_from([0, 2, 9, 30]) | st.integers(0, 30))


def _scaled(number: int, scale: int) -> str:
    digits = str(abs(number)).rjust(scale + 1, "0")
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
    return f"{'-' if number < 0 else ''}{whole}.{fraction}".rstrip(".")


def floats(_: Server) -> Kinds:
    """FLOAT and DOUBLE, with bit patterns from denormals to the greatest."""

    def of(ddl: str, width: int, bound: float | None) -> Kind:
        lowest = None if bound is None else -bound
        found = st.floats(
            lowest, bound, width=32 if width == 32 else 64, allow_nan=False, allow_infinity=False
        )
        return Kind("float", ddl, found.map(_float_literal))

    return st.sampled_from(
        [
            of("FLOAT", 32, None),
            of("DOUBLE", 64, None),
            of("FLOAT(7,2)", 32, 8192.0),
            of("DOUBLE(10,2)", 64, 1e7),
        ]
    )


def _float_literal(value: float) -> str:
    """As SQL that is no DECIMAL, which has no -0."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def bits(_: Server) -> Kinds:
    """BIT(1) to BIT(64)."""

    def of(width: int) -> Kind:
        numbers = st.sampled_from([0, 1, 2**width - 1, 2 ** (width - 1)]) | st.integers(0, 2**width - 1)
        values = numbers.map(lambda number: f"b'{number:b}'")
        return Kind("bit", f"BIT({width})", values, values)

    return st.builds(of, st.sampled_from([1, 8, 9, 64]) | st.integers(1, 64))


def years(_: Server) -> Kinds:
    """YEAR, 0 among its values."""
    values = (st.sampled_from([1901, 2155, 2000]) | st.integers(1901, 2155)).map(str) | st.just("'0000'")
    return st.just(Kind("year", "YEAR", values, values))
