"""Table of how generations fail."""

from __future__ import annotations

from figures.tables.table import Table, with_untuned
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, value_text


def failures(part: StudyTables) -> Table:
    """A method, prompt mode and decoding a row, a class a column: shares of generations, seeds together."""
    table = with_untuned(part.failures).assign(decoding=part.failures["decoding"].fillna(MISSING))
    occurs = table.groupby("part", sort=False)["value"].sum() > 0
    classes = [str(name) for name, seen in occurs.items() if seen]
    unseen = [str(name).replace("_", " ") for name, seen in occurs.items() if not seen]
    rows: list[tuple[str, ...]] = []
    for place, of_setting in table.groupby(["label", "prompt_mode", "decoding"], sort=False):
        runs = of_setting.drop_duplicates("seed")
        texts, failing = int(runs["documents"].sum()), int(runs["failing"].sum())
        counts = of_setting.groupby("part", sort=False)["value"].sum()
        shares = [_share(int(counts[name]), texts) for name in classes]
        rows.append((*map(str, place), str(texts), _share(failing, texts), *shares))
    rows.sort(key=lambda row: row[2] == MISSING)  # people's texts last
    worded = (name.replace("_", " ") for name in classes)
    header = ("method", "prompt through", "decoding", "texts", "failing", *worded)
    names = {"part": "class", "value": "failing_so", "failing": "failing", "documents": "texts"}
    keys = ["method", "label", "untuned", "seed", "prompt_mode", "decoding"]
    numbers = part.failures[[*keys, *names]].rename(columns=names)
    title, note = "How generations fail", f"In no text: {', '.join(unseen)}." if unseen else ""
    return Table(name="failures", title=title, header=header, rows=rows, note=note, numbers=numbers)


def _share(number: int, of: int) -> str:
    if 0 < number < 0.005 * of:
        return "< 1 %"
    return value_text(number / of, "share", 0) if of else MISSING
