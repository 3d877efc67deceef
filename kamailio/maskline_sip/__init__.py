"""What runs inside Kamailio: it reads requests, asks for a decision, and masks.

Debian's Python interpreter runs this package inside every Kamailio worker; it
imports the standard library and `cryptography`, nothing else.
"""
