"""The weather service's warnings for where the property is, asked for every hour."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import Every, Nothing, Payload, Queue, RunContext, job
from cloud_jobs.sources import openweather, reading, weather_watch
from cloud_jobs.sources.weather_watch import WARNING, Warned


class _Found(Payload):
    """``asked`` is False when the day's calls are used up."""

    asked: bool
    news: tuple[Warned, ...] = ()


@job(
    "watch-weather",
    Every(timedelta(hours=1)),
    queue=Queue.WATCH,
    payload=Nothing,
    concurrency_key=lambda _: "weather",
    attempts=3,
    optional=True,
)
def watch_weather(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Tell of each warning that is news."""
    if not openweather.is_configured(run.settings):
        return {"configured": False}

    def keep(session: Session, found: _Found) -> None:
        for warned in found.news:
            weather_watch.remember(session, warned, datetime.now(UTC))

    found = run.step("ask", lambda: _ask(run), _Found, also=keep)
    if found.asked:
        run.meter("call", openweather.CALL)
    else:
        run.log("the calls that a day has are used up", calls=run.settings.openweather_daily)
    for warned in found.news:
        run.emit(f"warn:{warned.key}", WARNING, warned.model_dump(mode="json"))
    return {"asked": found.asked, "news": len(found.news)}


def _ask(run: RunContext) -> _Found:
    """Ask, if there is a call left; each counts, one that fails too."""
    now = datetime.now(UTC)
    most = run.settings.openweather_daily
    with run.store.writing() as session:
        if not reading.take_call(session, openweather.SERVICE, most, now):
            return _Found(asked=False)
    with openweather.opened(run.settings) as service:
        alerts = openweather.alerts(service, run.settings)
    with run.store.reading() as session:
        return _Found(
            asked=True, news=tuple(weather_watch.news(session, weather_watch.warned(alerts, now)))
        )
