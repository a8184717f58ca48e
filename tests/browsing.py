"""Hostile texts, and a Chromium that reports whatever they manage to do: scripts, dialogs, requests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OUTSIDE = "http://outside.invalid"
OWN = "window.owned=1"
PAYLOADS = (
    f"<script>{OWN}</script>",
    f"</textarea><script>{OWN}</script>",
    f"</script><script>{OWN}</script>",
    f"</title></style><script>{OWN};alert(1)</script>",
    f'"><img src={OUTSIDE}/a.png onerror="{OWN}"><svg onload="{OWN}">',
    f"' onmouseover='{OWN}' autofocus onfocus='{OWN}",
    f"<!--<script>{OWN}//--></script>",
    f'<iframe srcdoc="<script>parent.owned=1</script>"></iframe><base href="{OUTSIDE}/">',
    f'<meta http-equiv="refresh" content="0;url={OUTSIDE}"><link rel=stylesheet href={OUTSIDE}/a.css>',
    f"<style>@import '{OUTSIDE}/b.css'; * {{ background: url({OUTSIDE}/c.png) }}</style>",
    f"[text](javascript:{OWN}) ![image]({OUTSIDE}/d.png)",
    f"${{{OWN}}} {{{{ 7*7 }}}} `+({OWN})+`",
    f"\\u003cscript\\u003e{OWN}\\u003c/script\\u003e ]]><script>{OWN}</script>",
    "$\\frac{$ \\input{/etc/passwd} & 50 % _it_ ^",
    "\u202eevil\u202c \u2066x\u2069 \u2028 \x1b]0;owned\x07 \x1b[2J",
    "🍜👩‍🍳 حساء العدس",
    "x" * 10_000,
    f'x {{: style="background: url({OUTSIDE}/e.png)" onclick="{OWN}" }}',
)
"""Each tries to be something else than text: in HTML, a script, an attribute, a style, Markdown, LaTeX."""


@contextmanager
def watched(allowed: str) -> Iterator[tuple[Any, list[str]]]:
    """Yield a Chromium tab, and the list of what happened in it that may not.

    Requests outside ``allowed``, the address of the page, are recorded and aborted; dialogs, console messages
    and errors of scripts are recorded. Skips the test if there is no Chromium or playwright.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    incidents: list[str] = []

    def route(request: Any) -> None:
        url = request.request.url
        if url.startswith((allowed, "data:", "blob:")):
            request.continue_()
            return
        incidents.append(f"request: {url}")
        request.abort()

    def dialog(shown: Any) -> None:
        incidents.append(f"dialog: {shown.message}")
        shown.dismiss()

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.route("**/*", route)
        tab.on("dialog", dialog)
        tab.on("pageerror", lambda error: incidents.append(f"error: {error}"))
        tab.on("console", lambda message: incidents.append(f"console: {message.text}"))
        yield tab, incidents
        for frame in tab.frames:
            if frame.evaluate("window.owned") is not None:
                incidents.append(f"script ran in {frame.url}")
        browser.close()
