"""How the page for people looks, light and dark, wide and narrow. Nothing is loaded from anywhere."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#f4f6f8;--card:#fff;--ink:#17212b;--soft:#536170;--rule:#d9e0e7;
--link:#0b5cad;--good:#17734a;--busy:#8a5a00;--bad:#b3261e;--line:#1769c2;
--goodbg:#e3f4ea;--busybg:#fdf1d8;--badbg:#fdeae8}
@media (prefers-color-scheme:dark){:root{--bg:#11161c;--card:#1a222b;--ink:#e6ebf0;--soft:#9fb0c0;
--rule:#303c48;--link:#7db8f5;--good:#6fd3a0;--busy:#f0c36b;--bad:#ff9a90;--line:#6fb1f7;
--goodbg:#16332a;--busybg:#362b12;--badbg:#3c1f1d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
.wrap{max-width:1040px;margin:0 auto;padding:20px}
header{display:flex;flex-wrap:wrap;gap:4px 24px;align-items:baseline;justify-content:space-between}
header p{margin:0;color:var(--soft);font-size:14px}
h1{font-size:18px;margin:0}h2{font-size:17px;margin:0 0 12px}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px;
margin-top:16px}
.verdict{border-left:8px solid var(--mood)}
.good{--mood:var(--good);--moodbg:var(--goodbg)}.busy{--mood:var(--busy);--moodbg:var(--busybg)}
.quiet{--mood:var(--soft);--moodbg:var(--rule)}
.bad{--mood:var(--bad);--moodbg:var(--badbg)}
.word{font-size:38px;line-height:1.15;font-weight:700;color:var(--mood);margin:0}
.sentence{font-size:19px;margin:6px 0 0;overflow-wrap:anywhere}
.remedy{margin:4px 0 0;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,auto));gap:14px 24px;margin:18px 0 0}
.facts dt{font-size:13px;color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums;font-weight:600}
svg{display:block;width:100%;height:auto}
section>:last-child{margin-bottom:0}
.grid{stroke:var(--rule);stroke-width:1}.tick{fill:var(--soft);font-size:11px}.y{text-anchor:end}
.line{fill:none;stroke:var(--line);stroke-width:2;stroke-linejoin:round}.area{fill:var(--line);opacity:.13}
.none{fill:var(--soft);text-anchor:middle;font-size:15px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 14px 7px 0;border-top:1px solid var(--rule);vertical-align:top}
thead th{border-top:0;font-size:13px;color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:600;overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
tr.why td{border-top:0;padding-top:0;font-size:15px;overflow-wrap:anywhere}
.chip{display:inline-block;border-radius:99px;padding:1px 10px;font-size:14px;white-space:nowrap;
background:var(--moodbg);color:var(--mood)}
.chips{display:flex;flex-wrap:wrap;gap:8px;margin:0 0 12px;padding:0;list-style:none}
progress{width:100%;min-width:110px;height:12px;accent-color:var(--line)}
.soft{color:var(--soft)}.warn{color:var(--bad);font-weight:600}
.errors{list-style:none;margin:0;padding:0}
.errors li{border-top:1px solid var(--rule);padding:9px 0;overflow-wrap:anywhere}
.errors li:first-child{border-top:0;padding-top:0}.errors li:last-child{padding-bottom:0}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
a{color:var(--link)}a:focus-visible{outline:3px solid var(--line);outline-offset:2px}
footer{margin:18px 0 6px;color:var(--soft);font-size:14px;display:flex;flex-wrap:wrap;gap:4px 20px}
@media (max-width:640px){.wrap{padding:12px}section{padding:14px}
.word{font-size:31px}.sentence{font-size:17px}
.tables thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.tables tr{display:grid;grid-template-columns:1fr 1fr;gap:0 10px;
border-top:1px solid var(--rule);padding:8px 0}
.tables tr.why{display:block;border-top:0;padding-top:0}
.tables th,.tables td{border:0;padding:1px 0;text-align:left}
.tables td[data-label]::before{content:attr(data-label) " ";color:var(--soft);font-size:13px}
.tick{font-size:22px}.none{font-size:26px}}
"""
STYLE_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: this style, the icon, and nothing else; no script at all."""
