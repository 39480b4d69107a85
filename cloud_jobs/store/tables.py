"""All tables of the store, for what must know every one: the migrations."""

from typing import Final

from cloud_jobs.store import agents, alerts, exchange, known, money, runs, sources
from cloud_jobs.store.base import Base

SUBJECTS: Final = (agents, alerts, exchange, known, money, runs, sources)
METADATA: Final = Base.metadata
