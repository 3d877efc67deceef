"""The bench in its short form: every part of it runs, and every figure is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
NUMBER = r"\d+(\.\d+)?"
FIGURES = {
    "machine": r"- machine: .+, \d+ cores",
    "versions": r"- versions: .*Kamailio \d.*rtpengine \d.*wrk \d",
    "health": rf"\| /health +\| +{NUMBER} \| +{NUMBER} \|",
    "reads": rf"\| signed GetProxySession +\| +{NUMBER} \| +{NUMBER} \|",
    "reads' ratio": rf"GetProxySession / health: {NUMBER} × the requests/s, {NUMBER} × the CPU",
    "writes": rf"\| CreateProxySession +\| +{NUMBER} \|",
    "raw driver": rf"\| sqlite3, a commit for each +\| +{NUMBER} \| +{NUMBER} \|",
    "raw driver, grouped": rf"\| sqlite3, a commit for 32 +\| +{NUMBER} \| +{NUMBER} \|",
    "disk": rf"fdatasync of 12 KiB\): p50 {NUMBER} ms, p99 {NUMBER} ms",
    "growth, SQLite": rf"on SQLite.*\n(.*\n)+?\| create +\|( +{NUMBER} \|){{4}}",
    "growth, PostgreSQL": rf"on PostgreSQL.*\n(.*\n)+?\| list +\|( +{NUMBER} \|){{4}}",
    "growth's verdict": r"create and get with 1000 open sessions cost at most \d.*bound of 1.5",
    "neighbour": rf"\| DescribeThing +\|( +{NUMBER} \|){{2}}",
    "ratio to the bare relay": rf"masked \+ rtpengine / bare relay, all: {NUMBER} ×",
    "texts, Kannel": rf"\| Kannel, unmasked +\|( +[\d,]+ \|)( +{NUMBER}( µs)? \|){{3}}",
    "texts, SQLite": rf"\| Maskline on SQLite +\|( +[\d,]+ \|)( +{NUMBER}( µs)? \|){{3}}",
    "texts, PostgreSQL": rf"\| Maskline on PostgreSQL +\|( +[\d,]+ \|)( +{NUMBER}( µs)? \|){{3}}",
    "mask": rf"\| all +\|( +\|){{3}}( +{NUMBER} \|){{2}}",
    "selection": r"sessions +pool +people +choose µs +create µs",
    "numbers": r"population +behaviour +D +shared(.*\n)+ +even +AvoidSticky( +\d+){4} ",
}
WAYS = (
    "bare relay",
    "masked",
    "masked, PostgreSQL",
    r"bare relay \+ rtpengine",
    r"masked \+ rtpengine",
)


def test_every_figure_is_printed() -> None:
    command = [sys.executable, "bench", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, figure in {**FIGURES, **calls()}.items():
        assert re.search(figure, done.stdout), f"{name}\n{done.stdout}"


def calls() -> dict[str, str]:
    """A row in each of three tables for each way that calls take."""
    number = rf" +{NUMBER} \|"
    found = {}
    for way in WAYS:
        row = rf"\| {way} +\|"
        found[f"CPU, {way}"] = rf"{row}({number}){{8}}"
        found[f"delay, {way}"] = rf"{row}({number}){{2}} +[+-]?[\d.]* \| +[+-]?[\d.]* \|\n"
        found[f"rate, {way}"] = rf"{row} +\d+ \| +[^|]+ \|\n"
    return found
