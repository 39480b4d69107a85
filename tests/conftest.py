"""How property-based tests look: `make check` is for the inner loop, `make test` for all.

How long hypothesis takes to invent something says only how busy the machine is, so that health
check is off (its others stay): a full CI machine once failed a good test by it.
"""

from hypothesis import HealthCheck, settings

SLOW_IS_NO_FAULT = [HealthCheck.too_slow]

settings.register_profile("default", deadline=None, suppress_health_check=SLOW_IS_NO_FAULT)
settings.register_profile(
    "quick", max_examples=15, deadline=None, suppress_health_check=SLOW_IS_NO_FAULT
)
settings.load_profile("default")
