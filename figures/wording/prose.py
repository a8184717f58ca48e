"""The parts of a report that are the same for every study: how to read it, and what it can't tell."""

from __future__ import annotations

from figures.wording.pairs import confidence_text
from toolkit.records import Conclusions

HOW_TO_READ = {
    "Better, worse": "The {confidence} interval of the difference excludes zero, and p stays below 0.05 "
    "after {looks}Holm's correction over its family. The difference may still be smaller than the margin.",
    "Equivalent": "Neither better nor worse, and the whole interval lies inside the margin: any true "
    "difference is negligible. Each is two one-sided tests at {one_sided} %, not corrected for the number of "
    "comparisons.",
    "Undecided": "None of these. The study was too small to tell; this is not the same as equal.",
    "p": "With one seed: the largest of approximate randomisation, bootstrap-t and Student's t on the same "
    "documents; McNemar's test for a share. With several: the sum of two t's, of seeds and of documents.",
    "Interval": "With one or two seeds it speaks about these checkpoints on other documents of this kind. "
    "With more it speaks about the methods: seeds and documents are both taken as drawn at random.",
    "Untuned": "The method's learning rate was not chosen on validation data among as many as every other "
    "method had. A tuned and an untuned method are not compared fairly.",
    "Base, references": "The base is the same base model, untouched. The references are the test "
    "documents, scored as if they had been generated; no method can be expected to pass them.",
}
"""Term -> what it means; see `how_to_read`."""

LIMITS = (
    "BLEU compares one text with one reference. Many texts would do as well, so a good one may score low; "
    "read it next to the unrelated texts (a floor) and the texts of the same title (a ceiling), where "
    "these are given.",
    "Bits per byte say how well a model predicts the held-out documents. They do not say that what it "
    "writes is true, safe or useful: no person has judged the texts.",
    "Structure checks look at form alone. A text can pass them all and make no sense.",
    "Seconds and memory are those of the machine named below, with the batch sizes of this study. Other "
    "hardware, sizes and software give other ratios.",
    "Verdicts are about texts of one prompt and one decoding setting, the first. Another one can move a "
    "metric by more than the method does; a study with several decodings shows by how much.",
    "The result holds for this base model, these documents and this amount of training. It need not carry "
    "over to larger models, longer training or other data.",
)


def how_to_read(conclusions: Conclusions) -> dict[str, str]:
    """Return the terms with their meaning in this study: one that grows has intervals of more confidence."""
    looks = conclusions.sequential
    filled = {
        "confidence": confidence_text(conclusions),
        "looks": "the correction for its looks and " if looks else "",
        "one_sided": f"{50 * (looks.now.level if looks else 0.05):.3g}",
    }
    return {term: meaning.format(**filled) for term, meaning in HOW_TO_READ.items()}
