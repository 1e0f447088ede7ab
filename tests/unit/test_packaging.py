"""What is installed: the wheel's content, the command out of it, completions, the manual page, locks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

import rowferry
from tools.command_line_files import BASH, MAN, generated

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, since a build leaves files beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("daemon", "deploy"):
        shutil.copytree(ROOT / name, folder / "source" / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index"]
    alone = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *alone, str(folder / "source")], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_daemon_and_nothing_else(wheel: Path) -> None:
    """Every module, the mark of its types, the licence, completions and manual; no laboratory, no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    begin = f"rowferry-{PROJECT['version']}"
    assert {n.split("/")[0] for n in names} == {"rowferry", f"{begin}.dist-info", f"{begin}.data"}
    package = ROOT / "daemon" / "rowferry"
    modules = {f"rowferry/{p.relative_to(package).as_posix()}" for p in package.rglob("*.py")}
    assert {n for n in names if n.startswith("rowferry/")} == modules | {"rowferry/py.typed"}
    assert {n.partition(".data/data/")[2] for n in names if ".data/" in n} == {
        "share/man/man1/rowferry.1",
        "share/bash-completion/completions/rowferry",
        "share/zsh/site-functions/_rowferry",
    }
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_the_command_of_the_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment that borrows the libraries; `make distcheck` installs those, too."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (site / "zz-borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ROWFERRY_", "PYTHON"))}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(python.with_name("rowferry")), *arguments]
        return subprocess.run(command, env=clean, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("--version").stdout == f"rowferry {PROJECT['version']}\n"
    done = run("check")
    assert done.returncode == 78, done.stderr
    assert "source.url" in done.stderr


def test_there_is_one_version() -> None:
    """The one in pyproject.toml; after it was changed, `make venv` tells the environment."""
    assert rowferry.__version__ == PROJECT["version"]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse words its help differently elsewhere")
def test_completions_and_manual_are_those_of_the_command_line() -> None:
    """After a change of the options, `make generate` writes them anew."""
    for name, text in generated().items():
        assert (ROOT / name).read_text() == text, f"{name}: run make generate"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("rowferry ver", "verify"),
        ("rowferry status --wa", "--wait-for"),
        ("rowferry quarantine re", "retry"),
        ("rowferry run --config pyproj", "pyproject.toml"),
    ],
)
def test_bash_completes(words: str, wanted: str) -> None:
    """In a real bash, as if Tab were pressed behind these words."""
    script = f"source {BASH}; COMP_WORDS=({words}); COMP_CWORD=$(({len(words.split())} - 1)); _shtab_rowferry"
    script += '; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [wanted]


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_the_manual_page_has_no_mistakes() -> None:
    """groff says nothing of it."""
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", MAN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "tools/sbom.lock"])
def test_locks_have_a_hash_for_every_package_and_name_no_registry(name: str) -> None:
    """So that what is installed is what was tested."""
    text = (ROOT / name).read_text()
    packages = re.split(r"\n(?=[\w.-]+(?:\[[\w,-]+\])?==)", text)[1:]
    assert len(packages) > 20
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text
    assert "--index-url" not in text
