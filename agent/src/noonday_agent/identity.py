"""Which start of which agent this is: the boot number, and the lock that keeps it the only one on its state folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from noonday_shared.errors import BadInput, Permanent
from noonday_shared.files import write_whole


class OnlyOne:
    """Held while the agent lives; the kernel lets go of it when the agent dies, however it dies."""

    def __init__(self, state_dir: Path) -> None:
        """Raises `Permanent` when another agent runs on this folder, `BadInput` when the folder can't be used."""
        self._path = state_dir / "agent.lock"
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(state_dir, error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = os.pread(self._fd, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise Permanent(
                f"Another agent (pid {other}) runs with the state folder {state_dir}.",
                rule="second-agent",
                next_action="stop it first, or give this one a state_dir of its own in agent.toml",
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._fd)


def running_pid(state_dir: Path) -> int | None:
    """The agent that holds the lock now, or None."""
    try:
        with (state_dir / "agent.lock").open("r", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read(20) or 0)
    except (OSError, ValueError):
        return None
    return None


def next_boot(state_dir: Path, now: float) -> int:
    """A number greater than that of any earlier start, also when the clock went back or the folder was lost."""
    path = state_dir / "boot"
    try:
        before = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        before = 0
    boot = max(before + 1, int(now))
    try:
        write_whole(path, f"{boot}\n", mode=0o600)
    except OSError as error:
        raise _unusable(state_dir, error) from error
    return boot


def _unusable(state_dir: Path, error: OSError) -> BadInput:
    return BadInput(
        f"The state folder {state_dir} can't be used: {error.strerror}.",
        rule="state-dir",
        next_action="make it, owned by the agent's user, or set state_dir in agent.toml",
    )
