"""A real browser without a window: what it makes of a page, as text and as a picture."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rowferry_lab import tools
from tests.conftest import end_without

_COMMON = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")


@dataclass(frozen=True)
class Browser:
    """Chromium, with fonts of its own. folder: for its profile and pictures."""

    program: Path
    environment: dict[str, str]
    folder: Path

    def run(self, url: str, *options: str) -> tuple[str, list[str]]:
        """Load a page: what it prints, and the lines that the page's console got."""
        done = subprocess.run(
            [str(self.program), *_COMMON, f"--user-data-dir={self.folder / 'profile'}", *options, url],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)

    def picture(self, url: str, *, dark: bool) -> tuple[bytes, list[str]]:
        """A PNG of the page, and its console."""
        path = self.folder / f"page-{'dark' if dark else 'light'}.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        _, console = self.run(url, scheme, "--window-size=1080,1300", f"--screenshot={path}")
        return path.read_bytes(), console


def find_browser(folder: Path) -> Browser:
    """The browser; without one the test skips, or fails where everything is required."""
    try:
        root = tools.package_folder("chromium-headless-shell")
        fonts = tools.package_folder("fonts-dejavu-core")
    except tools.ToolUnavailable as error:
        end_without(str(error))
    libraries = [tools.library_path(root), *map(str, root.glob("usr/lib/*-linux-*/pulseaudio"))]
    configuration = folder / "fonts.conf"
    configuration.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f"<fontconfig><dir>{fonts}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>"
    )
    environment = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "FONTCONFIG_FILE": str(configuration),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
    }
    return Browser(root / "usr/lib/chromium/chromium-headless-shell", environment, folder)
