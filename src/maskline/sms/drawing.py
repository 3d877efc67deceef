"""Pictures drawn anew in a process of its own each, `python -m maskline.sms.drawing`.

Whoever sends a picture chooses how much work it makes, and may know a fault of the library that
reads it. So that process gives way to all others, has a bound on its time and its memory, and none
of our keys. It ends with whoever waits for it.
"""

import asyncio
import os
import resource
import sys
from typing import BinaryIO

from maskline.sms.pictures import NotAPicture, drawn_anew

COMMAND = (sys.executable, "-P", "-m", "maskline.sms.drawing")
ENVIRONMENT = ("PYTHONPATH", "LD_LIBRARY_PATH")  # what Python may need to find all
NICENESS = 10  # calls and texts go first: they get nine tenths of what this would take from them
LIMITS = {
    resource.RLIMIT_CPU: 8,  # seconds
    resource.RLIMIT_AS: 1 << 30,
    resource.RLIMIT_CORE: 0,  # what somebody wrote to somebody is kept nowhere
}


async def drawn(content: bytes, most_bytes: int) -> tuple[str, bytes]:
    """As `drawn_anew`; raises NotAPicture."""
    process = await started(content, most_bytes)
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    head, _, clean = told.partition(b"\n")
    if process.returncode:
        raise NotAPicture(head.decode() or "too-much-work")
    return head.decode(), clean


async def started(content: bytes, most_bytes: int) -> asyncio.subprocess.Process:
    """The process, given the picture as a file: a pipe would break where it is ended."""
    try:
        with in_memory(content) as given:
            return await asyncio.create_subprocess_exec(
                *COMMAND,
                str(most_bytes),
                stdin=given,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                start_new_session=True,  # a signal to the whole service is not for it
            )
    except OSError:  # the machine has no room for one more: that is no reason to lose the words
        raise NotAPicture("no-process") from None


def in_memory(content: bytes) -> BinaryIO:
    """A file that is on no disk, to be read from its beginning."""
    file = open(os.memfd_create("picture"), "w+b")  # noqa: SIM115 - whoever asks closes it
    file.write(content)
    file.seek(0)
    return file


def main(most_bytes: str) -> int:
    """Draws what comes in; a line tells what it is, or why it is nothing."""
    take_bounds()
    try:
        kind, clean = drawn_anew(sys.stdin.buffer.read(), int(most_bytes))
    except NotAPicture as why:
        kind, clean, status = str(why), b"", 1
    else:
        status = 0
    sys.stdout.buffer.write(f"{kind}\n".encode() + clean)
    return status


def take_bounds() -> None:
    """Gives way to others, and takes no more than is allowed, by us and by the operator."""
    os.nice(NICENESS)
    for what, ours in LIMITS.items():
        _, theirs = resource.getrlimit(what)
        most = ours if theirs == resource.RLIM_INFINITY else min(ours, theirs)
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
