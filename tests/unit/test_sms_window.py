"""The texts under way: one outcome for each, whatever befalls it."""

import asyncio

from inbox import Inbox

from maskline.sms.port import Accepted, Outcome, Outgoing, Unknown
from maskline.sms.window import Window

TAKEN = Accepted(message_ids=("theirs",))


def text(name: str) -> Outgoing:
    return Outgoing(
        message_id=name, reference=1, source="+1", destination="+2", text=name, expires_at=0
    )


class Peer:
    """Takes one text at once, fails at the next, and keeps silent about the others until told."""

    def __init__(self) -> None:
        self.silent = asyncio.Event()
        self.ended = 0
        self.window = Window("acme", 4, self.send, self.note)

    async def send(self, text: Outgoing) -> Outcome:
        if text.message_id == "taken":
            return TAKEN
        if text.message_id == "failed":
            raise RuntimeError("a fault of the link's")
        await self.silent.wait()
        return TAKEN

    def note(self) -> None:
        self.ended += 1


async def test_each_text_has_one_outcome_when_the_window_closes() -> None:
    peer, inbox = Peer(), Inbox()
    async with peer.window.open(inbox):
        peer.window.submit([text(name) for name in ("taken", "failed", "silent")])
        assert peer.window.room == 1
        while peer.window.room < 3:
            await asyncio.sleep(0)
        peer.window.submit([text("not even begun")])
    assert inbox.outcomes == {
        "taken": TAKEN,
        "failed": Unknown(reason="failure"),
        "silent": Unknown(reason="stopped"),
        "not even begun": Unknown(reason="stopped"),
    }
    assert inbox.batches == [2, 2]  # what comes together is settled together
    assert (peer.ended, peer.window.room) == (2, 0)


async def test_what_is_submitted_to_a_closed_window_is_told_when_it_opens() -> None:
    peer, inbox = Peer(), Inbox()
    async with peer.window.open(inbox):
        pass
    peer.window.submit([text("taken")])
    await peer.window.drain()
    assert inbox.outcomes == {}
    async with peer.window.open(inbox):
        assert inbox.outcomes == {"taken": TAKEN}
        peer.window.submit([text("failed")])
        while len(inbox.outcomes) < 2:
            await asyncio.sleep(0)


async def test_a_window_that_drains_waits_for_its_texts_and_takes_no_more() -> None:
    peer, inbox = Peer(), Inbox()
    async with peer.window.open(inbox):
        peer.window.submit([text("silent")])
        draining = asyncio.create_task(peer.window.drain())
        await asyncio.sleep(0)
        assert peer.window.room == 0
        assert not draining.done()
        peer.silent.set()
        await draining
        await asyncio.sleep(0)
        assert inbox.outcomes == {"silent": TAKEN}
    assert peer.ended == 0
