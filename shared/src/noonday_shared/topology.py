"""Names on the broker. Only the coordinator declares them; agents declare nothing."""

from __future__ import annotations

REPORTS = "noonday.reports"
"""Topic exchange for everything that agents send."""

STATE_QUEUE = "noonday.coordinator.state"
EVIDENCE_QUEUE = "noonday.coordinator.evidence"
STATE_KEYS = "report.*.state"
EVIDENCE_KEYS = "report.*.evidence"

AGENT_QUEUE_LENGTH = 16
"""Only the newest assignment of each app counts, so a host's queue drops its oldest beyond this."""

STATE_QUEUE_LENGTH = 20_000
EVIDENCE_QUEUE_BYTES = 64 << 20


def agent_queue(host: str) -> str:
    return f"noonday.agent.{host}"


# A host name may hold dots, which part the words of a routing key, so they travel as '_' (never in a host name).
def state_key(host: str) -> str:
    return f"report.{host.replace('.', '_')}.state"


def evidence_key(host: str) -> str:
    return f"report.{host.replace('.', '_')}.evidence"
