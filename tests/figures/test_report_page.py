"""The report in a real Chromium: accessible, safe with hostile texts, and filtered by a script of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from figures.report import build
from tests.figures.studies import HOSTILE, hostile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the hostile study."""
    return build(*hostile(tmp_path_factory.mktemp("hostile")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing_serious(report: Path, browser: Any, scheme: str, width: int) -> None:
    """Desktop and phone, light and dark; no sideways scrolling of the page on the phone."""
    spec = find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("the package axe-core-python is not installed")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page.goto(report.as_uri())
    page.add_script_tag(path=str(Path(spec.origin).with_name("axe.min.js")))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_hostile_texts_run_nothing_and_ask_nobody(report: Path, browser: Any) -> None:
    """No script but the page's own, no request but the page itself; the texts are there as texts."""
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    assert page.title() == "made-up: fine-tuning methods compared"
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]
    assert HOSTILE[1] in page.inner_text("#texts ~ .texts >> nth=1")
    page.close()


def test_filters_leave_the_texts_of_one_method(report: Path, browser: Any) -> None:
    """The form appears with the script; choosing `full` hides the base's texts, `all` shows them again."""
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.is_visible("#filters")
    page.select_option("#filters [name=method]", "full")
    methods = page.eval_on_selector_all(
        ".text[data-method]:not([hidden])", "found => [...new Set(found.map(one => one.dataset.method))]"
    )
    assert methods == ["full"]
    page.select_option("#filters [name=method]", "")
    page.select_option("#filters [name=check]", "missing marker")
    methods = page.eval_on_selector_all(
        ".text[data-method]:not([hidden])", "found => [...new Set(found.map(one => one.dataset.method))]"
    )
    assert methods == ["base"]
    page.close()


def test_without_scripts_every_text_is_shown(report: Path, browser: Any) -> None:
    """The filters alone are missing."""
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert not page.is_visible("#filters")
    assert page.locator(".text[data-method]").count() > 20
    page.close()
