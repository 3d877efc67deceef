"""Processes that share a store, customers that want the same few numbers, and kills: afterwards
what the customers saw is held against every row. `make soak` plays it long."""

import os
from collections import Counter
from pathlib import Path

import pytest
from cluster import Cluster
from crowd.history import faults
from crowd.stage import Stage

# Creates at each process, in the long form.
SOAK = int(os.environ.get("MASKLINE_SOAK", "0"))


def play(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.prepare()
    facts = stage.play()
    found = [*faults(facts, stored := stage.stored())]
    kinds = Counter(f"{fact['kind']} {fact.get('code') or fact['status']}" for fact in facts)
    first, last = min(f["sent"] for f in facts), max(f.get("answered", 0) for f in facts)
    expired = sum(
        row["ended_at"] in (None, row["expires_at"]) and first <= row["expires_at"] <= last
        for row in stored.sessions.values()
    )
    with capsys.disabled():
        print(
            f"\n{stage.processes} processes, {stage.kills} kills, {len(facts)} requests in"
            f" {(last - first) / 1000:.0f} s: {dict(kinds)}; of {len(stored.sessions)} sessions"
            f" {expired} expired meanwhile, {len(found)} faults"
        )
    assert not found, "\n".join(found[:20])
    assert kinds["create 201"] > 0
    assert kinds["create ResourceLimitExceeded"] > 0
    assert expired > 0


def test_processes_over_one_postgresql(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(durable=SOAK > 0)
    try:
        url = cluster.new_database()
        sizes = (8, SOAK, SOAK // 100) if SOAK else (3, 200, 3)
        play(Stage(tmp_path, url, *sizes), capsys)
    finally:
        cluster.stop()


def test_one_process_over_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:{tmp_path}/maskline.db"
    sizes = (1, SOAK, SOAK // 400) if SOAK else (1, 500, 2)
    play(Stage(tmp_path, url, *sizes), capsys)
