"""A figure is as wide, and in the files, that its style asks for."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from figures.report import draw_only
from figures.style import Style, drawn, escape_for_latex, save, style_of
from toolkit.errors import UserError

Make = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize(
    ("width", "inches"), [("3.3in", 3.3), ("84mm", 84 / 25.4), ("8.4 cm", 8.4 / 2.54), ("240pt", 240 / 72.27)]
)
def test_a_width_has_a_unit(width: str, inches: float) -> None:
    """Inches, millimetres, centimetres, and TeX's points."""
    assert style_of(width=width).width == pytest.approx(inches)


def test_slides_show_larger_text_than_paper() -> None:
    """Drawn 5.5 inches wide instead of 7, and shown at the same size."""
    assert style_of("slides").width < style_of("paper").width
    assert style_of(font="serif").rc["font.family"] == "DejaVu Serif"


@pytest.mark.parametrize("width", ["wide", "0.5in", "3 yd", "99in"])
def test_a_width_that_no_page_has_is_refused(width: str) -> None:
    """One line says what is expected."""
    with pytest.raises(UserError, match=r"expected 2.5 to 20 inches, such as `3.3in`"):
        style_of(width=width)


def test_an_unknown_format_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(UserError, match="unknown file format 'pfd'"):
        style_of(formats="pfd,png")


def test_only_the_named_figure_is_drawn_as_wide_as_asked(make_study: Make) -> None:
    """3.3 inches at 200 dpi are 660 pixels; no report is made, and no other figure."""
    folder, root = make_study()
    paths = draw_only(folder, root, ["sections"], style_of(width="3.3in", formats="png,svg"))
    assert sorted(path.name for path in paths) == ["sections.csv", "sections.png", "sections.svg"]
    assert sorted(path.name for path in (folder / "figures").iterdir()) == sorted(p.name for p in paths)
    (wide,) = struct.unpack(">I", (folder / "figures" / "sections.png").read_bytes()[16:20])
    assert wide == 660
    assert not (folder / "report").exists()


def test_a_figure_that_a_study_lacks_is_named(make_study: Make) -> None:
    """With the nearest one that it has."""
    with pytest.raises(UserError, match="unknown figure of this study 'section'"):
        draw_only(*make_study(), ["section"], Style())


def test_a_folder_that_cannot_be_written_is_one_line_and_a_failed_figure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the folder should be; a drawing that stops in the middle of the PNG."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot write .*taken/one.pdf: .*Choose another folder"):
        save(drawn(Figure), tmp_path / "taken" / "one", Style(formats=("pdf",)))

    def stops(figure: Figure, path: Path, **settings: object) -> None:
        if settings["format"] == "png":
            Path(path).write_bytes(b"half")
            raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", stops)
    with pytest.raises(KeyboardInterrupt):
        save(drawn(Figure), tmp_path / "one", Style(formats=("png",)))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_pgf_without_latex_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its texts are measured by LaTeX."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    figure = drawn(Figure)
    with pytest.raises(UserError, match=r"PGF needs \w+ to measure texts, and it is not installed"):
        save(figure, tmp_path / "one", Style(formats=("pgf",)))


def test_a_pgf_alone_makes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other format has made it before; LaTeX, which is not here, is left out."""
    written = []
    monkeypatch.setattr("shutil.which", lambda _: "xelatex")

    def keep(figure: Figure, target: object, **settings: object) -> None:
        if isinstance(target, Path):
            written.append((target.name, target.parent.is_dir()))

    monkeypatch.setattr(Figure, "savefig", keep)
    save(drawn(Figure), tmp_path / "figures" / "one", Style(formats=("pgf",)))
    assert written == [("one.pgf", True)]


def test_a_dollar_sign_in_a_label_is_a_dollar_sign(tmp_path: Path) -> None:
    """`$\\frac{$` would be a broken formula."""

    def draw() -> Figure:
        figure = Figure()
        figure.subplots().set_title(r"$\frac{$")
        return figure

    assert save(drawn(draw), tmp_path / "one", Style(formats=("pdf",)))


def test_a_name_with_dots_is_a_file_of_its_own(tmp_path: Path) -> None:
    """`smollm2-1.7b` with two data sets is two figures; each is written in every format."""
    for name in ("metrics-smollm2-1.7b-wikibooks", "metrics-smollm2-1.7b-german", "sweep-1.0"):
        save(drawn(Figure), tmp_path / name)
        assert all((tmp_path / f"{name}.{suffix}").is_file() for suffix in ("svg", "pdf", "png"))
    assert len(list(tmp_path.iterdir())) == 9


def test_names_at_ticks_are_escaped_for_latex_and_stay_so(tmp_path: Path) -> None:
    """A method `lora_r16` and a label with `&`: LaTeX would stop at either."""

    def draw() -> Figure:
        figure = Figure()
        ax = figure.subplots()
        ax.set_yticks([0, 1], ["lora_r16", "LoRA & IA3"])
        ax.set_title("50_50")
        return figure

    figure = drawn(draw)
    escape_for_latex(figure)
    save(figure, tmp_path / "one", Style(formats=("png",)))  # drawing formats the ticks anew
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [r"lora\_r16", r"LoRA \& IA3"]
    assert ax.get_title(loc="left") == r"50\_50"
