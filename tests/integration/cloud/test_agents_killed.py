"""The worker dies at each point of each of the agents' jobs: nothing is done twice or left out."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.commands.asked import payload_of
from cloud_jobs.jobs.after_stay import after_stay, stay_notice
from cloud_jobs.jobs.arrival_notices import arrival_notice, arrival_notices, late_arrival_notice
from cloud_jobs.jobs.batch_notifications import batch_notifications
from cloud_jobs.jobs.daily_analytics import daily_analytics
from cloud_jobs.jobs.translate_and_send import translate_and_send
from cloud_jobs.jobs.upsell_round import first_offer, upsell_offer, upsell_round
from cloud_jobs.runtime.job import Job
from cloud_jobs.settings import CloudSettings
from tests.support import known_rows as rows
from tests.support.cloud_layer import SEAL_KEYS, Layer, kill_everywhere
from tests.support.model import KEY, NAME, model_double
from tests.support.offering_desk import keep
from tests.unit.cloud_jobs.conftest import MakeLayer

TEXT = "Domani mattina manca l'acqua dalle 9:00 alle 10:00, ci scusiamo per il disagio."
ENGLISH = "Tomorrow morning there is no water from 9:00 to 10:00, we are sorry for the trouble."
DAY = timedelta(days=1)
SETTINGS = CloudSettings(seal_keys=SEAL_KEYS)
TELL_TOMORROWS = arrival_notices(SETTINGS)
JOBS: tuple[Job[Any], ...] = (
    TELL_TOMORROWS,
    arrival_notice,
    late_arrival_notice,
    after_stay,
    stay_notice,
    batch_notifications,
    daily_analytics,
    translate_and_send,
    upsell_round,
    first_offer,
    upsell_offer,
)


def a_house(layer: Layer) -> None:
    """Stays that are coming, running and over, of guests who read two languages."""
    today = datetime.now(UTC).astimezone(layer.settings.zone).date()
    keep(
        layer,
        *(rows.guest(n, language="en" if n % 2 else "it") for n in range(1, 6)),
        rows.stay(1, today, today + 3 * DAY),
        rows.stay(2, today + DAY, today + 3 * DAY),
        rows.stay(3, today - 3 * DAY, today + DAY),
        rows.stay(4, today - 3 * DAY, today - DAY, status="ended"),
        rows.stay(5, today + 9 * DAY, today + 12 * DAY, flight_number="AZ1572"),
    )


@pytest.mark.parametrize(
    ("job", "payload", "commands"),
    [
        (TELL_TOMORROWS, {}, 2),
        (late_arrival_notice, {"channel": "direct", "code": "B-1"}, 1),
        (after_stay, {}, 3),
        (daily_analytics, {}, 0),
        (translate_and_send, {"text": TEXT}, 1),
        (batch_notifications, {"text": TEXT, "to": "in_house"}, 1),
        (first_offer, {"booking_id": 5, "status": "confirmed"}, 1),
        (upsell_round, {}, 4),
    ],
    ids=lambda value: value.name if isinstance(value, Job) else "",
)
def test_a_job_killed_at_each_of_its_points_does_everything_once(
    layer: MakeLayer,
    monkeypatch: pytest.MonkeyPatch,
    job: Job[Any],
    payload: dict[str, Any],
    commands: int,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no Apertium
    with model_double(intent=lambda _: ENGLISH) as model:
        cloud = layer(
            *JOBS,
            llm_base_url=model.url,
            llm_model=NAME,
            llm_api_key=KEY,
            review_link="https://example.invalid/review",
        )
        a_house(cloud)
        cloud.begin(job, payload, guest=rows.index(1))
        cloud.run_all()
        assert len(cloud.commands()) == commands
        for name, given in cloud.commands():
            payload_of(name, json.dumps(given))  # as the desk reads it: raises for what it refuses
        points = kill_everywhere(cloud, job, payload, guest=rows.index(1), prepare=a_house)
    assert points >= 3 * (2 + commands)
