"""Jobs of the tests of the runtime: each does one of each thing that a run can do."""

from datetime import timedelta

from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job


class Parcel(Payload):
    """What these jobs are given."""

    number: int


@job("count-parcel", On("parcel.came"), queue=Queue.INTAKE, payload=Parcel)
def count_parcel(run: RunContext, parcel: Parcel) -> dict[str, int]:
    """A step, a command, an event, a use that costs, a child, a line in the log."""
    seen = run.step("look", lambda: parcel.number + 1, int)
    run.command("tell", "SEND_MESSAGE", {"guest": run.guest, "text": f"parcel {seen}"})
    run.emit("told", "parcel.counted", {"number": seen}, guest=run.guest)
    run.meter("looked", "openweather.call")
    run.log("looked", number=parcel.number)
    run.start("shelve", "shelve-parcel", {"number": seen}, delay=timedelta(minutes=5))
    return {"seen": seen}


@job("parcel-counted", On("parcel.counted"), queue=Queue.INTAKE, payload=Parcel)
def parcel_counted(run: RunContext, parcel: Parcel) -> None:
    """What waits for the event."""
    run.command("note", "ALERT_DESK", {"text": f"{parcel.number}"})


@job("shelve-parcel", queue=Queue.INTAKE, payload=Parcel)
def shelve_parcel(run: RunContext, parcel: Parcel) -> None:
    """The child."""
    for place in range(2):
        run.step(f"shelve {place}", lambda: parcel.number, int)
