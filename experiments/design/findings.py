"""Published findings as data: what was said, by whom, and what a study would have to find."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["better", "worse", "equivalent"]


class Pair(NamedTuple):
    """A comparison that bears on a finding."""

    method: str
    against: str
    metric: str
    expected: tuple[Verdict, ...]
    """Verdicts that agree with the finding; any other but *undecided* speaks against it."""
    margin: float | None = None
    """In place of the metric's own, in its unit or as a share, as the metric has it."""


class Band(NamedTuple):
    """A ratio of a method to another that bears on a finding: inside the band it agrees."""

    what: Literal["optimum", "peak_memory_bytes", "seconds_per_token"]
    method: str
    against: str
    low: float
    high: float


class Published(NamedTuple):
    """A finding. It is reproduced if all agree, contradicted if one speaks against it."""

    name: str
    text: str
    source: str
    pairs: tuple[Pair, ...] = ()
    bands: tuple[Band, ...] = ()


BITS = "bits_per_byte"
REGRET = "Schulman et al. 2025, LoRA Without Regret"
VARIANTS = ("rslora", "dora", "pissa", "olora", "lora-plus")

PUBLISHED = (
    Published(
        "ten-times-the-rate",
        "LoRA's best learning rate is about ten times that of full fine-tuning",
        REGRET,
        bands=(Band("optimum", "lora-r16", "full", 10 / 10**0.5, 10 * 10**0.5),),
    ),
    Published(
        "all-layers-beat-attention",
        "LoRA on all linear layers is better than on attention alone with as many parameters",
        REGRET,
        (Pair("lora-r16", "lora-attention", BITS, ("better",)),),
    ),
    Published(
        "enough-rank-is-full",
        "LoRA of a high rank is as good as full fine-tuning",
        REGRET,
        (Pair("lora-r256", "full", BITS, ("equivalent", "better")),),
    ),
    Published(
        "too-little-rank-falls-off",
        "LoRA of too low a rank is worse than full fine-tuning",
        REGRET,
        (Pair("lora-r1", "full", BITS, ("worse",)),),
    ),
    Published(
        "variants-peak-alike",
        "Each at its own learning rate, variants of LoRA end within 2 % of LoRA",
        "arXiv 2602.04998",
        tuple(Pair(name, "lora-r16", BITS, ("equivalent",), 0.02) for name in VARIANTS),
    ),
    Published(
        "learns-less-forgets-less",
        "LoRA learns the new text less well than full fine-tuning, and forgets other text less",
        "Biderman et al. 2024, LoRA Learns Less and Forgets Less",
        (
            Pair("lora-r16", "full", BITS, ("worse",)),
            Pair("lora-r16", "full", "general_bits_per_byte", ("better",)),
        ),
    ),
    Published(
        "memory-not-time",
        "On a small model LoRA saves memory (a tenth or more) and hardly any time (less than a fifth)",
        "users' reports in peft's issues; the optimizer's states are arithmetic",
        bands=(
            Band("peak_memory_bytes", "lora-r16", "full", 0.0, 0.9),
            Band("seconds_per_token", "lora-r16", "full", 0.8, 1.25),
        ),
    ),
    Published(
        "higher-bleu",
        "LoRA has a higher BLEU than full fine-tuning",
        "Hu et al. 2021, LoRA: 70.4 against 68.2 on E2E with GPT-2 M, the latter taken from earlier work",
        (Pair("lora-r16", "full", "bleu", ("better",)),),
    ),
)
"""Every finding, in the order of the report."""
