"""Who calls: what a route of the API declares to be callable, and by whom.

`app.web.gate` has seen to the signature before any route is reached; here is asked whether this
client may do this.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request

from app.settings_api import Scope
from app.web.problems import ProblemError

__all__ = ["Caller", "Scope", "caller"]


@dataclass(frozen=True)
class Caller:
    """A client whose request was signed: its name, the request's id, where it came from."""

    name: str
    request_id: str
    address: str


@dataclass(frozen=True)
class Admitted:
    """What the gate leaves in ``request.state.admitted``: the caller, and what it may do."""

    caller: Caller
    scopes: frozenset[Scope]


# Only for the document: the gate reads the headers itself.
_SIGNATURE = APIKeyHeader(
    name="Signature",
    scheme_name="HTTP Message Signature",
    description="RFC 9421 with hmac-sha256; docs/api.md says what is covered.",
    auto_error=False,
)


def caller(scope: Scope) -> Callable[..., Caller]:
    """A dependency: the :class:`Caller`, who has ``scope``.

    ``who: Annotated[Caller, Depends(caller(Scope.QUEUES))]``. Raises ProblemError 403 for a client
    that hasn't.
    """

    def find(request: Request, _signature: str | None = Security(_SIGNATURE)) -> Caller:
        admitted: Admitted = request.state.admitted
        if scope not in admitted.scopes:
            raise ProblemError(
                403,
                "scope-missing",
                f"Client {admitted.caller.name} lacks the scope {scope}: PORTIERE_API_CLIENTS.",
            )
        return admitted.caller

    return find
