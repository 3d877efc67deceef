"""How names of the model are written on the command line."""

import re

_WORD_START = re.compile(r"(.)([A-Z][a-z]+)")
_CAPITAL_RUN = re.compile(r"([a-z0-9])([A-Z])")


def kebab(name: str) -> str:
    """`CreateProxySession` -> `create-proxy-session`, by the rule of the AWS clients.

    >>> kebab("E164PhoneNumbers"), kebab("ListProxySessions")
    ('e164-phone-numbers', 'list-proxy-sessions')
    """
    spaced = _WORD_START.sub(r"\1-\2", name)
    return _CAPITAL_RUN.sub(r"\1-\2", spaced).lower()
