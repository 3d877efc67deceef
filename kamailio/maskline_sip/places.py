"""Where streams want their sound to be sent: told, told as nowhere, or left to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import dtls, sdp
from .sdp import Description, Stream, is_no_place

NOWHERE = "IP4 0.0.0.0"


def placed(description: Description, places: Sequence[tuple[str, int]]) -> Description:
    """The description with these addresses and ports for the streams that tell no place."""
    streams = _at(description, places, nowhere=True)
    general = "" if is_no_place(description.address) else description.address
    return replace(description, address=general, streams=streams)


def moved_back(
    given: Description, places: Sequence[tuple[str, int]], before: Description | None = None
) -> Description | None:
    """The description with these addresses and ports for the streams that have a place, or the one
    `before` it, whose keys may be others, with these; None where that would say the same."""
    back = placed(before, places) if before else given
    back = replace(back, streams=_at(back, places, nowhere=False))
    return back if _ways(back) != _ways(given) else None


def _at(
    description: Description, places: Sequence[tuple[str, int]], *, nowhere: bool
) -> list[Stream]:
    """The streams, those `nowhere`, or those that have a place, at these addresses and ports."""
    streams = list(description.streams)
    for index, (stream, (address, port)) in enumerate(zip(streams, places, strict=False)):
        if not stream.port or stream.tunnelled:
            continue
        if is_no_place(description.place(stream)) == nowhere:
            family = "IP6" if ":" in address else "IP4"
            streams[index] = replace(stream, address=f"{family} {address}", port=port)
    return streams


def _ways(description: Description) -> list[tuple[object, ...]]:
    """Where streams are wanted, and how they are encrypted."""
    return [
        (description.place(stream), stream.port, stream.profile, stream.keys)
        for stream in description.streams
    ]


def unplaced(description: Description) -> Description:
    """What a party sent, without the places of its tunnelled streams, and without names of streams
    that it does not bundle. A port and address of nowhere are those of RFC 8838 4.1.1."""
    if not any(stream.tunnelled for stream in description.active):
        return description
    streams = [
        replace(stream, port=sdp.NO_PORT, address=NOWHERE, dtls=_nowhere(stream, description))
        if stream.port and stream.tunnelled
        else stream
        for stream in description.streams
    ]
    alone = all(stream.tunnelled for stream in description.active)
    return replace(description, address="" if alone else description.address, streams=streams)


def _nowhere(stream: Stream, description: Description) -> dtls.Dtls:
    mid = stream.dtls.mid if stream.dtls.mid in description.bundled else ""
    return replace(stream.dtls, mid=mid, candidates=())


def at_one_place(description: Description) -> Description:
    """Of what the engine offers to a browser the one way that it names itself. It would hear the
    browser elsewhere if another one is found, and a recording is made of what it hears there."""
    streams = []
    for stream in description.streams:
        here = (description.place(stream).partition(" ")[2], str(stream.port))
        kept = tuple(one for one in stream.dtls.candidates if one[2:] == here)
        streams.append(replace(stream, dtls=replace(stream.dtls, candidates=kept)))
    return replace(description, streams=streams)
