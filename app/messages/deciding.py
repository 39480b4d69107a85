"""Deciding about a row of the outbox: the rules asked, their verdict carried out on the row."""

from dataclasses import dataclass

from app.messages import standing
from app.messages.catalogue import FALLBACK, Catalogue
from app.messages.outgoing import Kind, Outgoing, Text, decode_template, decode_text
from app.messages.rules import Proposal, Refuse, Rule, RuleBook, Send, SentAs, Wait, can_send
from app.messages.standing import Surroundings
from app.store.database import Connection, Row, from_ms, to_ms


@dataclass(frozen=True)
class Rules:
    """What sending is decided by, besides what stands in the database."""

    book: RuleBook
    around: Surroundings
    catalogue: Catalogue


@dataclass(frozen=True)
class Decided:
    """What is to be handed over. ``is_instead``: the template that says that a person will answer,
    in place of what was written."""

    message: Outgoing
    sent_as: SentAs
    is_instead: bool

    @property
    def rule(self) -> Rule | None:
        """What is noted on the row."""
        return Rule.WINDOW if self.is_instead else None


def decide(
    connection: Connection, row: Row, phone: str, encoded: str, rules: Rules
) -> Decided | None:
    """Ask the rules about ``row``, whose columns are opened; None if it must wait or is refused.

    Why and by which rule is then on the row.
    """
    stands = standing.read(connection, row, phone, rules.around)
    verdict = can_send(_proposal(row, rules.catalogue), stands, rules.book)
    if isinstance(verdict, Send):
        message = _message(row, encoded, verdict, rules.catalogue)
        return Decided(message, verdict.sent_as, verdict.fallback)
    if isinstance(verdict, Wait):
        _hold(connection, row["id"], verdict)
    else:
        _refuse(connection, row["id"], verdict)
    return None


def _proposal(row: Row, catalogue: Catalogue) -> Proposal:
    template = row["template"]
    return Proposal(
        kind=Kind(row["kind"]),
        created_at=from_ms(row["created_at"]),
        language=row["language"],
        template=template is not None,
        marketing=template is not None and catalogue.is_marketing(template),
        approved=catalogue.approved(template) if template else frozenset(),
        fallback_approved=catalogue.approved(FALLBACK),
        window_closed=row["rule"] == Rule.WINDOW,
    )


def _message(row: Row, encoded: str, verdict: Send, catalogue: Catalogue) -> Outgoing:
    if verdict.fallback:
        return catalogue.render(FALLBACK, verdict.language, {})
    if row["template"] is None:
        return decode_text(encoded)
    message = decode_template(encoded)
    if verdict.sent_as is SentAs.TEXT:
        return Text(message.text)
    if verdict.language == message.language:
        return message
    return catalogue.render(message.name, verdict.language, message.variables)


def _hold(connection: Connection, row_id: int, verdict: Wait) -> None:
    connection.execute(
        "UPDATE outbox SET not_before = :at, next_at = :at, rule = :rule, note = :why "
        "WHERE id = :id",
        {"at": to_ms(verdict.until), "rule": verdict.rule, "why": verdict.why, "id": row_id},
    )


def _refuse(connection: Connection, row_id: int, verdict: Refuse) -> None:
    connection.execute(
        "UPDATE outbox SET state = 'refused', rule = ?, note = ? WHERE id = ?",
        (verdict.rule, verdict.why, row_id),
    )
