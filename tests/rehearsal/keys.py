"""The rehearsal's own ssh keys: one for the controller, one that every host shows."""

from tests.rehearsal.layout import (
    CONTROLLER_NETNS,
    HOST_KEY,
    HOSTS,
    KNOWN_HOSTS,
    SSH_CONFIG,
    SSH_KEY,
)
from tests.rehearsal.shell import run


def ensure() -> None:
    """Make the keys once, and the files that let plain ssh use them."""
    SSH_KEY.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for key, comment in ((SSH_KEY, "controller"), (HOST_KEY, "host")):
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key)
    host_key = HOST_KEY.with_suffix(".pub").read_text().rsplit(maxsplit=1)[0]
    addresses = ",".join(name for h in HOSTS.values() for name in (h.name, h.address))
    KNOWN_HOSTS.write_text(f"{addresses} {host_key}\n")
    SSH_CONFIG.write_text("".join(_stanzas()))


def _stanzas() -> list[str]:
    common = f"""Host {" ".join(HOSTS)}
  IdentityFile {SSH_KEY}
  IdentitiesOnly yes
  UserKnownHostsFile {KNOWN_HOSTS}
  ProxyCommand ip netns exec {CONTROLLER_NETNS} nc %h %p
"""
    return [
        f"Host {host.name}\n  HostName {host.address}\n  User {host.user}\n"
        for host in HOSTS.values()
    ] + [common]
