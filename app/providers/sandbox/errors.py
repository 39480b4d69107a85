"""Refusals in the form that Spoki's framework (Django REST) gives them.

A wrong field is named: ``{"text": ["This field is required."]}``; one in a list keeps its place:
``{"buttons": [{}, {"text": ["…"]}]}``; everything else is ``{"detail": "…"}``.
"""

from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

MESSAGES = {
    "missing": "This field is required.",
    "string_type": "Not a valid string.",
    "int_type": "A valid integer is required.",
    "bool_type": "Must be a valid boolean.",
    "list_type": "Expected a list of items.",
    "dict_type": "Expected a dictionary of items.",
    "model_type": "Expected a dictionary of items.",
    "string_too_long": "Ensure this field has no more than {max_length} characters.",
    "string_too_short": "This field may not be blank.",
    "too_long": "Ensure this field has no more than {max_length} elements.",
    "too_short": "This list may not be empty.",
    "literal_error": '"{input}" is not a valid choice.',
    "string_pattern_mismatch": "Enter a valid URL.",
    "greater_than_equal": "Ensure this value is greater than or equal to {ge}.",
}


class ApiError(Exception):
    """A refusal: ``status`` is the HTTP status, ``body`` the JSON, ``headers`` those to add."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.headers = headers


def field_errors(errors: Sequence[ErrorDetails]) -> dict[str, Any]:
    """Turn pydantic's errors into the nested form above."""
    tree: dict[str, Any] = {}
    for error in errors:
        _put(tree, [*error["loc"]], _message(error))
    return tree


def _message(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if error["type"] != "missing" and error["input"] is None:
        return "This field may not be null."
    template = MESSAGES.get(error["type"])
    if template is None:
        return error["msg"]
    return template.format(input=error["input"], **error.get("ctx", {}))


def _put(tree: dict[str, Any], loc: list[str | int], message: str) -> None:
    """Put ``message`` at ``loc``; the siblings before it in a list become ``{}``."""
    node: Any = tree
    for step, following in zip(loc, [*loc[1:], None], strict=True):
        if isinstance(step, int):
            node.extend({} for _ in range(step + 1 - len(node)))
            if following is None:
                node[step] = {"non_field_errors": [message]}
                return
            node = node[step]
            continue
        if following is None:
            node.setdefault(step, []).append(message)
            return
        node = node.setdefault(step, [] if isinstance(following, int) else {})
