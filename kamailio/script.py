"""The file that Kamailio loads (`modparam("app_python3", "load", …)`)."""

import os

from maskline_sip.routes import Routes
from maskline_sip.settings import Settings


def mod_init() -> Routes:
    return Routes(Settings.load(os.environ["MASKLINE_SIP_SETTINGS"]))
