"""A release's hooks: its own executables, run on this host at fixed moments."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from noonday_agent.commands import CommandResult, minimal_env, run_command
from noonday_agent.config import Hooks
from noonday_agent.underway import Underway
from noonday_shared.errors import Deadline, Permanent
from noonday_shared.files import write_whole
from noonday_shared.names import ReleaseRef

log = logging.getLogger(__name__)

_LOGGED = 1 << 20
_SHOWN = 1500


@dataclass(frozen=True, slots=True)
class HookCall:
    """`hook`: its moment, as in 'pre_activate'. `file`: the executable, from `release_dir`. `previous`: or None."""

    hook: str
    file: str
    app: str
    host: str
    rollout: str
    release_dir: Path
    release: ReleaseRef
    previous: ReleaseRef | None
    cancelled: Callable[[], bool] = lambda: False
    """Whether something else is asked of the host by now: then the hook's time is over."""

    def env(self, user: str) -> dict[str, str]:
        """All that the hook gets. Releases are told by their version."""
        return minimal_env(
            user,
            NOONDAY_APP=self.app,
            NOONDAY_HOST=self.host,
            NOONDAY_ROLLOUT=self.rollout,
            NOONDAY_RELEASE=self.release.version,
            NOONDAY_PREVIOUS=self.previous.version if self.previous else "",
        )

    def log_file(self, state_dir: Path) -> Path:
        return state_dir / "hooks" / f"{self.app}-{self.release.id}-{self.hook}.log"


def run_hook(call: HookCall, settings: Hooks, state_dir: Path, underway: Underway | None = None) -> CommandResult:
    """Run it in the release's folder; its output is kept in `call.log_file(state_dir)`. Blocks at most `within` + 3 s.

    What it leaves running in its process group is ended with it. Noted in `underway` while it runs. Raises `Permanent`
    when it is missing, can't be run, fails or is cancelled, and `Deadline` when it takes too long. It runs again when a
    step is repeated, so it must bear that.
    """
    result = _run(call, settings, underway)
    kept = _keep(result.output_tail, call.log_file(state_dir))
    said = result.output_tail[-_SHOWN:].strip() or "nothing"
    if result.cancelled:
        raise Permanent(
            f"Hook {call.hook} ({call.file}) was ended after {result.seconds:.0f} s with all that it had started: "
            f"something else is asked of this host now, or its agent was told to stop. It said: {said}",
            rule="hook-cancelled",
            next_action=f"read {kept}: it may have done a part of its work",
        )
    if result.timed_out:
        raise Deadline(
            f"Hook {call.hook} ({call.file}) had not ended after {settings.within:g} s and was killed with all that "
            f"it had started. It said: {said}",
            rule="hook-deadline",
            next_action=f"read {kept}; mend the hook, or raise hooks.within in agent.toml",
        )
    if not result.ok:
        raise Permanent(
            f"Hook {call.hook} ({call.file}) failed with {result.exit}. It said: {said}",
            rule="hook-failed",
            next_action=f"read {kept}; mend the hook in the release",
        )
    return result


def _run(call: HookCall, settings: Hooks, underway: Underway | None) -> CommandResult:
    program = _program(call)
    try:
        return run_command(
            [str(program)],
            within=settings.within,
            env=call.env(settings.user),
            user=settings.user,
            cwd=call.release_dir,
            max_output=_LOGGED,
            cancelled=call.cancelled,
            underway=underway,
        )
    finally:
        if underway is not None:
            underway.ended()


def _program(call: HookCall) -> Path:
    folder = call.release_dir.resolve()
    program = (folder / call.file).resolve()
    if not program.is_relative_to(folder):
        raise _unusable(call, "leads out of the release")
    if not program.is_file():
        raise _unusable(call, "is not in the release")
    if not os.access(program, os.X_OK):
        raise _unusable(call, "is not executable")
    return program


def _unusable(call: HookCall, why: str) -> Permanent:
    return Permanent(
        f"Hook {call.hook} can't be run: {call.file} {why}.",
        rule="hook-missing",
        next_action="mend hooks in release.toml, or the file in the release, and build it again",
    )


def _keep(output: str, file: Path) -> Path:
    """A disk that is full must not make a good hook a bad one."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, output, mode=0o600)
    except OSError as error:
        log.warning("the output of a hook can't be kept in %s: %s", file, error)
    return file
