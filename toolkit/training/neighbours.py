"""How much of the machine other work took while a run trained: times beside other work can't be compared."""

from __future__ import annotations

import psutil


def seconds_of_others() -> float:
    """Return the processor seconds since boot of everything but this process, summed over all cores.

    On a virtual machine with what its host gave to other guests (steal), as far as the host tells. Only
    differences mean something.
    """
    all_cores = psutil.cpu_times()
    # A guest's time is part of user time already.
    waiting = sum(getattr(all_cores, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))
    own = psutil.Process().cpu_times()
    return float(sum(all_cores) - waiting - own.user - own.system)
