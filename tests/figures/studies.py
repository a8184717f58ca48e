"""Five made-up studies that every figure is looked at with."""

from __future__ import annotations

from pathlib import Path

from figures.tidy.load import StudyTables, load
from tests.figures.conftest import write_study
from toolkit.records import Conclusions, FailedGeneration, MethodLook, Outcome, read_lines, write_lines

SEVERAL = ("t0.8-p0.9", "t0.3-p0.9", "greedy")
TEN = (
    "full",
    "lora-r4",
    "lora-r16",
    "lora-r64",
    "lora-attention",
    "lora-mlp",
    "my-vera",
    "my-lora",
    "ia3",
    "dora",
)
ODD = {
    "full": MethodLook(label=r"all weights at $\frac{$ 5 & 100 %", colour="#112233", mark="*"),
    "lora-r16": MethodLook(
        label="low-rank adaptation of every linear layer with rank sixteen and no dropout"
    ),
    "dora-r16": MethodLook(label="تكييف منخفض الرتبة <b>_x_</b>"),
    "ia3": MethodLook(label="(IA)³ 🦆 naïve\nsecond line"),
}


def twice(folder: Path, root: Path, **places: tuple[object, object]) -> tuple[Path, Path]:
    """The same study under two conditions, e.g. ``train_size=(100, 200)``."""
    path = folder / "comparisons.json"
    one = Conclusions.read(path)
    levels = [dict(zip(places, values, strict=True)) for values in zip(*places.values(), strict=True)]
    names = ("cells", "estimates", "comparisons", "settings", "decoding", "failures")
    changed = {
        name: tuple(item.model_copy(update=level) for level in levels for item in getattr(one, name))
        for name in names
    }
    one.model_copy(update=changed).write(path)
    return folder, root


def plain(root: Path) -> StudyTables:
    """As the quickstart: one seed, two methods, nothing searched for."""
    return load(*write_study(root, extra=True))


def with_axes(root: Path) -> StudyTables:
    """Three seeds, two training sizes within less than a decade, a search, three decodings."""
    study = write_study(
        root, seeds=3, rates=3, decodings=SEVERAL, methods=("full", "lora-r16", "ia3"), extra=True
    )
    return load(*twice(*study, train_size=(100, 130), epochs=(1.0, 1.0)))


def ten_methods(root: Path) -> StudyTables:
    """Ten methods, several of one family; two of them are converted from another one."""
    folder, root = write_study(root, methods=TEN, seeds=2, rates=2, decodings=SEVERAL, extra=True)
    path = folder / "comparisons.json"
    one = Conclusions.read(path)
    converted = {"baseline": "lora-r4", "family": "conversions"}
    compared = [
        pair.model_copy(update=converted) if pair.method in ("my-vera", "my-lora") else pair
        for pair in one.comparisons
    ]
    one.model_copy(update={"comparisons": tuple(compared)}).write(path)
    return load(folder, root)


def two_bases(root: Path) -> StudyTables:
    """Two base models."""
    study = write_study(root, tuned=True, seeds=3, extra=True)
    return load(*twice(*study, base_model=("smollm2-135m-embedded", "gemma3-270m-embedded")))


def odd_labels(root: Path) -> StudyTables:
    """Labels that are long, of two lines, of another script, or look like a formula."""
    return load(*write_study(root, methods=tuple(ODD), looks=ODD, decodings=SEVERAL, extra=True))


STUDIES = {
    "plain": plain,
    "axes": with_axes,
    "ten": ten_methods,
    "bases": two_bases,
    "odd": odd_labels,
}


HOSTILE = (
    "RECIPE: Soup\nINGREDIENTS: none\n[END]",
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">",
    "Ramen 🍜👩‍🍳 ½ cup",
    "\u202eevil\u202c حساء العدس مع الليمون",
    "x" * 10_000,
    "[link](http://example.invalid) `code` | pipe $\\frac{$ & 50 % _under_",
)
"""Titles with markers, HTML, emoji, right-to-left text and 10,000 characters."""


def hostile(root: Path) -> tuple[Path, Path]:
    """A study of titles and texts that try to be something else, a hash, and arms that disagree on some."""
    folder, root = write_study(root, extra=True, methods=("full", "lora-r16"))
    for path in root.glob("runs/*/eval-*.jsonl"):
        outcomes = read_lines(path, Outcome)
        for index, title in enumerate(HOSTILE):
            text = outcomes[index].generations[0].model_copy(update={"text": f"{title}\n[END]"})
            changed = {"title": title, "reference": f"RECIPE: {title}\n[END]", "generations": (text,)}
            outcomes[index] = outcomes[index].model_copy(update=changed)
        write_lines(path, outcomes)
    failures = read_lines(folder / "failures.jsonl", FailedGeneration)
    only_base = [failure for failure in failures if failure.method == "base"]
    write_lines(folder / "failures.jsonl", only_base)
    path = folder / "comparisons.json"
    conclusions = Conclusions.read(path)
    hashed = conclusions.audit[0].model_copy(update={"text": f"the same for all: {'c0ffee' * 11}"})
    conclusions.model_copy(update={"audit": (hashed, *conclusions.audit[1:])}).write(path)
    return folder, root
