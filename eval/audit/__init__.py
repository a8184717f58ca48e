"""May these runs be compared at all? Each check is ok, flagged (read with care) or refused (no verdict).

`alike` compares what must be the same for all, `search` how learning rates were chosen, `evidence` looks at
what a verdict rests on, `costs` at whether costs can be compared; `checks` holds the others and runs all.
"""

from eval.audit.checks import audit, refused
from eval.audit.costs import comparable, had_its_cores
from eval.audit.evidence import under_the_floor
from eval.audit.search import with_edges_untuned

__all__ = ["audit", "comparable", "had_its_cores", "refused", "under_the_floor", "with_edges_untuned"]
