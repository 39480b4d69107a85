"""Days and times as the API takes them: written out, and nothing that only happens to be readable.

pydantic also takes a number for one (seconds since 1970), which the API's document doesn't say.
"""

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator

_BEGINS: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")


def _as_written(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and _BEGINS.match(value)):
        raise ValueError("is written out, as in 2026-11-24 or 2026-11-24T18:00:00Z")
    return value


Day = Annotated[date, BeforeValidator(_as_written)]
Moment = Annotated[AwareDatetime, BeforeValidator(_as_written)]
