"""A command that is refused: nothing was changed by it."""

from __future__ import annotations

from noonday_shared.errors import BadInput


def refused(rule: str, text: str, next_action: str) -> BadInput:
    """`text`: why, without its full stop. `next_action`: what to run next."""
    return BadInput(f"Refused: {text}.", rule=rule, next_action=next_action)
