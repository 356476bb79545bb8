"""Every error a person may see, and what belongs in it.

NoondayError
├── BadInput        what a person, file or message gave us can't be used; nothing was changed
├── Temporary       the world is not ready; trying again may help
│   └── Deadline    a wait ended without what was awaited
└── Permanent       trying again can't help; something has to be mended first

Every error names the rule that was broken and what to do next; host and step are added where they are known.
"""

from __future__ import annotations

from dataclasses import dataclass


class NoondayError(Exception):
    """`text`: a whole sentence. `rule`: a short stable name. `next_action`: what a person runs or mends."""

    rule = "error"

    def __init__(self, text: str, *, next_action: str = "", rule: str = "", host: str = "", step: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.next_action = next_action
        self.rule = rule or type(self).rule
        self.host = host
        self.step = step

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.host, self.step) if part)
        lead = f"{where}: " if where else ""
        return f"{lead}{self.text}" + (f" Next: {self.next_action}" if self.next_action else "")


class BadInput(NoondayError):
    rule = "bad-input"


class Temporary(NoondayError):
    rule = "temporary"


class Deadline(Temporary):
    rule = "deadline"


class Permanent(NoondayError):
    rule = "permanent"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as a value: what the journal keeps and a snapshot reports."""

    rule: str
    step: str
    text: str
    next_action: str = ""

    @classmethod
    def of(cls, error: NoondayError, step: str) -> Trouble:
        return cls(error.rule, error.step or step, error.text, error.next_action)

    def __str__(self) -> str:
        return f"{self.step}: {self.text}" + (f" Next: {self.next_action}" if self.next_action else "")
