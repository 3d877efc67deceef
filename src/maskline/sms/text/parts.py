"""Long texts from their parts, of which some may be missing.

The parts of a text have the same source, destination, reference and number of parts. Where they
are kept until all are there is the relay's business.
"""

from collections.abc import Mapping

from maskline.sms.text.reading import join

MISSING = "[...]"  # stands in a text for parts that never came; every alphabet has it


def joined(here: Mapping[int, str], total: int) -> str:
    """The text that the parts make, from 1 to `total`; `MISSING` stands where some are not here.

    A character that was cut in two between parts is whole again.
    """
    runs: list[str] = []
    for number in range(1, total + 1):
        if number in here:
            runs.append(here[number])
        elif not runs or runs[-1] is not MISSING:
            runs.append(MISSING)
    return join(runs)
