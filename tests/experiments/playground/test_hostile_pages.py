"""Report, playground and taste test in a real Chromium, full of hostile text: no script, no request."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from markdown import markdown as render
from ruamel.yaml import YAML

from experiments.playground.taste import page as taste
from experiments.playground.taste.pairs import draw
from figures.report.page import build
from figures.tables.table import Table
from figures.wording.escaping import code, fenced, markdown
from tests.browsing import OUTSIDE, PAYLOADS, watched
from tests.figures.conftest import write_study
from tests.house.imports import ROOT

pytestmark = pytest.mark.browser
FREE_TEXT = {
    "question", "title", "text", "reference", "prompt", "error", "license", "signature", "label", "check",
    "device", "torch", "identity",
}  # fmt: skip
"""Fields of records that hold any text, titles and generations among them; names are held to a pattern."""


def spoiled(value: Any, place: int = 0, field: str = "") -> Any:
    """The JSON value with a payload in every field of free text, another one in each place."""
    if isinstance(value, dict):
        return {key: spoiled(inner, place + i, key) for i, (key, inner) in enumerate(value.items())}
    if isinstance(value, list):
        return [spoiled(inner, place + i, field) for i, inner in enumerate(value)]
    if isinstance(value, str) and field in FREE_TEXT:
        return PAYLOADS[place % len(PAYLOADS)]
    return value


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a study whose texts, labels, errors, licences, signatures and versions are payloads."""
    folder, root = write_study(tmp_path_factory.mktemp("hostile"), extra=True)
    for path in [*root.rglob("*.json"), *root.rglob("*.jsonl")]:
        lines = path.read_text(encoding="utf-8")
        values = [json.loads(lines)] if path.suffix == ".json" else [*map(json.loads, lines.split("\n")[:-1])]
        texts = [json.dumps(spoiled(value, place), ensure_ascii=False) for place, value in enumerate(values)]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return build(folder, root)


def addresses(tab: Any) -> list[str]:
    """Every address in the page that is neither a place in it nor data inside it."""
    found = tab.evaluate(
        "[...document.querySelectorAll('[href],[src],[action],[srcdoc],[formaction]')].flatMap(e =>"
        "['href','src','action','srcdoc','formaction'].map(n => e.getAttribute(n)).filter(v => v !== null))"
    )
    return [address for address in found if not address.startswith(("#", "data:"))]


def test_a_page_that_escapes_nothing_is_noticed(tmp_path):
    """The watch itself: the payloads, raw, run a script, open a dialog and ask another server."""
    path = tmp_path / "raw.html"
    path.write_text(
        "<!doctype html><title>x</title>" + "\n".join((PAYLOADS[0], PAYLOADS[3], f'<p a="{PAYLOADS[4]}'))
    )
    with watched(path.as_uri()) as (tab, incidents):
        tab.goto(path.as_uri())
        tab.wait_for_timeout(300)
        assert any(OUTSIDE in address for address in addresses(tab))
    kinds = {incident.split(":")[0] for incident in incidents}
    assert "request" in kinds
    assert any(incident.startswith("script ran") for incident in incidents)


def test_a_report_of_hostile_records_runs_nothing_and_asks_nobody(report):
    """Payloads stand there as text; the page's own script filters, and no address leads outside."""
    with watched(report.as_uri()) as (tab, incidents):
        tab.goto(report.as_uri())
        for summary in tab.query_selector_all("details"):
            summary.evaluate("e => e.open = true")
        tab.wait_for_timeout(300)
        text = tab.evaluate("document.body.textContent")
        assert PAYLOADS[0] in text
        assert PAYLOADS[13] in text
        assert "\\u202eevil" in text
        assert "\u202e" not in text
        assert addresses(tab) == []
    assert incidents == []


def test_no_file_of_the_report_holds_a_control_character(report):
    """Markdown, tables and LaTeX: no escape, no override, and no raw element of HTML outside code."""
    files = [path for path in report.parent.rglob("*") if path.suffix in (".md", ".tex", ".html")]
    assert len(files) > 10
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\u2066", "\u2028"}, path.name
    for path in report.parent.rglob("*.tex"):
        assert "\\input{" not in path.read_text(encoding="utf-8").partition("\n")[2]


