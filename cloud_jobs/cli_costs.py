"""``portiere costs``: what a month cost, against its budgets, and what it will have cost."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloud_jobs import settings as configuration
from cloud_jobs.cli_runs import open_store
from cloud_jobs.costs.months import Month
from cloud_jobs.costs.prices import CostsError
from cloud_jobs.costs.report import Report, as_json
from cloud_jobs.costs.reporting import report_of
from cloud_jobs.jobs.monthly_costs import by_clock
from cloud_jobs.settings import CloudSettings


def _month(value: str) -> Month:
    """Raises typer.BadParameter."""
    try:
        return Month(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def costs(
    month: Annotated[
        Month | None,
        typer.Option(parser=_month, metavar="YYYY-MM", help="Which month; else this one."),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the report as a picture there.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Only what this month will have cost.")
    ] = False,
) -> None:
    """Show what a month cost, by item, job and day, against its budgets, and what pausing saved."""
    found = configuration.load()
    now = datetime.now(UTC)
    which = month or Month.of(now, found.zone)
    try:
        report = _report(found, which, now)
    except CostsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if svg is not None:
        from cloud_jobs.costs.drawing import as_svg  # noqa: PLC0415 - no process draws

        svg.write_text(as_svg(report))
        typer.echo(f"The report is in {svg}.")
    elif as_data:
        typer.echo(json.dumps(as_json(report), indent=2))
    elif forecast:
        typer.echo(_forecast(report))
    else:
        from rich.console import Console  # noqa: PLC0415 - the same

        from cloud_jobs.costs.drawing import drawn  # noqa: PLC0415 - the same

        Console().print(drawn(report))


def _report(found: CloudSettings, month: Month, now: datetime) -> Report:
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - all jobs are loaded for it

    store = open_store(found)
    try:
        with store.reading() as session:
            return report_of(session, found, month, by_clock(all_jobs(found), found.zone), now)
    finally:
        store.close()


def _forecast(report: Report) -> str:
    month = report.spent
    if report.forecast is None:
        return f"Too early to say, or {month.month.name} is over: it cost {month.total:.2f} so far."
    return (
        f"{month.month.name} will cost about {report.forecast:.2f} {month.currency} at this pace; "
        f"{month.total:.2f} so far, {month.fixed:.2f} of it paid every month."
    )
