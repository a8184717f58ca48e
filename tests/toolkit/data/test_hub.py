"""The hub is asked once and shortly; without it the error names the embedded recipes."""

from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RevisionNotFoundError

from toolkit import config
from toolkit.data.format import parse
from toolkit.data.prepare import prepare
from toolkit.data.sources import hub
from toolkit.errors import UserError
from toolkit.records.data import RowCounts
from toolkit.specs import DataSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = [
    {
        "title": f"Dish {name}",
        "ingredients": f'["{name}", "salt"]',
        "directions": f'["Cook {name}.", "Serve {name} {name}."]',
        "source": "Gathered" if number % 2 else "Recipes1M",
    }
    for number, name in enumerate(("ant", "bee", "cat", "dog", "eel", "fox"))
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The hub answers with a commit; what it was asked is kept."""
    calls: list[dict[str, Any]] = []

    def info(self: HfApi, repo: str, **options: Any) -> SimpleNamespace:
        calls.append({"repo": repo, **options})
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr(HfApi, "dataset_info", info)
    return calls


def _fail(error: Exception) -> Any:
    def info(self: HfApi, repo: str, **options: Any) -> None:
        raise error

    return info


def test_a_hub_data_set_is_read_at_the_commit_its_revision_names(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Of six rows three are `Gathered`: 1 + 1 + 1, read at the commit that the hub named."""
    from datasets import Dataset

    loaded: list[Any] = []

    def load(path: str, subset: str | None, **options: Any) -> Dataset:
        loaded.append((path, subset, options))
        return Dataset.from_list(ROWS)

    monkeypatch.setattr("datasets.load_dataset", load)
    done = prepare(config.dataset("recipe_nlg"), DataSpec(train=1, validation=1, test=1), tmp_path / "cache")
    assert loaded == [("CodeKapital/CookingRecipes", None, {"split": "train", "revision": COMMIT})]
    assert asked[0]["timeout"] <= 5
    assert done.report.rows == RowCounts(total=6, filtered_out=3, accepted=3)
    assert done.report.sources[0].identity["revision"] == COMMIT
    document = parse(done.test[0], config.document_format("recipe"))
    assert document is not None
    assert document.bodies[1][1] == "salt"


def test_an_unreachable_hub_is_one_line_that_names_the_embedded_recipes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """No connection and nothing fetched before."""
    monkeypatch.setattr(HfApi, "dataset_info", _fail(ConnectionError("no route")))
    with pytest.raises(
        UserError, match=r"hub cannot be reached \(ConnectionError\).*dataset=wikibooks"
    ) as caught:
        hub.resolve(config.dataset("recipe_nlg"), tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_connection_the_commit_named_last_is_taken(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Asked with a connection, then without: the same commit, so what was prepared is found again."""
    dataset = config.dataset("recipe_nlg")
    assert hub.resolve(dataset, tmp_path) == COMMIT
    assert len(asked) == 1
    monkeypatch.setattr(HfApi, "dataset_info", _fail(ConnectionError("no route")))
    assert hub.resolve(dataset, tmp_path) == COMMIT
    with pytest.raises(UserError, match="cannot be reached"):
        hub.resolve(dataset.model_copy(update={"revision": "v2"}), tmp_path)


def test_a_pinned_commit_asks_nobody(asked: list[dict[str, Any]], tmp_path: Any) -> None:
    """`bakeoff plan` of a pinned study needs no connection."""
    pinned = config.dataset("recipe_nlg").model_copy(update={"revision": COMMIT})
    assert hub.resolve(pinned, tmp_path) == COMMIT
    assert asked == []


def test_a_commit_that_was_not_fetched_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Offline, `datasets` answers with what it has; another commit's rows are refused."""
    table = SimpleNamespace(cache_files=[{"filename": "other/ffff.arrow"}])
    monkeypatch.setattr(HfApi, "dataset_info", _fail(ConnectionError("no route")))
    monkeypatch.setattr("datasets.load_dataset", lambda *args, **options: table)
    with pytest.raises(UserError, match="cannot be reached"):
        next(hub.rows(config.dataset("recipe_nlg"), COMMIT, ["title"]))


def test_an_unknown_revision_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The hub answered: the data set is there and the revision is not."""
    response: Any = SimpleNamespace(headers={}, request=None, status_code=404)
    monkeypatch.setattr(HfApi, "dataset_info", _fail(RevisionNotFoundError("404", response=response)))
    asked = config.dataset("recipe_nlg").model_copy(update={"revision": "v9"})
    with pytest.raises(UserError, match="has no revision 'v9'"):
        hub.resolve(asked, tmp_path)
