"""What a run of schemathesis over a document of ours needs: signatures, and the routes by kind."""

import copy
from typing import Any

import requests
from requests.auth import AuthBase

from app.signing import Asked, sign

CLIENT = "cloud"
KEY = b"c" * 32
Routes = dict[tuple[str, str], dict[str, Any]]


class Signing(AuthBase):
    """Signs what `requests` is about to send."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by `requests` with each request."""
        body = request.body or b""
        sent = body if isinstance(body, bytes) else str(body).encode()
        asked = Asked(str(request.method), request.path_url, sent)
        request.headers.update(sign(asked, CLIENT, KEY))
        return request


def routes_of(document: dict[str, Any]) -> Routes:
    """The operations, by path and method."""
    return {
        (path, method): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def guarded(routes: Routes) -> list[tuple[str, str]]:
    """Those that must be signed."""
    return [key for key, operation in routes.items() if "security" in operation]


def without_signatures(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its security: or the signature would be made up, and left out, as if it
    were a parameter, where here each request gets a real one just before it goes."""
    found: dict[str, Any] = copy.deepcopy(document)
    for path, method in guarded(routes_of(document)):
        del found["paths"][path][method]["security"]
    return found
