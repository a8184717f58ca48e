"""A study's taste test: the generations of its runs -> one static page, and the key that stays here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from experiments.playground.runs import first_runs, format_of
from experiments.playground.taste.pairs import PairKey, Shown, draw
from toolkit.data.format import find_markers
from toolkit.errors import UserError
from toolkit.records import Conclusions, StudyRecords, read_lines, write_lines
from toolkit.records.base import Record
from toolkit.records.files import write_text
from toolkit.records.folders import Root
from toolkit.specs import AnyFormat, Format, digest_of


class TasteTest(Record):
    """`taste/test.json`: what the page was drawn from; the votes are only read with it."""

    taste_test: str
    """Identity of the drawn pairs and the question; the page and every vote carry it."""
    study: str
    question: str
    pairs: int
    methods: tuple[str, ...]
    seed: int
    baseline: str | None = None
    """The method that the others are compared with; None in tests from before 2026-11-28."""


class Folder:
    """Names of what lies in `results/<study>/taste/`."""

    def __init__(self, root: Path, study: str) -> None:
        self.path = Root(root).results(study).path / "taste"

    @property
    def page(self) -> Path:
        """`taste.html`: what raters get."""
        return self.path / "taste.html"

    @property
    def key(self) -> Path:
        """`key.jsonl`: which methods each pair shows. Raters don't get it."""
        return self.path / "key.jsonl"

    @property
    def test(self) -> Path:
        """`test.json`: the taste test's record."""
        return self.path / "test.json"

    def earlier(self, taste_test: str) -> tuple[Path, Path]:
        """Record and key of a test whose page a later one has replaced: its votes may still come."""
        return self.path / f"test-{taste_test}.json", self.path / f"key-{taste_test}.jsonl"


class Written(NamedTuple):
    """What was written, and where."""

    page: Path
    test: TasteTest


def write_page(
    conclusions: Conclusions,
    root: Path,
    *,
    question: str,
    seed: int,
    most: int | None,
    methods: Sequence[str] = (),
    baseline: str | None = None,
) -> Written:
    """Draw the pairs of a study's methods and write the page and its key.

    Of every method its first confirming run is shown, with the first prompt mode and decoding. With fewer
    pairs than couples of methods those with the ``baseline`` are shown; None: the study's. Raises UserError
    if the study has no generations, or a requested method or baseline has none.
    """
    texts, prompts = _texts(conclusions, root, methods)
    if baseline is not None and baseline not in texts:
        raise UserError(f"taste: no texts of the baseline '{baseline}'. Methods: {', '.join(texts)}")
    shown, key = draw(texts, seed=seed, most=most, baseline=baseline or conclusions.baseline)
    shown = [pair._replace(prompt=prompts[pair.prompt]) for pair in shown]
    folder = Folder(root, conclusions.study)
    identity = [conclusions.study, question, *([pair.pair, pair.left, pair.right] for pair in key)]
    # the study's name may name a method: the page carries a digest of it alone
    test = TasteTest(
        taste_test=digest_of(identity),
        study=conclusions.study,
        question=question,
        pairs=len(shown),
        methods=tuple(sorted(texts)),
        seed=seed,
        baseline=baseline or conclusions.baseline,
    )
    _keep_earlier(folder, test.taste_test)
    write_text(folder.page, page(shown, test))
    write_lines(folder.key, key)
    test.write(folder.test)
    return Written(folder.page, test)


def _keep_earlier(folder: Folder, taste_test: str) -> None:
    """Keep the key of another test that is here: votes on its page are read with it."""
    if folder.test.is_file() and (old := TasteTest.read(folder.test).taste_test) != taste_test:
        for path, kept in zip((folder.test, folder.key), folder.earlier(old), strict=True):
            try:
                path.replace(kept)
            except OSError as error:
                raise UserError(f"cannot write {kept}: {error.strerror}") from error


def read_key(root: Path, study: str, taste_test: str) -> tuple[TasteTest, list[PairKey]]:
    """The taste test of that identity, or else the last one, and its key.

    Raises UserError if no page has been made yet.
    """
    folder = Folder(root, study)
    test, key = folder.earlier(taste_test)
    if test.is_file() and key.is_file():
        return TasteTest.read(test), read_lines(key, PairKey)
    if not folder.test.is_file():
        raise UserError(f"no taste test of '{study}' yet: `bakeoff taste {study}` writes its page")
    return TasteTest.read(folder.test), read_lines(folder.key, PairKey)


def page(shown: Sequence[Shown], test: TasteTest) -> str:
    """The page as HTML: pairs and their identities, and nothing that names a method."""
    environment = Environment(
        loader=PackageLoader("experiments.playground.taste"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("taste.html.jinja").render(
        question=test.question,
        pairs=shown,
        pairs_json=_script([pair._asdict() for pair in shown]),
        taste_test_json=_script(test.taste_test),
    )


def _script(value: object) -> Markup:
    """A value as JSON that can't end the script that holds it."""
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - all that could end the script is escaped above


def _texts(
    conclusions: Conclusions, root: Path, methods: Sequence[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Method -> document -> text without markers, and document -> prompt."""
    cells = [cell for cell in first_runs(conclusions, "taste", methods) if cell.eval_digest is not None]
    records = StudyRecords.read(cells, Root(root))
    document_format = format_of(records.runs.values())
    if document_format is None:
        raise UserError(f"taste: '{conclusions.study}' has no finished trained run")
    texts: dict[str, dict[str, str]] = {}
    prompts: dict[str, str] = {}
    for cell in cells:
        texts[cell.method] = {}
        for outcome in records.outcomes(cell):
            if outcome.generations and not outcome.general:
                generation = outcome.generations[0]
                text, prompt = generation.text.strip(), outcome.title  # of a conversation: no template
                if isinstance(document_format, Format):
                    text, prompt = (
                        without_markers(one, document_format) for one in (generation.text, generation.prompt)
                    )
                texts[cell.method][outcome.document_id], prompts[outcome.document_id] = text, prompt
    return texts, prompts


def without_markers(text: str, document_format: AnyFormat) -> str:
    """The text with every marker taken out: sections become paragraphs."""
    pieces, end = [], 0
    for _, span in find_markers(text, document_format):
        pieces.append(text[end : span.start])
        end = span.stop
    pieces.append(text[end:])
    return "\n\n".join(piece.strip() for piece in pieces if piece.strip())
