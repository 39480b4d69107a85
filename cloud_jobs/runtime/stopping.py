"""Why a run ends before its job has: by no fault of the job."""


class Stopped(BaseException):
    """The run ends here without having failed. No Exception: a job doesn't catch it by mistake."""


class Cancelled(Stopped):
    """Somebody cancelled it."""


class Lost(Stopped):
    """It is another worker's now, or over."""


class Interrupted(Stopped):
    """This worker ends; the run goes on in another."""
