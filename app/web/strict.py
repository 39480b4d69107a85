"""JSON that means one thing only."""

import json
import math
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers

from app.web.problems import ProblemError


class NotStrictError(ValueError):
    """The text is no JSON, or not the same JSON to every reader; the message says why."""


def check_body(headers: Headers, body: bytes) -> None:
    """Raises ProblemError 415 or 400 unless the body is absent or strict JSON in UTF-8."""
    if not body:
        return
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise ProblemError(415, "not-json", "Send the body as Content-Type: application/json.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "not-json", "Send the body without a Content-Encoding.")
    try:
        loads(body)
    except NotStrictError as error:
        raise ProblemError(400, "not-strict-json", f"The body {error}.") from None


def loads(body: bytes) -> Any:
    """What ``body`` says. Raises :class:`NotStrictError` where two readers could differ.

    Refused besides what RFC 8259 refuses: a name twice in an object, NaN and infinities (written,
    or by overflow), a byte order mark, halves of surrogate pairs, more than 32 levels.
    """
    try:
        text = body.decode("utf-8")
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if "\\u" in text:  # only an escape makes what UTF-8 can't hold
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except NotStrictError:
        raise
    except RecursionError:
        raise NotStrictError("is nested too deep") from None
    except UnicodeError:
        raise NotStrictError("is not UTF-8, or holds half a surrogate pair") from None
    except ValueError:  # JSONDecodeError, or an integer of thousands of digits
        raise NotStrictError("is not JSON") from None
    return found


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotStrictError("has a name twice in an object")
        found[name] = value
    return found


def _no_constant(name: str) -> float:
    raise NotStrictError(f"holds {name}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrictError("holds a number that is too large")
    return number
