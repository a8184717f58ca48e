"""What a run, an evaluation and a study leave on disk: typed, strict, readable without torch.

`run`, `evaluation` and `study` are the records, `files` writes each whole or not at all, `folders` names
the path of each. Records are frozen and strict; what is unknown is None.
"""

from toolkit.records.base import FORMAT_VERSION, Record, read_lines, write_lines
from toolkit.records.conclusions import (
    Candidate,
    Claim,
    ComparisonEvidence,
    Conclusions,
    MethodLook,
    RatioEvidence,
    Recommendation,
)
from toolkit.records.data import DataReport
from toolkit.records.evaluation import (
    Direction,
    DocumentStatistics,
    EvaluationRecord,
    Generation,
    Likelihood,
    MetricValue,
    Outcome,
    SettingMetrics,
    SettingStatistics,
    read_statistics,
)
from toolkit.records.reader import StudyRecords
from toolkit.records.run import (
    Costs,
    DataCounts,
    Failure,
    MergeRecord,
    MergeSide,
    Provenance,
    RunRecord,
    Step,
)
from toolkit.records.study import (
    Cell,
    Comparison,
    Condition,
    ConditionRecord,
    DecodingEffect,
    Estimate,
    FailedGeneration,
    FailureCount,
    FamilyChange,
    Finding,
    Optimum,
    RateChoice,
    SettingEstimate,
    SpeaksAbout,
)
from toolkit.specs import BASE

__all__ = [
    "BASE",
    "Candidate",
    "Cell",
    "Claim",
    "Comparison",
    "ComparisonEvidence",
    "Conclusions",
    "Condition",
    "Costs",
    "DataCounts",
    "DataReport",
    "DecodingEffect",
    "Direction",
    "DocumentStatistics",
    "Estimate",
    "EvaluationRecord",
    "FORMAT_VERSION",
    "FailedGeneration",
    "Failure",
    "FailureCount",
    "FamilyChange",
    "Finding",
    "Generation",
    "Likelihood",
    "MergeRecord",
    "MergeSide",
    "MethodLook",
    "MetricValue",
    "Optimum",
    "Outcome",
    "ConditionRecord",
    "Provenance",
    "RateChoice",
    "RatioEvidence",
    "Recommendation",
    "Record",
    "RunRecord",
    "SettingEstimate",
    "SettingMetrics",
    "SettingStatistics",
    "SpeaksAbout",
    "Step",
    "StudyRecords",
    "read_lines",
    "read_statistics",
    "write_lines",
]
