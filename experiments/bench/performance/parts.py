"""What `bakeoff bench all` measures: one `bakeoff bench` command per part, in the order of its page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from toolkit.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Part:
    """A bench with its arguments, and with those that try it out in seconds."""

    name: str
    arguments: tuple[str, ...]
    """Of `bakeoff bench`, for the page."""
    quick: tuple[str, ...]
    """For a trial at toy size."""
    minutes: float
    """Estimated time on two CPU cores."""
    on_gpu: bool = True
    """Whether `make gpu` measures it: not what is about CPUs, nor the largest files, which take its time."""
    fewer: tuple[str, ...] = ()
    """Arguments that `make gpu` adds, to be done within its time."""
    edition: int = 1
    """Raised when the same command measures something else: earlier results are shown, and measured again."""

    def command(self, quick: bool) -> tuple[str, ...]:
        """Return the arguments of `bakeoff`."""
        return ("bench", *(self.quick if quick else self.arguments))


ONCE = ("--repeats", "1")
TINY = ("--base", "tiny-shape", *ONCE)


def _growth(axis: str, quick: str, minutes: float) -> Part:
    trial = ("growth", axis, "--values", quick, *TINY)
    return Part(name=axis, arguments=("growth", axis), quick=trial, minutes=minutes, fewer=ONCE)


def _rows(label: str, rows: int, quick: int, minutes: float) -> Part:
    return Part(
        name=f"data-{label}",
        arguments=("data", "--rows", str(rows)),
        quick=("data", "--rows", str(quick)),
        minutes=minutes,
        on_gpu=rows <= 200_000,
    )


PARTS = (
    Part(
        name="train",
        arguments=("train",),
        quick=("train", *TINY, "--recipes", "12", "--no-trl"),
        minutes=50,
        edition=2,
    ),
    Part(
        name="train-distilgpt2",
        arguments=("train", "--base", "distilgpt2-shape"),
        quick=("train", *TINY, "--recipes", "8", "--no-trl"),
        minutes=30,
        fewer=ONCE,
    ),
    Part(
        name="choices",
        arguments=("choices",),
        quick=("choices", *TINY, "--no-compiled"),
        minutes=25,
        on_gpu=False,
    ),
    Part(
        name="methods",
        arguments=("methods", *ONCE),
        quick=("methods", "ia3", *TINY),
        minutes=15,
        on_gpu=False,
    ),
    Part(
        name="generate",
        arguments=("generate",),
        quick=("generate", *TINY, "--prompts", "4", "--baseline-prompts", "2"),
        minutes=6,
    ),
    Part(
        name="generate-48",
        arguments=("generate", "--prompts", "48"),
        quick=("generate", *TINY, "--prompts", "3", "--baseline-prompts", "2"),
        minutes=4,
        on_gpu=False,
    ),
    Part(
        name="likelihood",
        arguments=("likelihood",),
        quick=("likelihood", *TINY, "--documents", "4"),
        edition=2,
        minutes=8,
    ),
    _growth("size", "tiny-shape,small-shape", 45),
    _growth("length", "64,128", 20),
    _growth("batch", "128,256", 30),
    _growth("jobs", "1,2", 15),
    _growth("processes", "1,2", 8),
    Part(name="start", arguments=("start",), quick=("start", *TINY), minutes=6, fewer=ONCE),
    Part(
        name="stats",
        arguments=("stats",),
        quick=("stats", "--documents", "30", "--methods", "2", "--draws", "200"),
        minutes=2,
    ),
    Part(name="study", arguments=("study",), quick=("study", "--cells", "20", "--many", "20"), minutes=5),
    _rows("50k", 50_000, 300, 1),
    _rows("200k", 200_000, 600, 2),
    _rows("2M", 2_000_000, 1_500, 20),
)


def for_gpu() -> list[Part]:
    """Return the parts that `make gpu` measures, with the arguments it gives them."""
    return [replace(part, arguments=(*part.arguments, *part.fewer)) for part in PARTS if part.on_gpu]


def chosen(names: str | None) -> list[Part]:
    """Return the named parts in the page's order, all of them for None; `data` stands for every size.

    ``names`` has commas between them. Raises UserError for an unknown one.
    """
    if names is None:
        return list(PARTS)
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = {part.name for part in PARTS} | {"data"}
    for name in sorted(wanted - known):
        raise unknown_name("part", name, sorted(known))
    return [part for part in PARTS if part.name in wanted or ("data" in wanted and _is_rows(part))]


def _is_rows(part: Part) -> bool:
    return part.name.startswith("data-")
