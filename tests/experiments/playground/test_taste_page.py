"""The taste test's page in a real Chromium: keys, a way back, votes saved as a file, nobody named."""

from __future__ import annotations

import json
import shutil

import pytest

from experiments.playground.taste import page
from experiments.playground.taste.pairs import draw

pytestmark = pytest.mark.browser
METHODS = ("base", "full", "lora-r16")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def opened(tmp_path):
    """The page of six pairs in a phone-sized window, and what it was drawn from."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    texts = {m: {f"Dish {i}": f"recipe {n} of {i}" for i in range(2)} for n, m in enumerate(METHODS)}
    shown, key = draw(texts, seed=0)
    test = page.TasteTest(taste_test="t1", study="s", question="Which?", pairs=6, methods=METHODS, seed=0)
    (tmp_path / "taste.html").write_text(page.page(shown, test), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto((tmp_path / "taste.html").as_uri())
        yield tab, shown, key
        assert errors == []
        browser.close()


def test_keys_vote_and_the_saved_file_holds_the_choices(opened, tmp_path):
    """A, B, T, back, T, then A to the end: left, right, tie, left, left, left, in the page's order."""
    tab, shown, _ = opened
    assert tab.inner_text("#left") == shown[0].left
    for pressed in ("a", "b", "t", "z", "t", "a", "a", "a"):
        tab.keyboard.press(pressed)
    assert tab.inner_text("#count") == "6 of 6 pairs judged"
    assert tab.is_visible("#done")
    assert tab.is_hidden("#vote")
    tab.click("#save")
    assert "name" in tab.inner_text("#count")
    tab.fill("#rater", "Ann Ä")
    with tab.expect_download() as download:
        tab.click("#save")
    download.value.save_as(tmp_path / "votes.json")
    saved = json.loads((tmp_path / "votes.json").read_text(encoding="utf-8"))
    assert (saved["taste_test"], saved["rater"]) == ("t1", "Ann Ä")
    assert [v["pair"] for v in saved["votes"]] == [pair.pair for pair in shown]
    assert [v["choice"] for v in saved["votes"]] == ["left", "right", "tie", "left", "left", "left"]


def test_votes_outlive_a_reload_and_no_method_is_in_the_page(opened):
    """Two votes, reload: two of six are judged. The live document names nobody; no scroll bar sideways."""
    tab, _, _ = opened
    tab.click("[data-choice=left]")
    tab.click("[data-choice=tie]")
    judged = "2 of 6 pairs judged"
    assert tab.inner_text("#count") == judged
    for _ in range(20):  # Chromium stores in the background: a reload in the same moment may be too early
        tab.reload()
        if tab.inner_text("#count") == judged:
            break
        tab.wait_for_timeout(100)
    assert tab.inner_text("#count") == judged
    content = tab.content()
    assert not any(name in content for name in ("lora-r16", ">full", "base"))
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
