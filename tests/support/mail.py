"""A mail server on loopback that keeps what it takes."""

import datetime as dt
import queue
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.processes import free_port

USER, PASSWORD = "desk", "invented-mail-password"


@dataclass
class Mailbox:
    """What the server took; ``refuses``: recipients that it doesn't know."""

    port: int = 0
    refuses: set[str] = field(default_factory=set)
    taken: "queue.Queue[tuple[list[str], EmailMessage]]" = field(default_factory=queue.Queue)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take a recipient, or not."""
        if address in self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.taken.put((list(envelope.rcpt_tos), mail))
        return "250 OK"


def certificate(directory: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.invalid")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / "mail.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def _is_known(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    # handled=False: aiosmtpd says so to the client.
    return AuthResult(success=data == known, handled=False)


@contextmanager
def mail_server(
    pem: Path | None = None, *, at_once: bool = False, login: bool = False
) -> Iterator[Mailbox]:
    """A server until the end of the block; with ``pem`` it insists on TLS, at once or STARTTLS."""
    found = Mailbox(free_port())
    context = None
    if pem is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
    controller = Controller(
        found,
        hostname="127.0.0.1",
        port=found.port,
        ssl_context=context if at_once else None,
        tls_context=None if at_once else context,
        require_starttls=context is not None and not at_once,
        authenticator=_is_known if login else None,
        auth_required=login,
        auth_require_tls=not at_once,  # it only knows of TLS that it began itself
    )
    controller.start()
    try:
        yield found
    finally:
        controller.stop()
