"""The cloud layer in one process, as the unit tests have it, for what takes longer."""

from tests.unit.cloud_jobs.conftest import layer, new_url

__all__ = ["layer", "new_url"]
