"""The report of a month: in a few lines, and for programs."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from cloud_jobs.costs.budgets import Share
from cloud_jobs.costs.months import Spent
from cloud_jobs.costs.savings import Saved

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Report:
    """What is told of a month. ``forecast`` is None where it is too early, or not asked for."""

    spent: Spent
    shares: tuple[Share, ...]
    saved: Saved | None
    forecast: Decimal | None


def as_lines(report: Report) -> str:
    """The report in a few lines, for an alert."""
    month = report.spent
    lines = [f"{month.month.name} cost {money(month.total, month)}."]
    lines += [
        f"{share.name}: {money(share.spent, month)} of {money(share.budget, month)}"
        f" ({share.percent:.0f} %)"
        for share in report.shares
    ]
    if report.saved is not None and report.saved.hours:
        lines.append(saved_line(report.saved, month))
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs: amounts are texts, so that none is rounded on its way."""
    month = report.spent
    return {
        "month": month.month.name,
        "currency": month.currency,
        "total": _plain(month.total),
        "fixed": _plain(month.fixed),
        "forecast": None if report.forecast is None else _plain(report.forecast),
        "items": [
            {
                "item": line.item,
                "group": line.group,
                "quantity": line.quantity,
                "amount": _plain(line.amount),
                "list_price": _plain(line.list_price),
            }
            for line in month.lines
        ],
        "jobs": {job: _plain(amount) for job, amount in sorted(month.by_job.items())},
        "days": {day.isoformat(): _plain(sum_) for day, sum_ in sorted(month.by_day.items())},
        "budgets": [
            {
                "name": share.name,
                "spent": _plain(share.spent),
                "budget": _plain(share.budget),
                "percent": int(share.percent),
            }
            for share in report.shares
        ],
        "paused": None if report.saved is None else _saved_plain(report.saved),
    }


def saved_line(saved: Saved, month: Spent) -> str:
    """What pausing saved, in words."""
    return (
        f"Pausing saved at most {money(saved.amount, month)};"
        f" {money(month.fixed, month)} is paid every month all the same."
    )


def money(amount: Decimal, month: Spent) -> str:
    """To the cent, with its currency."""
    return f"{cents(amount)} {month.currency}"


def cents(amount: Decimal) -> str:
    """To the cent."""
    return f"{amount.quantize(_CENT, ROUND_HALF_UP):,}"


def _saved_plain(saved: Saved) -> dict[str, Any]:
    return {
        "hours": {
            queue: round(time / timedelta(hours=1), 2) for queue, time in saved.hours.items()
        },
        "runs_left_out": dict(saved.left_out),
        "saved_at_most": _plain(saved.amount),
    }


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
