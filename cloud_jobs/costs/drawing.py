"""The report of a month for people: tables and bars by `rich`, on a terminal or as SVG."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Final

from rich.bar import Bar
from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cloud_jobs.costs.budgets import USED_UP, WARNS_AT, Share
from cloud_jobs.costs.months import Line, Spent
from cloud_jobs.costs.report import Report, cents, money, saved_line
from cloud_jobs.costs.savings import Saved

_WIDTH: Final = 76
_BAR: Final = 40
_CENT: Final = Decimal("0.01")


def as_text(report: Report) -> str:
    """The report as plain text."""
    console = Console(width=_WIDTH, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(drawn(report))
    return captured.get()


def as_svg(report: Report) -> str:
    """The report as a picture."""
    console = Console(width=_WIDTH, record=True, force_terminal=True, file=StringIO())
    console.print(drawn(report))
    return console.export_svg(title=f"Portiere, {report.spent.month.name}")


def drawn(report: Report) -> RenderableType:
    """The report as `rich` draws it."""
    month = report.spent
    parts: list[RenderableType] = [_items(month)]
    if month.by_job:
        parts.append(_jobs(month))
    if month.by_day:
        parts.append(_days(month))
    if report.shares:
        parts.append(_budgets(month.currency, report.shares))
    if report.forecast is not None:
        parts.append(Text(f"At this pace the month will cost {money(report.forecast, month)}."))
    if report.saved is not None:
        parts.append(_savings(report.saved, month))
    return Group(*_spaced(parts))


def _items(month: Spent) -> Table:
    table = _table(f"What {month.month.name} cost, in {month.currency}", "item", "used", "amount")
    for line in month.lines:
        table.add_row(line.item, _used(line), cents(line.amount))
    table.add_section()
    table.add_row("in all", "", cents(month.total), style="bold")
    return table


def _used(line: Line) -> str:
    if line.is_fixed:
        return "every month"
    free = line.list_price - line.amount
    return f"{line.quantity:,}" + (f", {cents(free)} of it free" if free >= _CENT else "")


def _jobs(month: Spent) -> Table:
    table = _table("By job", "job", "amount")
    for job, amount in sorted(month.by_job.items(), key=lambda one: (-one[1], one[0])):
        table.add_row(job, cents(amount))
    return table


def _days(month: Spent) -> Table:
    """A bar for each day, without what is paid every month: that would hide the rest."""
    fixed = month.fixed
    amounts = {day: month.by_day.get(day, Decimal(0)) for day in _all_days(month)}
    amounts[month.month.first] = amounts.get(month.month.first, Decimal(0)) - fixed
    highest = max(amounts.values(), default=Decimal(0))
    table = _table("By day, without what is paid every month", "day", "amount", "")
    for day, amount in amounts.items():
        bar = Bar(float(highest or 1), 0, float(amount), width=_BAR, color="cyan")
        table.add_row(f"{day:%d}", cents(amount), bar)
    return table


def _all_days(month: Spent) -> Iterable[date]:
    first, last = month.month.first, max(month.by_day)
    return (first + timedelta(days=after) for after in range((last - first).days + 1))


def _budgets(currency: str, shares: Iterable[Share]) -> Table:
    table = _table(f"Budgets, in {currency}", "budget", "spent", "of", "%", "")
    for share in shares:
        reached = min(float(USED_UP), float(share.percent))
        bar = Bar(USED_UP, 0, reached, width=_BAR // 2, color=_colour(share))
        table.add_row(
            share.name, cents(share.spent), cents(share.budget), f"{share.percent:.0f}", bar
        )
    return table


def _colour(share: Share) -> str:
    if share.percent >= USED_UP:
        return "red"
    return "yellow" if share.percent >= WARNS_AT else "green"


def _savings(saved: Saved, month: Spent) -> RenderableType:
    if not saved.hours:
        return Text("Nothing was paused.")
    table = _table("Paused", "queue or job", "hours", "runs left out")
    for queue, time in sorted(saved.hours.items()):
        table.add_row(queue, f"{time / timedelta(hours=1):.1f}", "")
    for job, runs in saved.left_out.items():
        table.add_row(f"  {job}", "", f"{runs:,}")
    return Group(table, Text(saved_line(saved, month)))


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=SIMPLE, pad_edge=False, min_width=len(title)
    )
    for number, column in enumerate(columns):
        is_bar = not column
        table.add_column(column, justify="left" if number == 0 or is_bar else "right")
    return table


def _spaced(parts: Iterable[RenderableType]) -> Iterable[RenderableType]:
    for part in parts:
        yield part
        yield Text()
