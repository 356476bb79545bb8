"""What travels: assignments down, state snapshots and evidence up."""

from noonday_shared.messages.assignment import Assignment, Goal
from noonday_shared.messages.claim import Claim
from noonday_shared.messages.evidence import Evidence, LogLine, Template
from noonday_shared.messages.snapshot import AppSnapshot, Outcome, Phase, Snapshot, TroubleReport

__all__ = [
    "AppSnapshot",
    "Assignment",
    "Claim",
    "Evidence",
    "Goal",
    "LogLine",
    "Outcome",
    "Phase",
    "Snapshot",
    "Template",
    "TroubleReport",
]
