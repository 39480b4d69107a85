"""What came of offers in a period: those after a guest asked, and those of the upsell agent."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud_jobs.agents.figures import Offers
from cloud_jobs.agents.shares import share
from cloud_jobs.agents.upsell import is_accepted
from cloud_jobs.store.agents import Upsell
from cloud_jobs.store.known import KnownRequest

InPeriod = Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]]


def offers_made(session: Session, in_period: InPeriod, *, by_agent: bool) -> Offers:
    """Offers by when they were made: of the upsell agent, or those after a guest had asked."""
    ours = KnownRequest.request_id.in_(
        select(Upsell.request_id).where(Upsell.request_id.is_not(None))
    )
    found = session.scalars(
        select(KnownRequest).where(
            KnownRequest.was_offered,
            in_period(KnownRequest.made_at),
            ours if by_agent else ~ours,
        )
    ).all()
    by_kind: defaultdict[str, list[KnownRequest]] = defaultdict(list)
    for request in found:
        by_kind[request.kind].append(request)
    parts = {kind: _offers(requests, {}) for kind, requests in sorted(by_kind.items())}
    return _offers(found, parts)


def money_taken(session: Session, in_period: InPeriod) -> dict[str, Decimal]:
    """What the accepted offers of a period come to, by currency; prices are per night or ride."""
    requests = session.scalars(
        select(KnownRequest).where(KnownRequest.was_offered, in_period(KnownRequest.made_at))
    )
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for request in requests:
        if is_accepted(request) and request.price is not None and request.currency is not None:
            sums[request.currency] += request.price
    return dict(sorted(sums.items()))


def _offers(requests: Iterable[KnownRequest], by_kind: Mapping[str, Offers]) -> Offers:
    ends = Counter("accepted" if is_accepted(request) else request.state for request in requests)
    accepted, declined, expired = ends["accepted"], ends["declined"], ends["expired"]
    return Offers(
        made=ends.total(),
        accepted=accepted,
        declined=declined,
        expired=expired,
        open=ends.total() - accepted - declined - expired,
        acceptance=share(accepted, accepted + declined + expired),
        by_kind=dict(by_kind),
    )
