"""Words that a person sends to us and not to the other side: stop, start, help.

A word counts when it is the whole text. Carriers ask for these lists; the English ones are those of
the American industry's guidelines, and English holds beside every other language.
"""

import unicodedata
from enum import StrEnum

LONGEST = 100  # characters, with all that is around a word; nothing longer is looked at
AROUND = "PZC"  # categories of Unicode: punctuation, spaces, what nobody sees


class Keyword(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"


def words(stop: str, start: str, help_: str) -> dict[Keyword, frozenset[str]]:
    return {
        Keyword.STOP: frozenset(map(folded, stop.split("|"))),
        Keyword.START: frozenset(map(folded, start.split("|"))),
        Keyword.HELP: frozenset(map(folded, help_.split("|"))),
    }


def folded(text: str) -> str:
    """The word in one form of its letters, without what people and telephones put around it, and
    without accents: people leave them out, and carriers write others, of which GSM has few."""
    signs = [sign for sign in unicodedata.normalize("NFKD", text) if not is_mark(sign)]
    word = [place for place, sign in enumerate(signs) if not is_around(sign)]
    bare = "".join(signs[word[0] : word[-1] + 1]) if word else ""
    return " ".join(bare.casefold().split())


def is_mark(sign: str) -> bool:
    """Whether it stands upon the letter before it."""
    return unicodedata.category(sign) == "Mn"


def is_around(sign: str) -> bool:
    """Whether it changes nothing about a word beside it; a question is one to the other side."""
    return sign != "?" and unicodedata.category(sign)[0] in AROUND


# By language (ISO 639-1).
WORDS: dict[str, dict[Keyword, frozenset[str]]] = {
    "en": words(
        "stop|stopall|stop all|unsubscribe|cancel|end|quit|revoke|optout|opt out|opt-out",
        "start|unstop|yes|optin|opt in|opt-in|subscribe",
        "help|info",
    ),
    "fr": words("arrêt|arrêter|annuler|désabonner", "oui|reprendre|commencer", "aide"),
    "es": words("alto|parar|baja|cancelar|detener", "alta|empezar|iniciar|sí", "ayuda"),
    "de": words("stopp|halt|abmelden|ende|aufhören|aufhoeren", "anmelden|weiter|ja", "hilfe"),
    "pt": words("pare|parar|sair|cancelar", "iniciar|começar|sim", "ajuda"),
    "it": words("ferma|basta|annulla|cancella", "inizia|riprendi|sì", "aiuto"),
    "nl": words("stoppen|afmelden|einde", "starten|aanmelden|ja", "hulp"),
}


def keyword_of(text: str, languages: tuple[str, ...]) -> Keyword | None:
    """The keyword that the whole text is, in English or one of the languages."""
    if len(text) > LONGEST:
        return None
    word = folded(text)
    for language in ("en", *languages):
        for keyword, words in WORDS.get(language, {}).items():
            if word in words:
                return keyword
    return None
