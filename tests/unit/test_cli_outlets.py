"""Where output goes may be full, gone, or of another encoding: what is said then, and the exit."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

PROGRAM = (sys.executable, "-m", "maskline")
# Output is kept back to the end, as it is where nobody asks Python for something else.
ENVIRONMENT = {**os.environ, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": ""}
WORDS = [["help"], ["--version"], ["complete", "--", "ch"], ["completion", "bash"]]


def run(words: Sequence[str | bytes], stdout: int) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*PROGRAM, *words], stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
    )


@pytest.mark.parametrize("words", WORDS)
def test_a_reader_that_has_gone(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(words, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", WORDS)
def test_a_full_disk(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = run(words, full.fileno())
    assert done.returncode == 255
    assert done.stderr == b"\nmaskline: [ERROR]: [Errno 28] No space left on device\n"


def test_words_in_another_encoding() -> None:
    words = b"chime get-proxy-session --proxy-session-id a --voice-connector-id \xff".split()
    done = run([*words, b"--no-sign-request"], subprocess.PIPE)
    assert done.returncode == 255
    assert b"'utf-8' codec can't encode" in done.stderr
    assert b"hint: what was typed" in done.stderr
