"""The carrier of the bench of texts: brings texts, takes them back, sends receipts, in a process of
its own. `python texts_peer.py COUNT PAIRS.json` prints its port, and what happened when it is done.

A text is done when its receipt is answered.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from smsc import Manners, Smsc, Text

WORDS = b"Your driver is two minutes away, white van, by the main gate."
SETTLE_SECONDS = 0.01


async def main(count: int, pairs: list[tuple[str, str]]) -> None:
    smsc = Smsc(Manners(receipt_form="both", window=1000))
    smsc.remember = False
    await smsc.start()
    print(smsc.port, flush=True)
    while not smsc.counts["binds"]:  # noqa: ASYNC110  it has no event for this
        await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.sleep(0.5)
    # A first few make everybody ready.
    warm = min(count // 10, 500)
    await carry(smsc, pairs, warm, 0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began = time.perf_counter()
    await carry(smsc, pairs, count, warm)
    seconds = time.perf_counter() - began
    now = resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "counts": smsc.counts}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await smsc.stop()


async def carry(smsc: Smsc, pairs: list[tuple[str, str]], count: int, first: int) -> None:
    taken = smsc.counts["taken"] + count
    for number in range(count):
        source, destination = pairs[number % len(pairs)]
        smsc.send(Text(source, destination, b"%d %b" % (first + number, WORDS)))
    while smsc.counts["taken"] < taken or not smsc.delivered:  # noqa: ASYNC110  nor for this
        await asyncio.sleep(SETTLE_SECONDS)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
