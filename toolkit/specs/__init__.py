"""What can be asked for, as frozen values: model, data set, format, method, training, evaluation, run.

Each has a module and owns its defaults; `reading` checks YAML and overrides against them.
"""

from __future__ import annotations

from toolkit.specs.base import Name, Spec, digest_of
from toolkit.specs.data import OF_SOURCES, Component, DatasetSpec, DataSpec
from toolkit.specs.evaluation import Decoding, EvalSpec, General
from toolkit.specs.format import AnyFormat, Conversation, Format, Scoring, Section
from toolkit.specs.method import MethodSpec
from toolkit.specs.model import ModelSpec
from toolkit.specs.run import BASE, RunSpec
from toolkit.specs.training import TrainSpec

__all__ = [
    "BASE",
    "OF_SOURCES",
    "AnyFormat",
    "Component",
    "Conversation",
    "DataSpec",
    "DatasetSpec",
    "Decoding",
    "EvalSpec",
    "Format",
    "General",
    "MethodSpec",
    "ModelSpec",
    "Name",
    "RunSpec",
    "Scoring",
    "Section",
    "Spec",
    "TrainSpec",
    "digest_of",
]
