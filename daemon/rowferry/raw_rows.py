"""A SELECT's rows as columns, taken from the connection as bytes.

pymysql sends the statement and reads the columns' descriptions; the rows are read here, without one
object for each value. Invariant: after `select_columns` the connection is ready for the next statement, or
closed.

Format: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
(without CLIENT_DEPRECATE_EOF, which pymysql does not ask for).
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from pymysql.connections import Connection

from rowferry.errors import Unreachable
from rowferry.mysql_source import SourceErrors, raise_server_error, translate
from rowferry.text_columns import MalformedRows, Packets, RawColumns

_READ_BYTES: Final = 1 << 18
_END_STATUS: Final = Struct("<xHH").unpack
_EOF_BYTES: Final = 5
_MORE_RESULTS: Final = 0x0008
_QUERY: Final = "query the source"


def select_columns(connection: Connection[Any], sql: str) -> RawColumns:
    """All rows of one SELECT. Raises what `mysql_source.translate` makes of a failure, also in mid-rows."""
    driver: Any = connection
    try:
        driver.query(sql, unbuffered=True)
        if not driver._result.unbuffered_active:
            raise MalformedRows("it has no rows")
        return _rows(driver, driver._result)
    except SourceErrors as error:
        raise translate(error, _QUERY, "") from None
    except MalformedRows as error:
        raise Unreachable("source", _QUERY, reason=f"the answer is no result: {error}") from None


def _rows(driver: Any, result: Any) -> RawColumns:
    """What follows the columns' descriptions. The connection is closed unless the end was read."""
    ended = False
    try:
        packets = Packets(driver._next_seq_id)
        end = _read_to_end(packets, driver._rfile)
        if not _is_error(end):
            found = packets.rows(result.field_count)
            _require_last(end)
        ended = True
    finally:
        result.unbuffered_active = False
        if not ended:
            driver._force_close()
    if _is_error(end):
        raise_server_error(end)
    return found


def _read_to_end(packets: Packets, stream: Any) -> bytes:
    while (end := packets.end()) is None:
        data = stream.read1(_READ_BYTES)
        if not data:
            raise ConnectionResetError
        packets.add(data)
    return end


def _is_error(end: bytes) -> bool:
    return end[:1] == b"\xff"


def _require_last(end: bytes) -> None:
    """Raise MalformedRows unless the end is an EOF packet that no other result follows."""
    if len(end) != _EOF_BYTES or _END_STATUS(end)[1] & _MORE_RESULTS:
        raise MalformedRows("something follows the rows")
