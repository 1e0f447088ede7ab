"""Reading the machine's apt sources, and writing one of our own."""

from pathlib import Path

from rowferry_lab.servers.apt_packages import needed, source_text
from rowferry_lab.servers.apt_sources import (
    Distribution,
    Source,
    mirrors,
    parse_deb822,
    parse_one_line,
    read_distribution,
    read_machine,
)
from rowferry_lab.servers.catalogue import Offer

MIRROR = "http://mirror.example/debian"

DEB822 = f"""\
Types: deb deb-src
# a comment inside
URIs: {MIRROR}
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources-only.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://inline.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEAD
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_deb822_paragraphs_are_read_with_their_keys() -> None:
    """Debian 12 images and Ubuntu 24.04 write their sources in this form."""
    first, inline = parse_deb822(DEB822)
    assert first == Source(
        MIRROR,
        ("bookworm", "bookworm-updates"),
        ("main", "contrib"),
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    )
    assert inline.signed_by.startswith("-----BEGIN PGP")
    assert inline.signed_by.endswith("-----END PGP PUBLIC KEY BLOCK-----")


def test_one_line_sources_are_read_with_their_options() -> None:
    """The older form, with options in brackets, comments and sources that carry no programs."""
    text = f"""\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/keys/own.gpg] {MIRROR} bookworm main non-free  # trailing words
deb-src {MIRROR} bookworm main
deb\thttp://tabs.example/debian\tbookworm\tmain
"""
    first, second = parse_one_line(text)
    assert first == Source(MIRROR, ("bookworm",), ("main", "non-free"), "/etc/keys/own.gpg")
    assert second.uri == "http://tabs.example/debian"


def source(uri: str, suite: str, signed_by: str = "", component: str = "main") -> Source:
    """Make a source with one suite."""
    return Source(uri, (suite,), (component,), signed_by)


def test_mirror_of_the_distribution_comes_before_other_vendors() -> None:
    """Vendors use the distribution's suite names; their servers have no other release."""
    vendor = source("http://vendor.example/mariadb/debian", "bookworm", "/etc/keys/vendor.gpg")
    own = source(MIRROR, "bookworm", "/usr/share/keyrings/debian-archive-keyring.gpg")
    assert mirrors([vendor, own], "bookworm") == [own, vendor]


def test_sources_that_carry_no_whole_release_are_left_out() -> None:
    """Security updates, discs and single-vendor suites have no other releases to offer."""
    others = [
        source("http://security.example/debian-security", "bookworm-security"),
        source("cdrom:[Debian GNU/Linux 12]/", "bookworm"),
        source("http://vendor.example/apt", "cloud-sdk-bookworm"),
        source("http://vendor.example/docker", "bookworm", component="stable"),
    ]
    assert mirrors([*others, source(MIRROR, "stable")], "bookworm") == [source(MIRROR, "stable")]


def test_each_mirror_is_asked_once() -> None:
    """The updates of a release are listed beside it, at the same address."""
    assert len(mirrors([source(MIRROR, "bookworm"), source(f"{MIRROR}/", "bookworm")], "bookworm")) == 1


def test_machine_is_read_in_both_forms(tmp_path: Path) -> None:
    """A machine may have both, and files that apt itself ignores."""
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (parts / "b.list").write_text("deb http://b.example/debian bookworm main\n")
    (parts / "c.sources").write_text("Types: deb\nURIs: http://c.example\nSuites: sid\nComponents: main\n")
    (parts / "d.list.disabled").write_text("deb http://d.example/debian bookworm main\n")
    uris = [found.uri for found in read_machine(tmp_path)]
    assert uris == ["http://a.example/debian", "http://b.example/debian", "http://c.example"]


def test_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    """On another distribution there is nothing to read, which is not an error."""
    assert read_machine(tmp_path / "missing") == []


def test_own_source_trusts_the_machine_s_key_and_the_archive_s(tmp_path: Path) -> None:
    """Another release may be signed by a newer key of the same archive, never by nobody."""
    keyring = tmp_path / "archive.gpg"
    keyring.touch()
    offer = Offer("sid", "mysql-server-core")
    text = source_text(source(MIRROR, "bookworm", "/etc/keys/own.gpg"), offer, [keyring, tmp_path / "no"])
    assert f"Signed-By: /etc/keys/own.gpg,{keyring}\n" in text
    assert f"URIs: {MIRROR}\nSuites: sid\nComponents: main\n" in text
    assert "trusted" not in text.lower()


def test_inline_key_is_kept_as_it_is() -> None:
    """A key written into the source itself spans lines, each of which must stay indented."""
    inline = parse_deb822(DEB822)[1]
    text = source_text(inline, Offer("sid", "package"), [])
    assert parse_deb822(text)[0].signed_by == inline.signed_by


def test_download_leaves_out_what_a_server_starts_without() -> None:
    """Postgres depends on a compiler larger than itself, for a feature that is off without it."""
    text = """\
Reading package lists...
'http://mirror.example/libllvm19_1%3a19.1.7_amd64.deb' libllvm19_1%3a19.1.7-3+b1_amd64.deb 25978316 SHA256:00
'http://mirror.example/libicu76_76.1-4_amd64.deb' libicu76_76.1-4_amd64.deb 9722072 SHA256:00
'http://mirror.example/postgresql-17_17.11_amd64.deb' postgresql-17_17.11-0+deb13u1_amd64.deb 16678028
"""
    download = needed(text)
    assert download.names == ("libicu76", "postgresql-17")
    assert download.size_bytes == 9722072 + 16678028


def test_distribution_is_read_with_and_without_quotes() -> None:
    """Both forms occur in /etc/os-release."""
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME="bookworm"\n'
    assert read_distribution(text) == Distribution("debian", "bookworm")
    assert read_distribution("") == Distribution("", "")
