"""Words that a person sends to us and not to the other side: stop, start, help.

A word counts when it is the whole text. Carriers ask for these lists; the English ones are those of
the American industry's guidelines, and English holds beside every other language.
"""

from enum import StrEnum


class Keyword(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"


def words(stop: str, start: str, help_: str) -> dict[Keyword, frozenset[str]]:
    return {
        Keyword.STOP: frozenset(stop.split("|")),
        Keyword.START: frozenset(start.split("|")),
        Keyword.HELP: frozenset(help_.split("|")),
    }


# By language (ISO 639-1), folded as `folded` does it.
WORDS: dict[str, dict[Keyword, frozenset[str]]] = {
    "en": words(
        "stop|stopall|stop all|unsubscribe|cancel|end|quit|revoke|optout|opt out|opt-out",
        "start|unstop|yes|optin|opt in|opt-in|subscribe",
        "help|info",
    ),
    "fr": words(
        "arret|arrêt|arreter|arrêter|annuler|désabonner", "oui|reprendre|commencer", "aide"
    ),
    "es": words("alto|parar|baja|cancelar|detener", "alta|empezar|iniciar|si|sí", "ayuda"),
    "de": words("stopp|halt|abmelden|ende|aufhören", "anmelden|weiter|ja", "hilfe"),
    "pt": words("pare|parar|sair|cancelar", "iniciar|começar|sim", "ajuda"),
    "it": words("ferma|basta|annulla|cancella", "inizia|riprendi|sì|si", "aiuto"),
    "nl": words("stoppen|afmelden|einde", "starten|aanmelden|ja", "hulp"),
}

LONGEST = 24  # characters; no text beyond is a keyword


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


def folded(text: str) -> str:
    """Without what people put around a word: case, spaces, quotation marks, a full stop."""
    return " ".join(text.casefold().strip(" \t\r\n\"'.!»«“”").split())
