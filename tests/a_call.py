"""A call that was put through, as its record begins."""

from maskline.domain.call import Call

CALL = Call(
    call_id="1",
    account_id="a",
    voice_connector_id="c",
    proxy_session_id="s",
    proxy_session_name=None,
    carrier="acme",
    caller="+12065550100",
    dialled="+19135550199",
    outbound_carrier="acme",
    called="+14015550101",
    shown="+19135550199",
    decision="Connect",
    reason="session",
    received_at=1000,
    forwarded_at=1000,
    max_call_seconds=60,
)
