"""What a DDL statement does to one table, as actions. Pure text, no server.

A statement is understood wholly or not at all: one word too many, and it is None, which costs a copy of
the table; a wrong reading would cost the rows. ALTER IGNORE TABLE is never understood: it may drop rows.

Grammar: https://dev.mysql.com/doc/refman/9.7/en/alter-table.html, https://mariadb.com/kb/en/alter-table/
and sql_yacc.yy of both.
"""

from __future__ import annotations

from typing import Final

from rowferry.actions import (
    Action,
    AddColumn,
    ChangeColumn,
    ConvertCharset,
    DropColumn,
    DropDefault,
    KeepsRows,
    RenameColumn,
    SetDefault,
    TableChange,
    Truncate,
    UniqueIndex,
)
from rowferry.column_words import charset_name
from rowferry.definitions import read_default, read_definition
from rowferry.sql_words import NotUnderstood, Pieces, pieces

_ENGINES: Final = {"INNODB": "InnoDB", "MYISAM": "MyISAM", "ARIA": "Aria"}
_WORD_OPTIONS: Final = ("ROW_FORMAT", "ALGORITHM", "LOCK", "STATS_PERSISTENT", "STATS_AUTO_RECALC")
_NUMBER_OPTIONS: Final = (
    *("AUTO_INCREMENT", "KEY_BLOCK_SIZE", "CHECKSUM", "PAGE_CHECKSUM", "STATS_PERSISTENT"),
    *("STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES", "AVG_ROW_LENGTH", "MAX_ROWS", "MIN_ROWS", "PACK_KEYS"),
    *("DELAY_KEY_WRITE", "TRANSACTIONAL"),
)


def read_change(statement: str) -> TableChange | None:
    """The statement's actions; None unless all of it is understood for sure."""
    try:
        return _statement(Pieces(pieces(statement)))
    except NotUnderstood:
        return None


def _statement(words: Pieces) -> TableChange:
    if words.take("ALTER"):
        words.take("ONLINE")
        change = _alter(words)
    elif words.take("TRUNCATE"):
        words.take("TABLE")
        change = TableChange(*_table(words), (Truncate(),))
    elif words.take("CREATE"):
        change = _create_index(words)
    else:
        words.need("DROP", "INDEX")
        change = _drop_index(words)
    words.take(";")
    if not words.ended:
        raise NotUnderstood
    return change


def _table(words: Pieces) -> tuple[str, str]:
    """A database, or "", and a table, and how long to wait for it (MariaDB)."""
    database, table = "", words.name()
    if words.take("."):
        database, table = table, words.name()
    if words.take("WAIT"):
        words.whole_number()
    else:
        words.take("NOWAIT")
    return database, table


def _alter(words: Pieces) -> TableChange:
    words.need("TABLE")
    words.take("IF", "EXISTS")
    database, table = _table(words)
    actions = _action(words)
    while words.take(","):
        actions += _action(words)
    return TableChange(database, table, tuple(actions))


def _create_index(words: Pieces) -> TableChange:
    replaced = words.take("OR", "REPLACE")
    kind = words.take_one("UNIQUE", "FULLTEXT", "SPATIAL")
    words.need("INDEX")
    words.take("IF", "NOT", "EXISTS")
    name = words.name()
    _using(words)
    words.need("ON")
    database, table = _table(words)
    words.skip_parentheses()
    _index_options(words)
    unsure = replaced or kind == "UNIQUE"
    return TableChange(database, table, (UniqueIndex(name) if unsure else KeepsRows(),))


def _drop_index(words: Pieces) -> TableChange:
    words.take("IF", "EXISTS")
    name = words.name()
    words.need("ON")
    database, table = _table(words)
    _index_options(words)
    return TableChange(database, table, (UniqueIndex(name),))


def _action(words: Pieces) -> list[Action]:
    if words.take("ADD"):
        return _add(words)
    if words.take("DROP"):
        return [_drop(words)]
    if words.take("MODIFY"):
        words.take("COLUMN")
        if_exists = words.take("IF", "EXISTS")
        definition = read_definition(words)
        return [ChangeColumn(definition.name, definition, if_exists)]
    if words.take("CHANGE"):
        words.take("COLUMN")
        if_exists = words.take("IF", "EXISTS")
        return [ChangeColumn(words.name(), read_definition(words), if_exists)]
    if words.take("RENAME"):
        return [_rename(words)]
    if words.take("ALTER"):
        return [_default(words)]
    if words.take("CONVERT", "TO"):
        return [_convert(words)]
    return _table_options(words)


def _add(words: Pieces) -> list[Action]:
    if (index := _index(words)) is not None:
        return [index]
    words.take("COLUMN")
    if words.take("IF", "NOT", "EXISTS"):
        return [AddColumn(read_definition(words), True)]
    if not words.take("("):
        return [AddColumn(read_definition(words))]
    found = [_element(words)]
    while words.take(","):
        found.append(_element(words))
    words.need(")")
    return found


def _element(words: Pieces) -> Action:
    return _index(words) or AddColumn(read_definition(words))


