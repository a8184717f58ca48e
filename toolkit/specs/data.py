"""Where documents come from, and how many of them each split gets."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from toolkit.specs.base import Name, Spec, exactly_one
from toolkit.specs.format import AnyFormat, Conversation

OF_SOURCES = {"hub": ("subset", "revision"), "files": ("delimiter",), "package": ("package_file",)}
"""Where a data set comes from -> the fields that say something only of such a one."""


class DatasetSpec(Spec):
    """A set of documents: where it comes from and how its columns map to the sections of a format."""

    name: Name
    """What it is called in studies, tables and figures."""
    hub: str | None = None
    """A Hugging Face data set id."""
    subset: str | None = None
    """Which of the hub data set's configurations, if it has several."""
    hub_split: str = "train"
    """Which of the hub data set's own splits is read; the toolkit divides it anew."""
    files: tuple[str, ...] = ()
    """Local CSV, TSV, JSONL, JSON or Parquet files; gzip and `*` allowed. In YAML relative to the file; in
    an override or a built-in entry, to the working directory."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """What separates the columns of a CSV file; a comma, or a tab in a TSV file, when absent."""
    package: str | None = None
    """An installed pip package that carries the data, with its version."""
    package_file: str | None = None
    """The file inside that package; `*` allowed."""
    mixture: tuple[Component, ...] = ()
    """Several data sets trained on together, each with its share."""
    revision: str | None = None
    """Commit, tag or branch on the hub."""
    parser: str | None = None
    """A named parser for sources without one column per section (see `toolkit/data/sources/parsers.py`)."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Section of the format -> column of the source, if the names differ. Of a conversation: `messages`,
    `prompt`, `completion`, `instruction`, `input`, `output` or `system` -> column."""
    where: dict[str, str] = Field(default_factory=dict)
    """Keep only rows whose column equals the value, e.g. `source: Gathered`, or `verified: true`."""
    cluster: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """Column of what documents have in common (source, topic, conversation): those with an equal value are
    not independent, and intervals count its values instead of documents. No split depends on it."""
    format: AnyFormat
    """Markers, sections and end of a document, or how a conversation is rendered. In YAML the name of a
    catalog entry, or a format written out; `recipe` if absent."""
    license: str | None = None
    """Licence of the text, shown in the report."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @field_validator("where", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: str(one) if isinstance(one, bool | int | float) else one for name, one in given.items()}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self, ("hub", "files", "package", "mixture"))
        given = {name for name in self.model_fields_set if getattr(self, name)} - {"hub_split"}
        for source, fields in OF_SOURCES.items():
            for name in fields if not getattr(self, source) else ():
                if name in given:
                    raise ValueError(f"'{name}' belongs to a data set with '{source}', which this is not")
        if self.hub_split != "train" and not self.hub:
            raise ValueError("'hub_split' belongs to a data set with 'hub', which this is not")
        if self.mixture and (lost := given & {"parser", "fields", "where", "cluster"}):
            raise ValueError(f"'{min(lost)}' belongs to the mixture's data sets: write it into these")
        self._check_mixture()
        return self

    @model_validator(mode="after")
    def _known_kind(self) -> Self:
        if self.parser and isinstance(self.format, Conversation):
            raise ValueError("'parser' reads documents with sections, and this is a conversation")
        return self

    def _check_mixture(self) -> None:
        datasets = [component.dataset for component in self.mixture]
        for dataset in datasets:
            if dataset.mixture:
                raise ValueError(f"mixture: '{dataset.name}' is a mixture itself: name its components")
        kinds = {type(dataset.format) for dataset in datasets} | {type(self.format)}
        if datasets and len(kinds) > 1:
            raise ValueError("mixture: documents and conversations are two kinds of data: take one of them")
        if isinstance(self.format, Conversation) and any(d.format != self.format for d in datasets):
            raise ValueError(f"mixture: every component must have its format '{self.format.name}'")
        if datasets and all(dataset.format != self.format for dataset in datasets):
            raise ValueError(
                f"mixture: no component is of its format '{self.format.name}': nothing to test on"
            )


class Component(Spec):
    """One data set of a mixture."""

    dataset: DatasetSpec
    """In YAML the name of a catalog entry, or a data set written out. If its format is not the
    mixture's, it is trained on only."""
    weight: float = Field(gt=0)
    """Its share of the training documents is this over the sum of the weights."""


class DataSpec(Spec):
    """How many documents each split gets, and how near-copies are kept out of another split."""

    train: int = Field(gt=0)
    """Training documents."""
    validation: int = Field(gt=0)
    """Validation documents: learning rates and checkpoints are chosen on these."""
    test: int = Field(gt=0)
    """Test documents: read once, at the end."""
    further_test: int = Field(default=0, ge=0)
    """Test documents beyond these, taken last, so that no training or validation document moves."""
    max_characters: int = Field(default=2400, gt=0)
    """A longer rendered document is refused, and counted: the same rule for every tokenizer."""
    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word shingles from which two documents count as near-copies."""
    same_title: Literal["exclude", "keep"] = "exclude"
    """Further documents of a title that is held out already: they are excluded and counted, since a model is
    prompted with the title alone and writes the same text for each; or kept, and in every interval documents
    of one prompt count as one."""
    duplicates: Literal["drop", "together"] = "drop"
    """Keep one document of a cluster of near-copies, or keep the whole cluster on one side of the split."""
    near_prompts: Literal["apart", "together"] = "apart"
    """Whether prompts that are near-copies of each other, with other answers, are kept on one side of the
    split: `together`. Equal prompts always are. A long instruction that all prompts share makes all of them
    near-copies."""


DatasetSpec.model_rebuild()  # names Component, which is defined below it: fields are whole from the start
