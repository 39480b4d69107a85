"""The list of all jobs. Each is a module with its trigger in view; its line is here."""

from typing import Any, Final

from cloud_jobs.jobs.after_stay import after_stay, stay_notice
from cloud_jobs.jobs.arrival_notices import arrival_notice, arrival_notices, late_arrival_notice
from cloud_jobs.jobs.auto_resume import auto_resume, auto_resume_for_arrival
from cloud_jobs.jobs.batch_notifications import batch_notifications
from cloud_jobs.jobs.daily_analytics import daily_analytics
from cloud_jobs.jobs.delete_old import delete_old
from cloud_jobs.jobs.dynamic_pause import dynamic_pause
from cloud_jobs.jobs.flight_delay_alert import flight_cancelled_alert, flight_delay_alert
from cloud_jobs.jobs.forget_mails import forget_mails
from cloud_jobs.jobs.forget_sources import forget_sources
from cloud_jobs.jobs.log_shipping import log_shipping
from cloud_jobs.jobs.message_costs import message_costs
from cloud_jobs.jobs.monitor_mac_health import monitor_mac_health
from cloud_jobs.jobs.monthly_costs import monthly_costs
from cloud_jobs.jobs.night_pause import night_pause
from cloud_jobs.jobs.over_budget import over_budget, rests_when_used_up
from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.refused_bookings import refused_bookings
from cloud_jobs.jobs.replay_buffered import replay_buffered
from cloud_jobs.jobs.smoobu_booking import smoobu_booking
from cloud_jobs.jobs.smoobu_changed import smoobu_changed
from cloud_jobs.jobs.smoobu_sync import smoobu_sync
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.jobs.translate_and_send import translate_and_send
from cloud_jobs.jobs.upsell_round import first_offer, upsell_offer, upsell_round
from cloud_jobs.jobs.watch_flights import watch_flights
from cloud_jobs.jobs.watch_weather import watch_weather
from cloud_jobs.jobs.weather_alert import weather_alert
from cloud_jobs.runtime.job import Job, Jobs
from cloud_jobs.settings import CloudSettings

DECLARED: Final[tuple[Job[Any], ...]] = (
    after_stay,
    arrival_notice,
    auto_resume,
    auto_resume_for_arrival,
    batch_notifications,
    daily_analytics,
    delete_old,
    dynamic_pause,
    first_offer,
    flight_cancelled_alert,
    flight_delay_alert,
    forget_mails,
    forget_sources,
    late_arrival_notice,
    log_shipping,
    message_costs,
    monitor_mac_health,
    monthly_costs,
    night_pause,
    over_budget,
    read_mail,
    refused_bookings,
    replay_buffered,
    smoobu_booking,
    smoobu_changed,
    smoobu_sync,
    stay_notice,
    tell_desk,
    translate_and_send,
    upsell_offer,
    upsell_round,
    watch_flights,
    watch_weather,
    weather_alert,
)


def by_settings(settings: CloudSettings) -> tuple[Job[Any], ...]:
    """Those whose hour the settings say."""
    return (arrival_notices(settings),)


def all_jobs(settings: CloudSettings) -> Jobs:
    """Every job there is. Raises ValueError if two have one name."""
    jobs = Jobs()
    for declared in (*DECLARED, *by_settings(settings)):
        jobs.add(rests_when_used_up(declared) if declared.optional else declared)
    return jobs
