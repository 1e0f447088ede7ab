"""The questions of `rowferry init`: what is asked, why, what is accepted, and the answers as one value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote as url_quote

from rowferry.errors import UsageError
from rowferry.settings import DestinationSettings, SourceSettings

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,21}")
_SERVER: Final = re.compile(r"(?:(?:mariadb|mysql)[ :]?)?(?:5\.5\.5-)?(\d+)\.(\d+)[\w.~+:-]*", re.IGNORECASE)
_FIRST_MARIADB: Final = 10
_HOST: Final = re.compile(r"[^\s/:@?#\[\]]*[^\s/:@?#\[\]\d][^\s/:@?#\[\]]*")
_YES: Final = {"y": True, "yes": True, "n": False, "no": False}


@dataclass(frozen=True, slots=True)
class Question:
    """A question. key: also the option's name. why: the explanation on a terminal. check: what is wrong."""

    key: str
    text: str
    why: str
    default: str
    check: Callable[[str], str]

    @property
    def option(self) -> str:
        """The option that answers it."""
        return "--" + self.key.replace("_", "-")


def _any(text: str) -> str:
    return "" if text.strip() and text.isprintable() else "must not be empty"


def _name(text: str) -> str:
    return "" if _NAME.fullmatch(text) else "must be up to 22 small letters, digits, - and _"


def _server(text: str) -> str:
    return "" if _SERVER.fullmatch(text) else "must look like mariadb:10.5 or mysql:8.4"


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        return "" if _HOST.fullmatch(text) else "must be a name or an address, without a port"
    return ""


def _port(text: str) -> str:
    good = text.isascii() and text.isdigit() and 0 < int(text) < 65536
    return "" if good else "must be a port from 1 to 65535"


def _yes_or_no(text: str) -> str:
    return "" if text.lower() in _YES else "must be yes or no"


_KIND: Final = "its kind and version, or what SELECT VERSION() says"
_FROM: Final = "from where it may connect, as the server sees this machine; % is anywhere"
QUESTIONS: Final = (
    Question("name", "Name of this instance", "the unit is rowferry@NAME", "clinic", _name),
    Question("server", "Source server", _KIND, "mariadb:10.5", _server),
    Question("source_host", "Source host", "where MySQL or MariaDB runs", "127.0.0.1", _host),
    Question("source_port", "Source port", "3306 unless somebody changed it", "3306", _port),
    Question("source_database", "Source database", "the one to copy", "opendental", _any),
    Question("source_account", "Source account", "is made by source.sql; it can only read", "rowferry", _any),
    Question("account_host", "Host of the source account", _FROM, "%", _any),
    Question("opendental", "Is it OpenDental's database", "leaves temporary tables out", "yes", _yes_or_no),
    Question("destination_host", "Destination host", "where Postgres runs", "127.0.0.1", _host),
    Question("destination_port", "Destination port", "5432 unless somebody changed it", "5432", _port),
    Question("destination_database", "Destination database", "receives the copy", "analytics", _any),
    Question("destination_account", "Destination account", "is made by destination.sql", "rowferry", _any),
    Question("dataset", "Schema of the copy", "the tables are made in it", "raw", _any),
)


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers, accepted by the settings' own rules."""

    values: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        """The answer to a question."""
        return self.values[key]

    @property
    def is_mariadb(self) -> bool:
        """Whether the source is MariaDB."""
        named = self["server"].lower()
        return "mariadb" in named or ("mysql" not in named and self.version[0] >= _FIRST_MARIADB)

    @property
    def version(self) -> tuple[int, int]:
        """The first two numbers of the source's version."""
        match = _SERVER.fullmatch(self["server"])
        return (int(match[1]), int(match[2])) if match else (0, 0)

    @property
    def opendental(self) -> bool:
        """Whether the database is OpenDental's."""
        return _YES[self["opendental"].lower()]

    @property
    def source_url(self) -> str:
        """source.url, without a password."""
        return f"mysql://{self._place('source')}"

    @property
    def destination_url(self) -> str:
        """destination.url, without a password."""
        return f"postgresql://{self._place('destination')}"

    def _place(self, side: str) -> str:
        account, database = (url_quote(self[f"{side}_{k}"], safe="") for k in ("account", "database"))
        host = self[f"{side}_host"]
        host = f"[{host}]" if ":" in host else host
        return f"{account}@{host}:{self[f'{side}_port']}/{database}"


def collect(
    given: Mapping[str, str | None], ask: Callable[[str], str] | None, say: Callable[[str], None]
) -> Answers:
    """The answers from options, and for the others from `ask`, or their defaults.

    ask: takes the text to show, gives what was typed; None: the defaults are taken. Raises UsageError for
    an answer that cannot be.
    """
    values = {}
    for question in QUESTIONS:
        value = given.get(question.key)
        if value is None:
            value = question.default if ask is None else _ask(question, ask, say)
        elif wrong := question.check(value):
            raise UsageError("prepare the files", question.option, reason=wrong)
        values[question.key] = value
    answers = Answers(values)
    _require_settings(answers)
    return answers


def unanswered(given: Mapping[str, str | None]) -> list[str]:
    """The options that were not given."""
    return [q.option for q in QUESTIONS if given.get(q.key) is None]


def _ask(question: Question, ask: Callable[[str], str], say: Callable[[str], None]) -> str:
    while True:
        typed = ask(f"{question.text} ({question.why}) [{question.default}]: ").strip() or question.default
        wrong = question.check(typed)
        if not wrong:
            return typed
        say(f"It {wrong}.")


def _require_settings(answers: Answers) -> None:
    """Raise UsageError for what the settings' own models refuse."""
    try:
        SourceSettings(url=answers.source_url)
    except ValueError:
        reason = "host, port, account and database make no URL"
        raise UsageError("prepare the files", "source", reason=reason) from None
    try:
        DestinationSettings(url=answers.destination_url, dataset=answers["dataset"])
    except ValueError:
        reason = (
            "host, port, account and database make no URL, or the schema's name is longer than 54 bytes,"
            " has a quote or begins with pg_"
        )
        raise UsageError("prepare the files", "destination", reason=reason) from None
