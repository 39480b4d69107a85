"""The Debian mirror that this machine itself uses, asked for the guests' release.

No mirror is written down anywhere: apt is asked which one it takes, and the suites are renamed.
"""

from tests.rehearsal.layout import SUITE
from tests.rehearsal.shell import RehearsalError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FIELDS = "$(REPO_URI)|$(ORIGIN)|$(CODENAME)|$(RELEASE)"


def sources() -> str:
    """One-line apt sources for the guests' release.

    Raises:
        RehearsalError: This machine's apt knows no Debian mirror.
    """
    listed = run("apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages")
    lines = set()
    for line in listed.splitlines():
        uri, origin, codename, release = line.split("|")
        if origin != "Debian":
            continue
        # "bookworm-security" has the codename "bookworm-security": what follows the first dash
        # says which part of a release it is.
        _, dash, part = (codename or release).partition("-")
        if part in ("", "updates", "security"):
            lines.add(f"deb [signed-by={KEYRING}] {uri} {SUITE}{dash}{part} main")
    if not lines:
        raise RehearsalError("apt knows no Debian mirror here; run `apt-get update` first")
    return "\n".join(sorted(lines)) + "\n"


def apt_options() -> list[str]:
    """This machine's proxy settings as apt options, for an apt that reads no configuration."""
    dumped = run("apt-config", "dump", "--format", "%F=%v%n", "Acquire").splitlines()
    pairs = (line.partition("=") for line in dumped)
    return [
        f'{name} "{value}";'
        for name, _, value in pairs
        if value and "proxy" in name.lower() and name.count("::") <= 3
    ]
