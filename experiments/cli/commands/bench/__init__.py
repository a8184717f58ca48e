"""The `bakeoff bench` commands: speed and memory, each against a baseline in the same run.

Training (`training`), generation and likelihoods (`inference`), what is around the runs of a study
(`studies`), and all of them with their page (`page`). Each measurement itself is in `experiments.bench`.
"""

from experiments.cli.commands.bench import inference, page, studies, training
from experiments.cli.commands.bench.app import bench

__all__ = ["bench", "inference", "page", "studies", "training"]
