"""What the settings decide for operations."""

from maskline.clock import HOUR
from maskline.domain.connector import Assignment, Ceilings, Rules, TextRules, UnknownCaller
from maskline.domain.trunk import NumberFormat, WayOut
from maskline.operations.context import Policy, Quotas, TextPolicy
from maskline.settings import CarrierSip, Settings
from maskline.settings.texts import Texts


def policy_of(chosen: Settings) -> Policy:
    """The settings as far as they concern operations."""
    return Policy(
        max_session_minutes=chosen.max_session_minutes,
        closed_session_retention_days=chosen.closed_session_retention_days,
        call_retention_days=chosen.call_retention_days,
        audit_retention_days=chosen.audit_retention_days,
        recording_retention_days=chosen.recording.retention_days,
        quotas=Quotas(**vars(chosen.quotas)),
        carriers=tuple(carrier.name for carrier in chosen.carriers),
        carriers_down={one.name for one in chosen.carriers if one.sip is None},
        barred_prefixes=chosen.barred_prefixes,
        enforce_encryption=chosen.enforce_encryption,
        ways={name: way_of(trunk) for name, trunk in chosen.trunks.items()},
        rules=rules_of(chosen),
        text_carriers={one.name for one in chosen.carriers if one.ways_of_texts},
        texts=text_policy(chosen.texts),
    )


def rules_of(chosen: Settings) -> Rules:
    """What holds for a connector that has no rules of its own."""
    found = Rules(
        number_assignment=Assignment(chosen.number_assignment),
        number_rest_minutes=chosen.number_rest_minutes,
        unknown_caller=UnknownCaller(chosen.unknown_caller),
        hang_up_on_delete=chosen.hang_up_on_delete,
        hang_up_on_expiry=chosen.hang_up_on_expiry,
        max_ring_seconds=chosen.max_ring_seconds,
        max_call_seconds=chosen.max_call_minutes * 60,
        record_calls=chosen.record_calls,
        max_calls=chosen.max_calls,
        max_calls_per_second=chosen.max_calls_per_second,
        max_calls_per_caller=chosen.max_calls_per_caller,
        max_calls_per_caller_per_second=chosen.max_calls_per_caller_per_second,
        texts=text_rules(chosen.texts),
        ceilings=ceilings_of(chosen),
    )
    return found.bounded()


def ceilings_of(chosen: Settings) -> Ceilings:
    told = dict(vars(chosen.ceilings))
    return Ceilings(max_call_seconds=told.pop("max_call_minutes") * 60, **told)


def text_policy(chosen: Texts) -> TextPolicy:
    return TextPolicy(
        validity_milliseconds=chosen.validity_hours * HOUR,
        doubt_milliseconds=chosen.doubt_seconds * 1000,
        parts_milliseconds=chosen.parts_timeout_seconds * 1000,
        dead_letter_milliseconds=chosen.dead_letter_hours * HOUR,
        retention_days=chosen.message_retention_days,
    )


def text_rules(chosen: Texts) -> TextRules:
    return TextRules(
        keep_days=chosen.keep_days,
        closed_reply=chosen.closed_reply or "",
        stop_reply=chosen.stop_reply or "",
        start_reply=chosen.start_reply or "",
        help_reply=chosen.help_reply or "",
        keyword_languages=chosen.keyword_languages,
        max_characters=chosen.max_characters,
        max_media=chosen.max_media,
        max_per_minute=chosen.max_per_connector_minute,
    )


def way_of(trunk: CarrierSip) -> WayOut:
    return WayOut(
        failover=trunk.failover_carriers,
        prefixes=trunk.prefixes,
        number_format=NumberFormat(trunk.number_format),
        country=trunk.country,
        max_calls=trunk.max_calls,
        max_calls_per_second=trunk.max_calls_per_second,
        encrypted=trunk.encrypted,
    )
