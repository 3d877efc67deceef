"""`python -m maskline.settings` prints docs/guides/configuration.md."""

import sys

from maskline.settings.document import guide

sys.stdout.write(guide())
