"""The settings that bound what an account may have, and what its own rules may allow."""

from dataclasses import dataclass

from maskline.domain.connector import LONGEST_CALL_SECONDS
from maskline.settings.setting import setting


@dataclass(frozen=True)
class Quotas:
    """What each account may have; one more is answered with ResourceLimitExceededException."""

    voice_connectors: int = setting(
        "How many voice connectors an account may have.", 1_000, least=1, most=1_000_000
    )
    voice_connector_groups: int = setting(
        "How many groups of voice connectors an account may have.", 1_000, least=1, most=1_000_000
    )
    access_keys: int = setting(
        "How many access keys an account may have, disabled ones too, and one more to rotate a "
        "key. Each may send api.max_requests_per_second, all together "
        "api.max_account_requests_per_second.",
        50,
        least=2,  # to change from one to the next
        most=10_000,
    )
    phone_numbers: int = setting(
        "How many phone numbers an account may have by its orders, deleted ones too until they are "
        "the operator's again. The operator's own account may order all.",
        1_000,
        least=1,
        most=1_000_000,
    )


@dataclass(frozen=True)
class Ceilings:
    """What no voice connector goes beyond, whatever its own rules (PutVoiceConnectorRules) say."""

    max_calls: int = setting(
        "How many calls any voice connector may have at once. 0: any number.",
        0,
        least=0,
        most=1_000_000,
    )
    max_calls_per_second: int = setting(
        "How many calls a second any voice connector may have, on each node. 0: any number.",
        0,
        least=0,
        most=100_000,
    )
    max_calls_per_caller: int = setting(
        "How many calls one caller may have at once on any voice connector. 0: any number.",
        0,
        least=0,
        most=1_000,
    )
    max_calls_per_caller_per_second: int = setting(
        "How many calls a second one caller may make on any voice connector, on each node. 0: any "
        "number.",
        0,
        least=0,
        most=1_000,
    )
    max_call_minutes: int = setting(
        "How long a call of any voice connector may last.",
        LONGEST_CALL_SECONDS // 60,
        least=1,
        most=LONGEST_CALL_SECONDS // 60,
    )
    max_texts_per_minute: int = setting(
        "How many texts a minute go out for any voice connector, from each process; those beyond "
        "wait. 0: any number.",
        0,
        least=0,
        most=10_000_000,
    )
    record_calls: bool = setting(
        "Whether calls of any voice connector may be recorded; recordings take up your disk.", True
    )
