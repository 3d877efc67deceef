"""Carriers: what every node says about their trunks, kept for all processes to read."""

import json
from collections.abc import Mapping
from typing import Any

from maskline.clock import DAY, MINUTE
from maskline.domain.health import State
from maskline.operations.context import Answer, Context, Request
from maskline.operations.tenancy import require_operator

FRESH = MINUTE  # a node that has said nothing for so long may be gone


def put_carrier_reports(
    context: Context, node: str, reports: Mapping[str, Mapping[str, Any]]
) -> None:
    """Keeps what a node knows of its trunks in place of what it knew before."""
    for carrier, report in reports.items():
        context.tx.run(
            "put_carrier_report",
            node=node,
            carrier=carrier,
            reported_at=context.now,
            report=json.dumps(report),
        )


def purge_carrier_reports(context: Context) -> int:
    """Forgets nodes that have been gone for a day; gives the number of reports."""
    return context.tx.run("purge_carrier_reports", reported_before=context.now - DAY)


def list_carriers(context: Context, request: Request) -> Answer:
    """Every carrier of the settings, and what the nodes last said of its trunk."""
    require_operator(context)
    return {"Carriers": [shown(context, name) for name in context.policy.carriers]}


def carriers_down(context: Context) -> set[str]:
    """Carriers that no node can reach, as far as any said so of late."""
    return {name for name in context.policy.carriers if is_down(context, name)}


def is_down(context: Context, carrier: str) -> bool:
    states = [
        report["State"]
        for report in reports_of(context, carrier)
        if context.now - report["ReportedTimestamp"] <= FRESH
    ]
    return bool(states) and all(state == State.DOWN for state in states)


def last_seen_up(context: Context) -> int | None:
    """When any node last looked at a place of any carrier that is up."""
    looks = [
        target["CheckedTimestamp"] or 0
        for carrier in context.policy.carriers
        for report in reports_of(context, carrier)
        for target in report["Targets"]
        if target["State"] == State.UP
    ]
    return max(looks, default=0) or None


def reports_of(context: Context, carrier: str) -> list[dict[str, Any]]:
    return [
        {
            "Node": row["node"],
            "ReportedTimestamp": row["reported_at"],
            **json.loads(row["report"]),
        }
        for row in context.tx.all("list_carrier_reports", carrier=carrier)
    ]


def shown(context: Context, name: str) -> dict[str, Any]:
    way = context.policy.way(name)
    live = context.tx.one("count_live_calls_over_carrier", carrier=name)
    assert live is not None, name
    return {
        "Name": name,
        "LiveCalls": live["calls"],
        "MaxCalls": way.max_calls or None,
        "MaxCallsPerSecond": way.max_calls_per_second or None,
        "FailoverCarriers": list(way.failover) or None,
        "Prefixes": list(way.prefixes) or None,
        "Nodes": [
            {**report, "Targets": [compact(target) for target in report["Targets"]]}
            for report in map(compact, reports_of(context, name))
        ],
    }


def compact(members: Mapping[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in members.items() if value is not None}
