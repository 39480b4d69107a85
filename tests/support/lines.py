"""What guests write in each language, and what the example property answers."""

from dataclasses import dataclass
from typing import Final

from app.conversation.language import Language

DE, EN, ES, FR, IT = Language.DE, Language.EN, Language.ES, Language.FR, Language.IT


@dataclass(frozen=True)
class Lines:
    """What a guest of one language writes, and what must be in the answers."""

    breakfast: str
    and_when: str
    served: str
    late_checkout: str
    price: str
    yes: str
    person: str
    stop: str
    emergency: str


LINES: Final = {
    IT: Lines(
        breakfast="Buongiorno, la colazione è servita in sala?",
        and_when="E fino a che ora?",
        served="dalle 7:30 alle 10:00",
        late_checkout="Possiamo lasciare la camera un po' più tardi?",
        price="fino alle 13:00 al prezzo di 25,00\xa0€",
        yes="Sì grazie, va bene",
        person="Vorrei parlare con una persona",
        stop="Basta messaggi per favore",
        emergency="Aiuto, c'è un incendio in camera!",
    ),
    EN: Lines(
        breakfast="Good morning, where do you serve breakfast?",
        and_when="And at what time?",
        served="from 7:30 am to 10 am",
        late_checkout="Could we keep the room a little longer?",
        price="until 1 pm for €25.00",
        yes="Yes please",
        person="I would like to speak with a person",
        stop="Please stop writing to me",
        emergency="Help, there is a fire in the room!",
    ),
    DE: Lines(
        breakfast="Guten Morgen, wo gibt es das Frühstück?",
        and_when="Und bis wann?",
        served="von 7:30 bis 10:00 Uhr",
        late_checkout="Könnten wir das Zimmer etwas länger behalten?",
        price="bis 13:00 Uhr für 25,00\xa0€",
        yes="Ja, sehr gerne",
        person="Ich möchte bitte mit einem Menschen sprechen",
        stop="Bitte schreiben Sie mir nicht mehr",
        emergency="Hilfe, es brennt im Zimmer!",
    ),
    FR: Lines(
        breakfast="Bonjour, où est servi le petit-déjeuner ?",
        and_when="Et à quelle heure ?",
        served="de 7 h 30 à 10 h",
        late_checkout="Pouvons-nous garder la chambre un peu plus longtemps ?",
        price="jusqu'à 13 h pour 25,00\xa0€",
        yes="D'accord, merci beaucoup",
        person="Je voudrais parler à une personne",
        stop="Ne m'écrivez plus s'il vous plaît",
        emergency="Au secours, il y a le feu dans la chambre !",
    ),
    ES: Lines(
        breakfast="Buenos días, ¿dónde se sirve el desayuno?",
        and_when="¿Y a qué hora?",
        served="de 7:30 a 10:00",
        late_checkout="¿Podemos quedarnos en la habitación un poco más?",
        price="hasta las 13:00 por 25,00\xa0€",
        yes="Vale, muchas gracias",
        person="Quisiera hablar con una persona",
        stop="No me escriban más por favor",
        emergency="¡Socorro, hay un incendio en la habitación!",
    ),
}
