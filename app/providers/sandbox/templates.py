"""The account's message templates; placeholders are ``%%FIELD%%``.

One of each status, and after them all of Portiere's own, approved in each of their languages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.messages import catalogue
from app.messages.catalogue import LANGUAGES, PROPERTY

PLACEHOLDER = re.compile(r"%%([A-Z0-9_]+)%%")
# Spoki's status numbers: 0 draft, 1 pending, 2 and 4 approved, 3 rejected.
APPROVED = frozenset({2, 4})


@dataclass(frozen=True, slots=True)
class Template:
    """A template; ``bodies`` by language code in lower case."""

    id: int
    name: str
    category: str
    status: int
    bodies: dict[str, str]

    @property
    def approved(self) -> bool:
        """Whether Meta lets it be sent."""
        return self.status in APPROVED

    def as_json(self) -> dict[str, object]:
        """The template as ``GET /api/1/templates/`` lists it."""
        return {
            "id": self.id,
            "name": self.name,
            "category": self.category,
            "status": self.status,
            "languages": [{"language": code, "body": body} for code, body in self.bodies.items()],
        }


def missing_fields(body: str, fields: dict[str, str]) -> list[str]:
    """Names of the placeholders in ``body`` that ``fields`` doesn't fill."""
    return sorted({name for name in PLACEHOLDER.findall(body) if not fields.get(name)})


def fill(body: str, fields: dict[str, str]) -> str:
    """Return ``body`` with its placeholders filled."""
    return PLACEHOLDER.sub(lambda match: fields.get(match[1], ""), body)


_WELCOME = {
    "it": "Buongiorno %%FIRST_NAME%%, benvenuto! Scriva qui per qualsiasi domanda.",
    "en": "Hello %%FIRST_NAME%%, welcome! Write here with any question.",
    "de": "Guten Tag %%FIRST_NAME%%, willkommen! Schreiben Sie hier bei jeder Frage.",
    "fr": "Bonjour %%FIRST_NAME%%, bienvenue ! Écrivez ici pour toute question.",
    "es": "Hola %%FIRST_NAME%%, ¡bienvenido! Escriba aquí cualquier pregunta.",
}
_BEFORE_ARRIVAL = {
    "it": "%%FIRST_NAME%%, la aspettiamo il %%CHECKIN_DATE%%. A che ora pensa di arrivare?",
    "en": "%%FIRST_NAME%%, we expect you on %%CHECKIN_DATE%%. What time will you arrive?",
    "de": "%%FIRST_NAME%%, wir erwarten Sie am %%CHECKIN_DATE%%. Wann kommen Sie an?",
    "fr": "%%FIRST_NAME%%, nous vous attendons le %%CHECKIN_DATE%%. À quelle heure arrivez-vous ?",
    "es": "%%FIRST_NAME%%, le esperamos el %%CHECKIN_DATE%%. ¿A qué hora llegará?",
}

# The first of Portiere's own; the others follow it by name.
FIRST_OWN = 7101


def _own() -> Iterator[Template]:
    """Portiere's templates with placeholders in place of their variables."""
    found = catalogue.load(None, _placeholder(PROPERTY), "spoki")
    for number, name in enumerate(sorted(found.names), start=FIRST_OWN):
        category = "MARKETING" if found.is_marketing(name) else "UTILITY"
        bodies = {}
        for language in LANGUAGES:
            names = found.reference(name, language).parameters
            values = {each: _placeholder(each) for each in names if each != PROPERTY}
            bodies[language] = found.render(name, language, values).text
        yield Template(number, f"portiere_{name}", category, 2, bodies)


def _placeholder(name: str) -> str:
    return f"%%{name.upper()}%%"


TEMPLATES = {
    template.id: template
    for template in (
        Template(7001, "welcome", "UTILITY", 2, _WELCOME),
        Template(7002, "before_arrival", "UTILITY", 4, _BEFORE_ARRIVAL),
        Template(7003, "thank_you", "MARKETING", 0, {"it": "Grazie, a presto!"}),
        Template(7004, "review_request", "MARKETING", 1, {"it": "Com'è andata?"}),
        Template(7005, "late_offer", "MARKETING", 3, {"it": "Un'offerta per lei."}),
        *_own(),
    )
}
