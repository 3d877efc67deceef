"""The states of a session (section 2.2), and who may say what in which."""

from enum import Enum

from maskline.sms.smpp import codes


class State(Enum):
    """Section 2.2, and what is between its states."""

    OPEN = "open"  # connected; no bind was sent yet
    BINDING = "binding"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"  # one has sent unbind, and the other has not answered
    CLOSED = "closed"


ALWAYS = frozenset({codes.ENQUIRE_LINK, codes.UNBIND})
RECEIVING = ALWAYS | {codes.DELIVER_SM, codes.DATA_SM, codes.ALERT_NOTIFICATION}

# The requests that the SMSC may make in each state (section 2.3); a closed session reads nothing.
REQUESTS: dict[State, frozenset[int]] = {
    State.OPEN: ALWAYS | {codes.OUTBIND},
    State.BINDING: ALWAYS | {codes.OUTBIND},
    State.BOUND_TX: ALWAYS,
    State.BOUND_RX: RECEIVING,
    State.BOUND_TRX: RECEIVING,
    State.UNBINDING: ALWAYS,
}
SUBMITTING = frozenset({State.BOUND_TX, State.BOUND_TRX})
# Here a text may cross our request, or the carrier's answer: it is to come again.
BETWEEN = frozenset({State.BINDING, State.UNBINDING})

# What a bind leads to.
BOUND: dict[int, State] = {
    codes.BIND_TRANSMITTER: State.BOUND_TX,
    codes.BIND_RECEIVER: State.BOUND_RX,
    codes.BIND_TRANSCEIVER: State.BOUND_TRX,
}
ANSWERED_BY_RESPONSE = frozenset(
    {*RECEIVING, *BOUND, codes.SUBMIT_SM, 0x03, 0x07, 0x08, 0x21}  # query, replace, cancel, multi
) - {codes.ALERT_NOTIFICATION}
