"""SMPP 3.4: its PDUs, the session of a bind, delivery receipts, the link to a carrier."""