def test_a_page_of_the_documentation_with_hostile_records_runs_nothing_and_asks_nobody(tmp_path):
    """As board and findings are written: payloads in a table, its note, a paragraph, code and a title.

    Rendered with the extensions of mkdocs.yml.
    """
    settings = YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    extensions, options = [], {}
    for one in settings["markdown_extensions"]:
        name, own = next(iter(one.items())) if isinstance(one, dict) else (one, {})
        extensions.append(name)
        options[name] = own
    rows = [(payload, code(payload)) for payload in PAYLOADS]
    parts = [Table("t", "T", ("method", PAYLOADS[4]), rows, PAYLOADS[0]).markdown()]
    for payload in PAYLOADS:
        parts += [
            f"## {markdown(payload)}",
            f"Said of {markdown(payload)}",
            markdown(payload),
            fenced(payload),
        ]
        parts += [f"- {markdown(payload)}: {code(payload)}"]
    body = render("\n\n".join(parts), extensions=extensions, extension_configs=options)
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{body}", encoding="utf-8")
    with watched(path.as_uri()) as (tab, incidents):
        tab.goto(path.as_uri())
        tab.wait_for_timeout(300)
        assert len(tab.query_selector_all("h2")) == len(PAYLOADS)
        assert len(tab.query_selector_all("tr")) == 1 + len(PAYLOADS)
        assert not tab.query_selector_all("script, style, iframe, img, svg, link, base, [onclick], p [style]")
        assert addresses(tab) == []
    assert incidents == []


def test_a_taste_test_of_hostile_texts_runs_nothing_and_asks_nobody(tmp_path):
    """Every payload as a title and as a text, judged one after the other."""
    texts = {m: {title: f"{title} by {m}" for title in PAYLOADS} for m in ("base", "full")}
    shown, _ = draw(texts, seed=0)
    test = taste.TasteTest(
        taste_test=PAYLOADS[2], study=PAYLOADS[0], question=PAYLOADS[3], pairs=len(shown),
        methods=("base", "full"), seed=0,
    )  # fmt: skip
    path = tmp_path / "taste.html"
    path.write_text(taste.page(shown, test), encoding="utf-8")
    seen = set()
    with watched(path.as_uri()) as (tab, incidents):
        tab.goto(path.as_uri())
        for _ in shown:
            seen.add(tab.evaluate("document.getElementById('prompt').textContent"))
            tab.keyboard.press("a")
        assert tab.is_visible("#done")
        assert addresses(tab) == []
    assert seen == set(PAYLOADS)
    assert incidents == []


def test_a_playground_of_hostile_models_runs_nothing_and_asks_nobody(monkeypatch):
    """Models named by payloads write payloads, one piece each; they stand there as text."""
    pytest.importorskip("starlette", reason="the extra `playground` is not installed")
    uvicorn = pytest.importorskip("uvicorn", reason="the extra `playground` is not installed")
    from experiments.playground.live import server as live
    from experiments.playground.live.arms import Arm, Arms
    from experiments.playground.live.writing import Piece

    names = PAYLOADS[:8]
    arms = Arms(tuple(Arm(name, None, None) for name in names), None, 1)  # type: ignore[arg-type]
    pieces = [Piece(name, text, 8, "limit") for name, text in zip(names, PAYLOADS[8:16], strict=True)]
    monkeypatch.setattr(live, "write", lambda *_: iter(pieces))
    playground = live.Playground(arms, None, live.Limits(), PAYLOADS[3], None)
    listener = socket.create_server(("127.0.0.1", 0))
    application = live.application(playground, ["127.0.0.1"], None)
    server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        with watched(address) as (tab, incidents):
            tab.goto(address)
            assert tab.inner_text("h1") == PAYLOADS[3]
            tab.fill("#prompt", PAYLOADS[1])
            tab.click("#go")
            expect = pytest.importorskip(
                "playwright.sync_api"
            ).expect  # polls without eval, which CSP forbids
            expect(tab.locator(".state")).to_have_count(8, timeout=300_000)
            expect(tab.locator("#go")).to_be_enabled(timeout=300_000)
            written = tab.evaluate("[...document.querySelectorAll('.text')].map(e => e.textContent)")
            assert written == list(PAYLOADS[8:16])
            assert addresses(tab) == []
        assert [i for i in incidents if "favicon" not in i] == []
    finally:
        server.should_exit = True
        thread.join(timeout=10)
