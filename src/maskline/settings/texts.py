"""The settings of texts."""

from dataclasses import dataclass
from typing import Literal

from maskline.settings.setting import setting

KeywordLanguage = Literal["de", "en", "es", "fr", "it", "nl", "pt"]
AT_MOST_HOURLY = (
    " Nobody is told anything more often than once an hour, but for what STOP and START changed."
)


@dataclass(frozen=True)
class Texts:
    """Texts, whichever way they come and go."""

    validity_hours: int = setting(
        "How long a text is tried to be delivered, by us and then by the carrier; by the carrier "
        "no longer than its session lasts, as that stood when it got the text.",
        24,
        least=1,
        most=168,
    )
    doubt_seconds: int = setting(
        "How long to wait for a receipt before a text is sent again whose answer was lost with its "
        "connection: the carrier may have it. If it happens again, as long again as the text has "
        "been in doubt, up to an hour.",
        30,
        least=1,
        most=3_600,
    )
    parts_timeout_seconds: int = setting(
        "After how many seconds a long text is delivered without the parts that are missing.",
        600,
        least=1,
        most=86_400,
    )
    keep_days: int = setting(
        "How many days the words of a text can be read after it was delivered; 0 erases them then.",
        0,
        least=0,
        most=36_500,
    )
    dead_letter_hours: int = setting(
        "How many hours the words of a text that failed or expired are kept, so that it can be "
        "sent again.",
        24,
        least=0,
        most=8_760,
    )
    message_retention_days: int = setting(
        "How many days the record of a text is kept.", 90, least=1, most=36_500
    )
    max_queued: int = setting(
        "How many texts may wait for one carrier. When there are more, carriers that bring texts "
        "for it are told to try again later.",
        100_000,
        least=1,
        most=100_000_000,
    )
    max_per_sender_minute: int = setting(
        "How many texts a minute are forwarded for one sender, by each process; those beyond are "
        "refused. 0: any number.",
        60,
        least=0,
        most=1_000_000,
    )
    max_per_connector_minute: int = setting(
        "How many texts a minute go out for one voice connector, from each process; those beyond "
        "wait. 0: any number.",
        0,
        least=0,
        most=10_000_000,
    )
    max_characters: int = setting(
        "The longest text that is forwarded, in characters.", 1_530, least=1, most=39_000
    )
    max_media: int = setting(
        "How many pictures and the like a text may have.", 10, least=0, most=100
    )
    keyword_languages: tuple[KeywordLanguage, ...] = setting(
        "Languages whose words for stop, start and help are heeded, beside the English ones.", ()
    )
    closed_reply: str | None = setting(
        "What a participant is told who texts to a session that has ended or that allows no texts. "
        "Left out, nothing." + AT_MOST_HOURLY,
        None,
        example="This number is no longer in use.",
    )
    stop_reply: str | None = setting(
        "What the answer to STOP is. Left out, there is none." + AT_MOST_HOURLY,
        None,
        example="You will get no more texts from this number. START brings them back.",
    )
    start_reply: str | None = setting(
        "What the answer to START is. Left out, there is none." + AT_MOST_HOURLY,
        None,
        example="You will get texts from this number again.",
    )
    help_reply: str | None = setting(
        "What the answer to HELP is. Left out, HELP is forwarded like any other text."
        + AT_MOST_HOURLY,
        None,
        example="Reply STOP to get no more texts from this number.",
    )
