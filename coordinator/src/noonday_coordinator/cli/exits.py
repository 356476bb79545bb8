"""What the `noonday` command says by its exit status, so that scripts and CI systems can act on it."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    """Done; also when there was nothing to do."""
    UNEXPECTED = 1
    """The coordinator can't be reached, or something broke that nobody foresaw."""
    REFUSED = 2
    """Bad input, or refused; nothing was changed."""
    ROLLED_BACK = 3
    """The rollout was rolled back; of plain logs, it would have been."""
    FAILED = 4
    """A rollout failed, was aborted or superseded, `doctor` found something to mend, `replay` did not say the same."""
    ASKS = 5
    """The rollout waits for a person; of plain logs, it would have held."""
    PARTLY = 6
    """The rollout is done, but for hosts that were left out."""
    LEFT = 130
    """Left with Ctrl-C; what was started goes on."""


def of_rollout(end: str, *, left_out: bool = False) -> Exit:
    """For the end of a rollout, in the API's words. `left_out`: it went on without some hosts."""
    match end:
        case "done":
            return Exit.PARTLY if left_out else Exit.DONE
        case "rolled-back":
            return Exit.ROLLED_BACK
        case _:
            return Exit.FAILED
