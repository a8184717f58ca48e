"""The studies that come with bakeoff share runs: what one has trained, the others do not train again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from experiments.design import study
from experiments.design.conditions import CellSpec, ConditionSpec, Design, sizes_of
from experiments.design.grid.cells import cells_of
from experiments.design.study_state import StudyState
from toolkit.specs import TrainSpec

HEADLINE = "full-vs-lora-embedded"
OF_THE_BOARD = ["forgetting", "rank-sweep", "variants", "where-to-adapt", "without-regret"]


def tuning_runs(name: str) -> dict[str, set[str]]:
    """Method -> ids of the runs that choose its rate, as if every split's content followed from its sizes.

    Of every rate of the grid: a search that brackets tries some of them. Test is filled first, then
    validation, so validation depends on both sizes; training on its own alone.
    """
    spec = study.load(name, ["search.strategy=grid"])
    fingerprints = {}
    for dataset in spec.dataset:
        for size in spec.data.train:
            data = sizes_of(spec, size)
            source = f"{dataset.name} {data.max_characters}"
            fingerprints[dataset.name, size] = {
                "train": f"{source} {size}",
                "validation": f"{source} {data.test} {data.validation}",
            }
    runs: dict[str, set[str]] = {}
    for cell in cells_of(Design(spec, spec.base_models, fingerprints), {}):
        if cell.phase == "tune":
            runs.setdefault(cell.method, set()).add(cell.run.run_id)
    return runs


@pytest.mark.parametrize("name", OF_THE_BOARD)
def test_a_study_about_some_of_the_boards_methods_trains_nothing_of_its_own(name):
    """Four rates for each of its methods, all of them among the board's."""
    board, runs = tuning_runs("board"), tuning_runs(name)
    assert len(runs) >= 4
    for method, ids in runs.items():
        assert len(ids) == 4
        assert ids <= board[method], method


@pytest.mark.parametrize(("name", "conditions"), [("board", 1), ("base-models", 1), ("data-size", 2)])
def test_a_study_shares_the_headlines_runs(name, conditions):
    """Four rates of full fine-tuning and of LoRA at 180 recipes, and at 800 in `data-size`."""
    headline, runs = tuning_runs(HEADLINE), tuning_runs(name)
    for method in ("full", "lora-r16"):
        assert len(headline[method]) == 8
        assert len(headline[method] & runs[method]) == 4 * conditions


def test_the_rates_of_the_headline_are_among_those_of_the_rate_study():
    """3.2e-5, 1e-4, 3.2e-4, 1e-3 of 1e-5 to 1e-3 for full fine-tuning, and ten times as much for LoRA."""
    headline, runs = tuning_runs(HEADLINE), tuning_runs("learning-rates")
    for method in ("full", "lora-r16"):
        assert len(runs[method]) == 15
        assert len(headline[method] & runs[method]) == 4


@pytest.mark.parametrize("name", ["epochs", "temperatures"])
def test_a_study_shares_the_runs_of_one_size_of_data_size(name):
    """One epoch over 100 recipes, and 400 recipes: four rates of each of two methods."""
    runs, sizes = tuning_runs(name), tuning_runs("data-size")
    for method in ("full", "lora-r16"):
        assert len(runs[method] & sizes[method]) == 4


def test_the_board_evaluates_as_the_studies_that_share_its_runs():
    """The same texts and decodings; forgetting and the findings are read off general text besides."""
    board = study.load("board")
    for name in OF_THE_BOARD:
        asked = study.load(name).evaluate
        assert asked.model_copy(update={"general": None}) == board.evaluate
        assert study.load(name).data == board.data
        assert study.load(name).data.test >= 150


def test_what_was_trained_elsewhere_is_evaluated_against_the_largest_training_split(tmp_path):
    """One run under 4 and 8 training documents, and what is converted from it: 8; a run trained on 4: 4.

    Were each size its own, the two conditions would measure the one evaluation again in turn, for ever.
    """
    methods = "methods={full: 1e-3, theirs: {adapter: ./theirs}, merged: {convert: theirs, to: merged}}"
    study_state = StudyState(study.load("quickstart", [methods, "data.train=[4, 8]"]), tmp_path)
    wanted = study_state.study
    specs = ConditionSpec(wanted.base_models[0], wanted.dataset[0], sizes_of(wanted, 4), TrainSpec())
    run = SimpleNamespace()
    sizes = {
        name: study_state.evaluated_with(CellSpec(specs, name, "confirm", False, run)).train
        for name in ("full", "theirs", "merged")
    }
    assert sizes == {"full": 4, "theirs": 8, "merged": 8}