def _index(words: Pieces) -> Action | None:
    """An index or a constraint; None if none begins here."""
    symbol = ""
    if words.take("CONSTRAINT"):
        words.take("IF", "NOT", "EXISTS")
        symbol = "" if _constraint_begins(words) else words.name()
        if not _constraint_begins(words):
            raise NotUnderstood
    if words.take("PRIMARY", "KEY"):
        return _columns(words, UniqueIndex("PRIMARY"))
    if words.take("UNIQUE"):
        words.take_one("INDEX", "KEY")
        return _columns(words, UniqueIndex(_index_name(words) or symbol))
    if words.take("FOREIGN", "KEY"):
        return _foreign_key(words)
    if words.take("CHECK"):
        words.skip_parentheses()
        return KeepsRows()
    if words.take_one("FULLTEXT", "SPATIAL"):
        words.take_one("INDEX", "KEY")
    elif not words.take_one("INDEX", "KEY"):
        return None
    _index_name(words)
    return _columns(words, KeepsRows())


def _constraint_begins(words: Pieces) -> bool:
    return any(words.would_take(word) for word in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"))


def _index_name(words: Pieces) -> str:
    words.take("IF", "NOT", "EXISTS")
    unnamed = words.would_take("(") or words.would_take("USING")
    return "" if unnamed else words.name()


def _columns(words: Pieces, made: Action) -> Action:
    _using(words)
    words.skip_parentheses()
    _index_options(words)
    return made


def _using(words: Pieces) -> None:
    if words.take("USING"):
        words.name()


def _index_options(words: Pieces) -> None:
    while True:
        if words.take("COMMENT"):
            words.next("text", "quoted")
        elif words.take("USING"):
            words.name()
        elif words.take("KEY_BLOCK_SIZE"):
            words.take("=")
            words.whole_number()
        elif words.take_one("ALGORITHM", "LOCK"):
            words.take("=")
            words.next("word")
        else:
            return


def _foreign_key(words: Pieces) -> Action:
    """Without actions on rows: those happen inside of the engine."""
    _index_name(words)
    words.skip_parentheses()
    words.need("REFERENCES")
    words.name()
    if words.take("."):
        words.name()
    words.skip_parentheses()
    while words.take("ON"):
        if not words.take_one("DELETE", "UPDATE"):
            raise NotUnderstood
        if not words.take("RESTRICT"):
            words.need("NO", "ACTION")
    return KeepsRows()


def _drop(words: Pieces) -> Action:
    if words.take("PRIMARY", "KEY"):
        return UniqueIndex("PRIMARY")
    if words.take_one("INDEX", "KEY", "CONSTRAINT"):
        words.take("IF", "EXISTS")
        return UniqueIndex(words.name())
    if words.take("FOREIGN", "KEY") or words.take("CHECK"):
        words.take("IF", "EXISTS")
        words.name()
        return KeepsRows()
    words.take("COLUMN")
    if_exists = words.take("IF", "EXISTS")
    name = words.name()
    words.take_one("RESTRICT", "CASCADE")
    return DropColumn(name, if_exists)


def _rename(words: Pieces) -> Action:
    """Of a column or an index; a table's new name is not for here."""
    if words.take_one("INDEX", "KEY"):
        words.take("IF", "EXISTS")
        old = words.name()
        words.need("TO")
        words.name()
        return UniqueIndex(old)
    words.need("COLUMN")
    if words.take("IF", "EXISTS"):
        raise NotUnderstood
    old = words.name()
    words.need("TO")
    return RenameColumn(old, words.name())


def _default(words: Pieces) -> Action:
    words.take("COLUMN")
    name = words.name()
    if words.take("DROP", "DEFAULT"):
        return DropDefault(name)
    words.need("SET", "DEFAULT")
    read_default(words)
    return SetDefault(name)


def _convert(words: Pieces) -> Action:
    if not words.take("CHARSET"):
        words.need("CHARACTER", "SET")
    charset = charset_name(words)
    if words.take("COLLATE"):
        words.name()
    return ConvertCharset(charset)


def _table_options(words: Pieces) -> list[Action]:
    """One or more, with blanks between them."""
    found = [_option(words)]
    while not (words.ended or words.would_take(",") or words.would_take(";")):
        found.append(_option(words))
    return list(dict.fromkeys(found))


def _option(words: Pieces) -> Action:
    if words.take("ENGINE"):
        words.take("=")
        engine = _ENGINES.get(words.name().upper())
        if engine is None:
            raise NotUnderstood
        return KeepsRows(engine)
    if words.take_one("DISABLE", "ENABLE"):
        words.need("KEYS")
        return KeepsRows()
    _valued_option(words)
    return KeepsRows()


def _valued_option(words: Pieces) -> None:
    if words.take("COMMENT"):
        words.take("=")
        words.next("text", "quoted")
    elif words.take_one(*_WORD_OPTIONS, *_NUMBER_OPTIONS):
        words.take("=")
        words.next("word", "number")
    else:
        words.take("DEFAULT")
        if not (words.take_one("CHARSET", "COLLATE") or words.take("CHARACTER", "SET")):
            raise NotUnderstood
        words.take("=")
        words.next("word", "name", "text")
