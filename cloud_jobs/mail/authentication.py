"""Whether the mail server that we trust found a mail to be from the domain that it names.

RFC 8601. Anybody can write such a header into a mail, so the server that takes ours in must remove
those that bear its own name (section 5), and puts its own on top: only the topmost is looked at.
"""

from authres import AuthenticationResultsHeader, AuthResError


def authentic(header: str | None, domain: str, authserv_id: str) -> bool:
    """Whether ``authserv_id`` says that DKIM or DMARC passed for exactly ``domain``."""
    if header is None or not authserv_id:
        return False
    try:
        found = AuthenticationResultsHeader.parse_value(" ".join(header.split()))
    # Comments in comments are read by recursion.
    except (AuthResError, RecursionError):
        return False
    if (found.authserv_id or "").lower() != authserv_id.lower():
        return False
    return any(
        result.result == "pass" and _names(result, domain)
        for result in found.results
        if result.method in {"dkim", "dmarc"}
    )


def _names(result: object, domain: str) -> bool:
    """RFC 8601, 2.7: ``header.d`` or ``header.i`` of DKIM, ``header.from`` of DMARC."""
    said = {
        f"{one.type}.{one.name}".lower(): str(one.value).lower()
        for one in getattr(result, "properties", ())
    }
    if getattr(result, "method", None) == "dmarc":
        return said.get("header.from") == domain
    signer = said.get("header.d") or said.get("header.i", "").rpartition("@")[2]
    return signer == domain
