"""How long a command takes from its start to its end: ours beside the real AWS CLI.

Usage: python bench/commands.py [--rounds 15]

A signed get-proxy-session, asked by each in turns of one live server. The AWS CLIs are those that
tools/client-venvs installs; one that is missing is left out.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from contract.cli_live import live_server  # noqa: E402  the tests had to be found first

ASK = ["get-proxy-session", "--voice-connector-id", "CONNECTOR", "--proxy-session-id", "SESSION"]
PROGRAMS = {
    "maskline": (Path(sys.executable).with_name("maskline"), "chime"),
    "aws, newest version 1": (ROOT / "build/clients/awscli-newest/bin/aws", "chime-sdk-voice"),
    "aws 1.38.1": (ROOT / "build/clients/awscli-1.38.1/bin/aws", "chime"),
    "python -c pass": (Path(sys.executable), "-c"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is started")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, live_server(Path(folder)) as live:
        os.environ.update(live.environment())
        connector, session = prepare()
        ask = [{"CONNECTOR": connector, "SESSION": session}.get(word, word) for word in ASK]
        commands = {
            name: [str(path), service, *(["pass"] if service == "-c" else ask)]
            for name, (path, service) in PROGRAMS.items()
            if path.exists()
        }
        show(timed(commands, rounds))


def prepare() -> tuple[str, str]:
    """A voice connector and a proxy session to ask for; their ids."""
    numbers = ["+12065550198", "+12065550199"]
    run(
        "admin",
        "import-phone-numbers",
        "--carrier-name",
        "acme",
        "--shared",
        "--e164-phone-numbers",
        *numbers,
    )
    connector = picked(
        "VoiceConnector.VoiceConnectorId",
        "create-voice-connector",
        "--name",
        "bench",
        "--no-require-encryption",
    )
    on = ["--voice-connector-id", connector]
    run(
        "chime",
        "put-voice-connector-proxy",
        *on,
        "--default-session-expiry-minutes",
        "60",
        "--phone-number-pool-countries",
        "US",
    )
    session = picked(
        "ProxySession.ProxySessionId",
        "create-proxy-session",
        *on,
        "--participant-phone-numbers",
        "+14015550101",
        "+14155550102",
        "--capabilities",
        "Voice",
    )
    return connector, session


def run(*words: str) -> str:
    command = [str(PROGRAMS["maskline"][0]), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def picked(query: str, *words: str) -> str:
    return run("chime", *words, "--query", query, "--output", "text").strip()


def timed(commands: dict[str, list[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of each start, in turns; the first start of each does not count."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for place in range(rounds + 1):
        for name, command in commands.items():
            before, began = children_cpu(), time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            taken = time.perf_counter() - began, children_cpu() - before
            if place:
                found[name].append(taken)
    return found


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(found: dict[str, list[tuple[float, float]]]) -> None:
    ours = median(wall for wall, _ in found["maskline"])
    print("| command | wall ms, median | CPU ms, median | ours is × of it |")
    print("|---|---|---|---|")
    for name, times in found.items():
        wall, cpu = median(w for w, _ in times), median(c for _, c in times)
        print(f"| {name} | {wall * 1000:.0f} | {cpu * 1000:.0f} | {ours / wall:.2f} |")


if __name__ == "__main__":
    main()
