"""What runs logged, as a file a day for the backups to take; off until the setting is set.

In the store a run's lines are deleted with it. A file is written whole and then named, so a backup
never takes half of one.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from cloud_jobs.runtime.job import Cron, Nothing, Queue, RunContext, job
from cloud_jobs.store.runs import Run, RunLog

KEPT: Final = 30
_NAME: Final = "runs-{day}.jsonl.gz"
_DAY: Final = timedelta(days=1)


@job("log-shipping", Cron("40 3 * * *"), queue=Queue.UPKEEP, payload=Nothing)
def log_shipping(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Write the days that have no file yet, up to yesterday; delete files older than 30 days."""
    directory = run.settings.ship_logs_to
    if directory is None:
        return {}
    directory.mkdir(parents=True, exist_ok=True)
    today = datetime.now(run.settings.zone).date()
    days = [today - before * _DAY for before in range(KEPT, 0, -1)]
    missing = [day for day in days if not (directory / _NAME.format(day=day)).exists()]
    lines = {day.isoformat(): _ship(run, directory, day) for day in missing}
    deleted = _delete_old(directory, days[0])
    return {"lines": {day: number for day, number in lines.items() if number}, "deleted": deleted}


def _ship(run: RunContext, directory: Path, day: date) -> int:
    """Write a day's file; how many lines. A day on which nothing was logged has none."""
    begins = datetime(day.year, day.month, day.day, tzinfo=run.settings.zone)
    after = day + _DAY
    ends = datetime(after.year, after.month, after.day, tzinfo=run.settings.zone)
    in_day = (RunLog.at >= begins, RunLog.at < ends)
    with run.store.reading() as session:
        number = session.scalars(select(func.count()).select_from(RunLog).where(*in_day)).one()
        if number:
            rows = session.execute(
                select(RunLog, Run.job)
                .join(Run, Run.run_id == RunLog.run_id)
                .where(*in_day)
                .order_by(RunLog.seq)
                .execution_options(yield_per=500)
            )
            _write(directory / _NAME.format(day=day), (_line(log, of) for log, of in rows))
    return number


def _write(path: Path, lines: Iterable[str]) -> None:
    """Under another name first. A second run of the same day writes the same file."""
    unfinished = path.with_suffix(".part")
    with gzip.open(unfinished, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    unfinished.rename(path)


def _line(log: RunLog, of: str) -> str:
    return json.dumps(
        {
            "at": log.at.isoformat(),
            "job": of,
            "run_id": log.run_id,
            "level": log.level,
            "message": log.message,
            **({"fields": log.fields} if log.fields else {}),
        },
        ensure_ascii=False,
    )


def _delete_old(directory: Path, first: date) -> int:
    old = list(_before(directory, _NAME.format(day=first)))
    for path in old:
        path.unlink()
    return len(old)


def _before(directory: Path, name: str) -> Iterator[Path]:
    """Names sort as their days do."""
    yield from (path for path in directory.glob(_NAME.format(day="*")) if path.name < name)
