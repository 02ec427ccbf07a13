"""The sheet that every public page is written on (页面底版): small, without scripts, legible at arm's length.

A verdict is a colour, a shape, a word and a sentence at once, so that none of them is needed alone.
"""

import base64
import hashlib
import html
from collections.abc import Iterable
from typing import Literal, NamedTuple

from cylinder_api.catalogue import Language

Look = Literal["ok", "soon", "stop", "unsure"]
_SHAPES: dict[Look, str] = {
    "ok": '<circle cx="32" cy="32" r="28"/><path d="M18 33l10 10 19-21"/>',
    "soon": '<path d="M32 6l28 50H4z"/><path d="M32 24v16m0 7v1"/>',
    "stop": '<path d="M21 4h22l17 17v22L43 60H21L4 43V21z"/><path d="M18 32h28"/>',
    "unsure": '<path d="M32 3l29 29-29 29L3 32z"/><path d="M25 26c0-10 14-10 14-1 0 6-7 6-7 12m0 8v1"/>',
}
"""Tick in a circle, exclamation mark in a triangle, bar in an octagon, question mark in a diamond."""
_STYLE = (
    ":root{color-scheme:light dark;--bg:#fff;--fg:#161616;--soft:#5a5a5a;--line:#d5d5d5}"
    "@media(prefers-color-scheme:dark){:root{--bg:#121212;--fg:#f1f1f1;--soft:#b5b5b5;--line:#3c3c3c}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);"
    'font:1.125rem/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}'
    "main{max-width:40rem;margin:auto;padding:.75rem}header{display:flex;justify-content:space-between;align-items:center;padding:.25rem}"
    "a{color:inherit}header a,nav a{display:inline-block;padding:.5rem 0}"
    ".verdict{border-radius:1rem;padding:1.25rem;color:#fff}.verdict svg{width:5rem;height:5rem;fill:none;"
    "stroke:currentColor;stroke-width:5;stroke-linecap:round;stroke-linejoin:round}"
    ".verdict h1{font-size:clamp(2rem,10vw,3.25rem);line-height:1.15;margin:.25rem 0}"
    ".verdict p{font-size:1.375rem;margin:.5rem 0}.verdict .next{font-weight:700}"
    ".ok{background:#0b6637}.soon{background:#ffd23f;color:#161616}.stop{background:#a91d17}.unsure{background:#4d5661}"
    ".soft{color:var(--soft)}dl{display:grid;grid-template-columns:auto 1fr;margin:1rem 0}"
    "dt,dd{margin:0;padding:.4rem .5rem;border-bottom:1px solid var(--line)}dt{color:var(--soft)}"
    "dd{overflow-wrap:anywhere}ul,ol{padding-left:1.25rem}li{padding:.2rem 0}nav a{margin-right:1.25rem}"
    "@media print{:root{--bg:#fff;--fg:#000;--soft:#000;--line:#000}nav,header a{display:none}"
    ".verdict{background:none;color:#000;border:3px solid #000}}"
)
_STYLE_SHA256 = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
STYLE_VERSION = hashlib.sha256(_STYLE.encode()).hexdigest()[:6]
"""Part of what names a page: another look is another page."""
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_SHA256}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address holds the code
}


class Page(NamedTuple):
    """What a page says; texts are plain and become HTML here."""

    language: Language
    title: str
    body: str
    """HTML."""
    other_language: str
    """Query of the address at which the same page is in the other language."""


def page_html(page: Page) -> str:
    """The whole document."""
    switch = "English" if page.language == "zh-CN" else "中文"
    return (
        f'<!doctype html><html lang="{page.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{plain(page.title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<header><span>瓶链 PingLian</span><a href="?{html.escape(page.other_language)}">{switch}</a></header>'
        f"{page.body}</main></body></html>"
    )


def plain(value: object) -> str:
    """A text as HTML that says no more than the text."""
    return html.escape(str(value))


def other(language: Language) -> str:
    """The query by which a page is asked for in the other language."""
    return "lang=en" if language == "zh-CN" else "lang=zh-CN"


def card(look: Look, head: str, *lines: tuple[str, str]) -> str:
    """A verdict: shape and colour, a word, and lines each with its class: `why` or `next`."""
    told = "".join(f'<p class="{kind}">{plain(line)}</p>' for kind, line in lines)
    svg = f'<svg viewBox="0 0 64 64" aria-hidden="true">{_SHAPES[look]}</svg>'
    return f'<section class="verdict {look}">{svg}<h1>{plain(head)}</h1>{told}</section>'


def rows(told: Iterable[tuple[str, str, str]]) -> str:
    """Terms and values, each with attributes of its term."""
    lines = (f"<dt{place}>{plain(term)}</dt><dd>{plain(value)}</dd>" for term, value, place in told)
    return f"<dl>{''.join(lines)}</dl>"
