"""Whole conversations in each of the five languages."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.turn import Agent, CallPerson, CloseOffer, SetConsent
from app.guests.request import RequestKind
from tests.unit.conversation.talking import Talk

DE, EN, ES, FR, IT = Language.DE, Language.EN, Language.ES, Language.FR, Language.IT


@dataclass(frozen=True)
class Lines:
    """What a guest of one language writes, and what must be in the answers."""

    breakfast: str
    and_when: str
    served: str
    and_how_much: str
    late_checkout: str
    offered: str
    price: str
    yes: str
    no: str
    person: str
    stop: str


LINES = {
    IT: Lines(
        breakfast="Buongiorno, la colazione è servita in sala?",
        and_when="E fino a che ora?",
        served="dalle 7:30 alle 10:00",
        and_how_much="e quanto costa?",
        late_checkout="Possiamo lasciare la camera un po' più tardi?",
        offered="fino alle 13:00 al prezzo di",
        price="25,00\xa0€",
        yes="Sì grazie, va bene",
        no="No grazie, è troppo caro",
        person="Vorrei parlare con una persona",
        stop="Basta messaggi per favore",
    ),
    EN: Lines(
        breakfast="Good morning, where do you serve breakfast?",
        and_when="And at what time?",
        served="from 7:30 am to 10 am",
        and_how_much="and how much is it?",
        late_checkout="Could we keep the room a little longer?",
        offered="until 1 pm for",
        price="€25.00",
        yes="Yes please",
        no="no thanks",
        person="I would like to speak with a person",
        stop="Please stop writing to me",
    ),
    DE: Lines(
        breakfast="Guten Morgen, wo gibt es das Frühstück?",
        and_when="Und bis wann?",
        served="von 7:30 bis 10:00 Uhr",
        and_how_much="und was kostet das?",
        late_checkout="Könnten wir das Zimmer etwas länger behalten?",
        offered="bis 13:00 Uhr für",
        price="25,00\xa0€",
        yes="Ja, sehr gerne",
        no="Nein danke, lieber nicht",
        person="Ich möchte bitte mit einem Menschen sprechen",
        stop="Bitte schreiben Sie mir nicht mehr",
    ),
    FR: Lines(
        breakfast="Bonjour, où est servi le petit-déjeuner ?",
        and_when="Et à quelle heure ?",
        served="de 7 h 30 à 10 h",
        and_how_much="et c'est combien ?",
        late_checkout="Pouvons-nous garder la chambre un peu plus longtemps ?",
        offered="jusqu'à 13 h pour",
        price="25,00\xa0€",
        yes="D'accord, merci beaucoup",
        no="Non merci",
        person="Je voudrais parler à une personne",
        stop="Ne m'écrivez plus s'il vous plaît",
    ),
    ES: Lines(
        breakfast="Buenos días, ¿dónde se sirve el desayuno?",
        and_when="¿Y a qué hora?",
        served="de 7:30 a 10:00",
        and_how_much="¿y cuánto cuesta?",
        late_checkout="¿Podemos quedarnos en la habitación un poco más?",
        offered="hasta las 13:00 por",
        price="25,00\xa0€",
        yes="Vale, muchas gracias",
        no="No, gracias",
        person="Quisiera hablar con una persona",
        stop="No me escriban más por favor",
    ),
}


@pytest.fixture(params=LINES, ids=str)
def language(request: pytest.FixtureRequest) -> Language:
    spoken = request.param
    assert isinstance(spoken, Language)
    return spoken


@pytest.fixture
def lines(language: Language) -> Lines:
    return LINES[language]


def test_a_follow_up_is_about_the_last_topic(language: Language, lines: Lines) -> None:
    talk = Talk()
    assert talk.says(lines.breakfast, Intent.BREAKFAST).language is language
    when = talk.says(lines.and_when, Intent.OTHER)
    assert (when.intents, when.language, when.effects) == ((Intent.BREAKFAST,), language, ())
    assert lines.served in when.text
    price = talk.says(lines.and_how_much, Intent.OTHER)
    assert (price.intents, price.effects) == ((Intent.BREAKFAST,), ())


def test_a_follow_up_that_the_facts_do_not_answer_calls_a_person(lines: Lines) -> None:
    talk = Talk()
    talk.says(lines.breakfast, Intent.PETS)
    reply = talk.says(lines.and_when, Intent.OTHER)
    assert reply.intents == (Intent.PETS,)
    assert reply.effects == (CallPerson(Intent.PETS),)


def test_a_late_check_out_is_offered_priced_and_accepted(language: Language, lines: Lines) -> None:
    talk = Talk()
    offered = talk.says(lines.late_checkout, Intent.LATE_CHECKOUT)
    assert (offered.agent, offered.language) == (Agent.BOOKING, language)
    assert lines.offered in offered.text
    assert lines.price in offered.text
    assert [choice.choice_id for choice in offered.choices] == ["accept", "decline"]
    (request,) = talk.requests
    assert (request.kind, request.price, request.currency, request.booking_id) == (
        RequestKind.LATE_CHECKOUT,
        Decimal(25),
        "EUR",
        7,
    )
    assert request.detail == lines.late_checkout
    again = talk.says(lines.and_how_much, Intent.OTHER)
    assert lines.price in again.text
    assert again.choices == offered.choices
    accepted = talk.says(lines.yes, Intent.THANKS)
    assert accepted.effects == (CloseOffer(1, accepted=True),)
    assert accepted.intents == (Intent.LATE_CHECKOUT,)
    assert accepted.language is language
    assert len(talk.requests) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("by_button", [True, False], ids=["by button", "in words"])
def test_an_offer_is_declined(lines: Lines, by_button: bool) -> None:
    talk = Talk()
    decline = talk.says(lines.late_checkout, Intent.LATE_CHECKOUT).choices[1]
    if by_button:
        declined = talk.says(decline.title, Intent.OTHER, decline.choice_id)
    else:
        declined = talk.says(lines.no, Intent.OTHER)
    assert declined.effects == (CloseOffer(1, accepted=False),)
    assert talk.offer is None


def test_an_offer_stays_open_while_something_else_is_asked(lines: Lines) -> None:
    talk = Talk()
    talk.says(lines.late_checkout, Intent.LATE_CHECKOUT)
    assert talk.says(lines.breakfast, Intent.BREAKFAST).intents == (Intent.BREAKFAST,)
    assert talk.offer
    assert talk.says(lines.yes, Intent.THANKS).effects == (CloseOffer(1, accepted=True),)


def test_a_person_is_asked_for(language: Language, lines: Lines) -> None:
    talk = Talk()
    talk.says(lines.breakfast, Intent.BREAKFAST)
    reply = talk.says(lines.person, Intent.HUMAN)
    assert reply.effects == (CallPerson(Intent.HUMAN, silence=True),)
    assert reply.language is language
    assert "+39 000 0000000" in reply.text


def test_stop_and_start(language: Language, lines: Lines) -> None:
    talk = Talk()
    talk.says(lines.breakfast, Intent.BREAKFAST)
    stopped = talk.says(lines.stop, Intent.OPT_OUT)
    assert stopped.effects == (SetConsent(given=False),)
    assert "START" in stopped.text
    assert stopped.language is language
    started = talk.says("START", Intent.OPT_IN)
    assert (started.language, talk.consent) == (language, True)


def test_the_language_is_switched_midway(language: Language, lines: Lines) -> None:
    talk = Talk()
    talk.says(lines.breakfast, Intent.BREAKFAST)
    other, sentence = (
        (EN, "Sorry, could you tell me where we can park the car?")
        if language is not EN
        else (DE, "Entschuldigung, wo können wir das Auto parken?")
    )
    switched = talk.says(sentence, Intent.PARKING)
    assert switched.language is other
    assert talk.says(LINES[other].and_how_much, Intent.OTHER).language is other
