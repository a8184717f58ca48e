"""Property-based tests draw the same examples on every machine, and are never failed by a slow one."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "bakeoff", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("bakeoff")
