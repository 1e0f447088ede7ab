"""Reads the machine's own apt sources, to find the mirror that it already uses.

Text in, values out; `read_machine` alone looks at files. No host name is known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_APT = Path("/etc/apt")
_ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)"
)
_RELEASE_ALIASES = frozenset({"stable", "oldstable", "testing", "unstable", "sid"})


@dataclass(frozen=True, slots=True)
class Source:
    """One place that packages come from; `signed_by` is a path, an inline key, or empty for apt's default."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str


def parse_one_line(text: str) -> list[Source]:
    """Parse the `deb [options] uri suite components` form of sources.list."""
    found = (_ONE_LINE.match(line.strip()) for line in text.splitlines())
    return [
        Source(
            uri=match["uri"],
            suites=(match["suite"],),
            components=tuple(match["components"].split()),
            signed_by=_options(match["options"] or "").get("signed-by", ""),
        )
        for match in found
        if match is not None
    ]


def _options(text: str) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (part.partition("=") for part in text.split())}


def parse_deb822(text: str) -> list[Source]:
    """Parse the paragraphs of a .sources file."""
    return [source for paragraph in _paragraphs(text) for source in _sources_of(paragraph)]


def _sources_of(fields: Mapping[str, str]) -> Iterator[Source]:
    enabled = fields.get("enabled", "yes").strip().lower() not in {"no", "false", "0", "off"}
    if not enabled or "deb" not in fields.get("types", "").split():
        return
    for uri in fields.get("uris", "").split():
        yield Source(
            uri=uri,
            suites=tuple(fields.get("suites", "").split()),
            components=tuple(fields.get("components", "").split()),
            signed_by=fields.get("signed-by", "").strip(),
        )


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in (line for line in block.splitlines() if not line.startswith("#")):
            if line[:1] in {" ", "\t"} and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def mirrors(sources: Iterable[Source], codename: str) -> list[Source]:
    """Give the sources that carry the distribution itself, likeliest first, each address once.

    That is: a network address, whose main component serves the release the machine runs. Other vendors'
    repositories use the same suite names; they come last, since files named after the distribution and
    signed by its archive keyring come first.
    """
    fitting: dict[str, Source] = {}
    for source in sources:
        own = not _RELEASE_ALIASES.union({codename}).isdisjoint(source.suites)
        if own and "main" in source.components and not source.uri.startswith("cdrom:"):
            fitting.setdefault(source.uri.rstrip("/"), source)
    return sorted(fitting.values(), key=lambda source: "archive-keyring" not in source.signed_by)


def read_machine(apt: Path = _APT) -> list[Source]:
    """Read all the apt sources of this machine: sources.list, then the parts by name."""
    sources: list[Source] = []
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        if path.is_file() and path.suffix == ".list":
            sources += parse_one_line(path.read_text(errors="replace"))
        elif path.is_file() and path.suffix == ".sources":
            sources += parse_deb822(path.read_text(errors="replace"))
    return sources


@dataclass(frozen=True, slots=True)
class Distribution:
    """The distribution the machine runs, as /etc/os-release says."""

    name: str
    codename: str


def read_distribution(os_release: str) -> Distribution:
    """Parse the text of /etc/os-release."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    values = {name: value.strip().strip("\"'") for name, value in fields.items()}
    return Distribution(values.get("ID", ""), values.get("VERSION_CODENAME", ""))
