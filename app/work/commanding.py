"""Carrying out commands in the worker: what follows one goes onto the queue after its commit."""

import structlog

from app.commands.running import failed_once_more, run_command
from app.work.desk import Desk
from app.work.jobs import Job
from app.work.relay import Dispatcher

log = structlog.get_logger()


def carry_out_command(desk: Desk, dispatcher: Dispatcher, row_id: int) -> None:
    """Carry out a command if its turn has come, and queue what it leads to."""
    ran = run_command(desk, desk.commands, row_id)
    for outbox_id in ran.outbox:
        dispatcher.put(Job.DELIVER_MESSAGE, outbox_id)
    for following in ran.commands:
        dispatcher.put(Job.RUN_COMMAND, following)
    if ran.state is not None:
        log.info("command_finished", row_id=row_id, state=ran.state)


def note_failure(desk: Desk, row_id: int, reason: str) -> None:
    """Carrying out raised ``reason``: it is tried again later, or given up."""
    if not failed_once_more(desk, desk.commands, row_id, reason):
        log.error("command_dead", row_id=row_id, reason=reason)
