"""Errors as RFC 9457 problem details, with a stable ``type``."""

from starlette.responses import JSONResponse


def problem(
    status: int, kind: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """``{type, title, status, detail}``; ``detail`` says what to do where something can be done."""
    return JSONResponse(
        {
            "type": f"urn:portiere:problem:{kind}",
            "title": kind.replace("-", " ").capitalize(),
            "status": status,
            "detail": detail,
        },
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
