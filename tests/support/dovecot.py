"""A real IMAP server on loopback: Debian's dovecot, with a configuration and a user of its own."""

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from imap_tools import BaseMailBox, MailBoxUnencrypted

from tests.support.processes import NeverHappenedError, eventually, free_port

USER, PASSWORD = "reservations", "invented-mailbox-password"
# Root's dovecot would change users by itself; started as nobody it has nothing to change.
_UNPRIVILEGED = "nobody"
_CONFIGURATION = """\
protocols = imap
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
listen = 127.0.0.1
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service imap {{
  client_limit = 1
}}
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/mail/%u
}}
mail_location = maildir:~/Maildir
disable_plaintext_auth = no
{more}
"""


@dataclass
class Dovecot:
    """The server; ``more`` are lines of its configuration, ``pem`` a certificate with its key."""

    home: Path
    more: str = ""
    pem: Path | None = None
    port: int = field(default_factory=free_port)
    tls_port: int = 0
    password: str = PASSWORD
    _popen: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        if self.pem is not None:
            self.tls_port = free_port()

    def start(self) -> None:
        """Start it and wait until one can log in."""
        user = pwd.getpwnam(_UNPRIVILEGED) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        (self.home / "mail").mkdir(exist_ok=True)
        config = self.home / "dovecot.conf"
        config.write_text(
            _CONFIGURATION.format(
                home=self.home,
                user=user.pw_name,
                group=_group(user.pw_gid),
                port=self.port,
                tls_port=self.tls_port,
                password=self.password,
                more=f"{self._tls()}\n{self.more}",
            )
        )
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        is_root = os.getuid() == 0
        self._popen = subprocess.Popen(
            ["dovecot", "-F", "-c", str(config)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            start_new_session=True,
            user=user.pw_uid if is_root else None,
            group=user.pw_gid if is_root else None,
            extra_groups=[] if is_root else None,
        )
        eventually(self._answers, "dovecot answers")

    def stop(self) -> None:
        """Stop it, and every connection."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.terminate()
            self._popen.wait(timeout=20)

    def cut_connections(self) -> int:
        """Kill the processes that serve the user; how many there were."""
        assert self._popen is not None
        found = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if _reads(path).startswith(b"dovecot/imap\0")
            and _parent(path.parent) == self._popen.pid
        ]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def lock(self, subject: str) -> None:
        """Let the server be unable to read the mails of a subject."""
        for path in (self.home / "mail" / USER / "Maildir").glob("*/*"):
            if path.is_file() and f"Subject: {subject}" in path.read_text():
                path.chmod(0)

    def change_uid_validity(self) -> None:
        """Forget the mails' numbers, as after a restore from a backup; the server is stopped."""
        for path in (self.home / "mail" / USER / "Maildir").glob("dovecot*"):
            path.unlink()
        time.sleep(1.1)  # it is the time of its making, in seconds

    @contextmanager
    def mailbox(self) -> Iterator[BaseMailBox]:
        """The mailbox, as its owner opens it."""
        with MailBoxUnencrypted("127.0.0.1", self.port, timeout=20).login_utf8(
            USER, self.password
        ) as box:
            yield box

    def drop(self, *mails: bytes, received_at: datetime | None = None, seen: bool = False) -> None:
        """Put mails into the inbox."""
        with self.mailbox() as box:
            for raw in mails:
                box.append(raw, dt=received_at, flag_set=["\\Seen"] if seen else [])

    def flags(self) -> list[tuple[str, ...]]:
        """The flags of each mail, in the order in which they came."""
        with self.mailbox() as box:
            return [one.flags for one in box.fetch(mark_seen=False, headers_only=True)]

    def log(self) -> str:
        """What it wrote."""
        return (self.home / "dovecot.log").read_text()

    def _tls(self) -> str:
        if self.pem is None:
            return "ssl = no"
        copy = self.home / "server.pem"
        shutil.copy(self.pem, copy)
        return f"ssl = yes\nssl_cert = <{copy}\nssl_key = <{copy}"

    def _answers(self) -> bool:
        if self._popen is None or self._popen.poll() is not None:
            raise NeverHappenedError(f"dovecot ended:\n{self.log()[-4000:]}")
        try:
            with self.mailbox():
                return True
        except OSError:
            return False


@contextmanager
def dovecot(more: str = "", pem: Path | None = None, password: str = PASSWORD) -> Iterator[Dovecot]:
    """A server that runs until the end of the block."""
    # Not below pytest's own directory, which only root may enter; and sockets want a short path.
    home = Path(tempfile.mkdtemp(prefix="dovecot-"))
    found = Dovecot(home, more, pem, password=password)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(home)


def _group(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


def _reads(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def _parent(process: Path) -> int:
    fields = _reads(process / "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0
