"""Pictures are drawn in processes that give way to all others, and end."""

import asyncio
import gc
import io
import os
import sys
from pathlib import Path

import pytest
import uvloop
from PIL import Image

from maskline.sms import drawing
from maskline.sms.drawing import drawn
from maskline.sms.pictures import NotAPicture, drawn_anew

# The same process, but for what it does with the picture.
INSTEAD = """
import os, resource, sys
from maskline.sms import drawing
def instead(content, most_bytes):
    {}
drawing.drawn_anew = instead
sys.exit(drawing.main(sys.argv[1]))
"""


def draw_instead(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(drawing, "COMMAND", (sys.executable, "-c", INSTEAD.format(what)))


async def test_a_picture_is_drawn_as_if_it_were_here() -> None:
    into = io.BytesIO()
    Image.effect_noise((90, 60), 60).convert("RGB").save(into, "WEBP")
    assert await drawn(into.getvalue(), 100_000) == drawn_anew(into.getvalue(), 100_000)
    with pytest.raises(NotAPicture, match=r"^too-large$"):
        await drawn(into.getvalue(), 100)
    with pytest.raises(NotAPicture, match=r"^UnidentifiedImageError$"):
        await drawn(b"BEGIN:VCARD", 100)


def test_so_it_is_in_the_loop_that_the_service_has() -> None:
    into = io.BytesIO()
    Image.effect_noise((9, 6), 60).save(into, "PNG")
    assert uvloop.run(drawn(into.getvalue(), 100_000))[0] == "image/png"


async def test_it_gives_way_is_bounded_and_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLINE_SECRET", "secret")
    told = "os.nice(0), *(resource.getrlimit(what)[0] for what in drawing.LIMITS)"
    draw_instead(monkeypatch, f"return str([{told}, *os.environ.values()]), content")
    expected = [os.nice(0) + drawing.NICENESS, *drawing.LIMITS.values()]
    kind, content = await drawn(b"x", 1)
    assert content == b"x"
    assert kind.startswith(str(expected)[:-1])
    assert "secret" not in kind


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(1)", "bytes(1 << 31)"])
async def test_one_that_is_too_much_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    draw_instead(monkeypatch, end)
    with pytest.raises(NotAPicture, match=r"^too-much-work$"):
        await drawn(bytes(1_000_000), 1)


async def test_an_operator_may_allow_it_less(monkeypatch: pytest.MonkeyPatch) -> None:
    less = 'ulimit -v 800000; exec "$0" "$@"'
    monkeypatch.setattr(drawing, "COMMAND", ("/bin/sh", "-c", less, *drawing.COMMAND))
    into = io.BytesIO()
    Image.effect_noise((9, 6), 60).save(into, "PNG")
    assert (await drawn(into.getvalue(), 100_000))[0] == "image/png"


async def test_where_no_process_can_be_started_no_picture_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But the words do."""
    monkeypatch.setattr(drawing, "COMMAND", ("/nowhere/python",))
    with pytest.raises(NotAPicture, match=r"^no-process$"):
        await drawn(b"", 1)


async def test_one_that_is_ended_while_it_reads_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: broken.append(told))
    monkeypatch.setattr(drawing, "COMMAND", ("/bin/sleep", "60"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await drawn(bytes(1_000_000), 1)
    gc.collect()
    await asyncio.sleep(0)
    assert broken == []


async def test_it_ends_when_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draw_instead(
        monkeypatch, f"os.mkfifo({str(tmp_path / 'begun')!r}); __import__('time').sleep(60)"
    )
    before = children()
    drawing_it = asyncio.create_task(drawn(b"", 1))
    async with asyncio.timeout(20):
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
    drawing_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing_it
    assert children() <= before  # other tests' PostgreSQL, say


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
