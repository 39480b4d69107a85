"""Who leads, as metrics."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from app.web.gauges import Samples, gauge
from cloud_jobs.exchange.authority import Authority


def lease_metrics(authority: Authority) -> Iterator[Metric]:
    """Nothing where nobody ever led and no node asked."""
    found = authority.view()
    if found.holder is not None:
        holders: Samples = (("node",), {(found.holder,): 1})
        yield gauge("portiere_cloud_lease_holder", "Who was given the lease last.", holders)
        term: Samples = ((), {(): float(found.term)})
        yield gauge("portiere_cloud_lease_term", "The term that it was given.", term)
        free: Samples = ((), {(): found.free_in})
        what = "Seconds until the lease is free; 0: nobody leads."
        yield gauge("portiere_cloud_lease_free_seconds", what, free)
    if found.nodes:
        ages: Samples = (("node",), {(name,): one.age for name, one in found.nodes.items()})
        yield gauge("portiere_cloud_node_seconds", "Since a node was heard of.", ages)
