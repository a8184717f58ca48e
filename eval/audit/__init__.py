"""May these runs be compared at all? Each check is ok, flagged (read with care) or refused (no verdict).

`alike` compares what must be the same for all, `search` how learning rates were chosen, `evidence` looks at
what a verdict rests on; `checks` holds the others and runs all of them.
"""

from eval.audit.checks import audit, refused
from eval.audit.evidence import under_the_floor
from eval.audit.search import with_edges_untuned

__all__ = ["audit", "refused", "under_the_floor", "with_edges_untuned"]
