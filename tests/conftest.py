"""How thoroughly property-based tests look: `make check` is for the inner loop."""

from hypothesis import settings

settings.register_profile("quick", max_examples=15)
