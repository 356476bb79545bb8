"""Run a command of the host's owner or of a release: in a group of its own, with a deadline, its output kept."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from noonday_agent.underway import GRACE, Underway
from noonday_shared.errors import NoondayError, Permanent, Temporary

log = logging.getLogger(__name__)

_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EIO)
_POLL = 0.01
_LAST_WORDS = 0.2


@dataclass(frozen=True, slots=True)
class CommandResult:
    """`exit`: the status, or the negative number of the signal that ended it. `output_tail`: stdout and stderr, mixed.

    `left_behind`: the command ended, but something it started still holds its output open.
    """

    exit: int
    output_tail: str
    timed_out: bool
    seconds: float
    left_behind: bool = False
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        return self.exit == 0 and not self.timed_out and not self.cancelled


def run_command(
    argv: Sequence[str],
    *,
    within: float,
    env: Mapping[str, str] | None = None,
    user: str = "",
    cwd: Path | None = None,
    max_output: int = 64 << 10,
    leave_children: bool = False,
    cancelled: Callable[[], bool] | None = None,
    underway: Underway | None = None,
) -> CommandResult:
    """Run `argv` without a shell, as `user` (empty: our own), with `env` (None: our own), at most `within` seconds.

    The command counts as ended when it and all that share its output have ended; past the deadline its whole process
    group gets TERM, then KILL `GRACE` seconds later. Whatever else of the group is left at the end is killed as well,
    unless `leave_children`: then it ends with the command itself, and what it started lives on. As soon as `cancelled`
    says so, its time is over. It is noted in `underway`, where only the caller knows when nothing of it is left.
    Blocks at most `within` + `GRACE` + 1 seconds. Raises `Permanent` when the program, the folder or the user is
    unknown or out of our reach, and `Temporary` when the machine can't start anything now.
    """
    run = _Run(*_start(argv, env, user, cwd, underway), max_output, cancelled or _never)
    try:
        in_time = run.follow(run.exited if leave_children else run.over, within=within)
        if in_time and leave_children:
            run.follow(run.over, within=_LAST_WORDS)
        elif in_time:
            run.signal_group(signal.SIGKILL)
        else:
            run.end_group()
    except BaseException:  # whatever ends us meanwhile, what was started does not live on
        run.signal_group(signal.SIGKILL)
        raise
    finally:
        exit_status = run.reap()
    return CommandResult(
        exit_status,
        run.tail(),
        timed_out=not in_time and not run.cancelled,
        seconds=run.seconds(),
        left_behind=in_time and not run.eof,
        cancelled=run.cancelled,
    )


def minimal_env(user: str = "", **extra: str) -> dict[str, str]:
    """A clean environment for `user` (empty: our own): PATH, LANG, HOME, USER, LOGNAME and `extra`."""
    account = _account(user) if user else _own_account()
    name, home = (account.pw_name, account.pw_dir) if account else ("", "/")
    base = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": home,
        "USER": name,
        "LOGNAME": name,
    }
    return base | extra


class _Run:
    """One started command: its output so far, and whether it has ended. Reaped last, so its group id stays its own."""

    def __init__(
        self, child: subprocess.Popen[bytes], output: int, max_output: int, cancelled: Callable[[], bool]
    ) -> None:
        self._child = child
        self._asks = cancelled
        self.cancelled = False
        self._max_output = max_output
        self._output = bytearray()
        self._started = time.monotonic()
        self._exited = False
        self.eof = False
        self._fd = output
        os.set_blocking(self._fd, False)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def exited(self) -> bool:
        # WNOWAIT leaves the zombie in place: its pid, which names the group, can't be given to anybody else meanwhile.
        if not self._exited:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            self._exited = os.waitid(os.P_PID, self._child.pid, flags) is not None
        return self._exited

    def over(self) -> bool:
        return self.eof and self.exited()

    def follow(self, done: Callable[[], bool], *, within: float) -> bool:
        """Take in output until `done()`; False when that takes longer than `within` seconds, or is cancelled before."""
        deadline = time.monotonic() + within
        while not done():
            left = deadline - time.monotonic()
            if not self.cancelled and left > 0 and self._asks():
                self.cancelled = True
                return False
            if left <= 0:
                return False
            self._take_in(min(left, _POLL))
        return True

    def signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def end_group(self) -> None:
        self.signal_group(signal.SIGTERM)
        self.follow(self.over, within=GRACE)
        self.signal_group(signal.SIGKILL)
        self.follow(self.over, within=_LAST_WORDS)

    def reap(self) -> int:
        os.close(self._fd)
        try:
            return self._child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            # Stuck in the kernel: KILL stays pending, and nothing more can be done about it from here.
            log.warning("process %d does not end though it was killed", self._child.pid)
            return -int(signal.SIGKILL)

    def tail(self) -> str:
        return bytes(self._output[-self._max_output :]).decode(errors="replace")

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def _take_in(self, wait: float) -> None:
        if self.eof:
            time.sleep(wait)
        elif self._poll.poll(wait * 1000):
            with contextlib.suppress(BlockingIOError):
                chunk = os.read(self._fd, 64 << 10)
                self.eof = not chunk
                self._output += chunk
        if len(self._output) > 2 * self._max_output:
            del self._output[: -self._max_output]


def _never() -> bool:
    return False


def _start(
    argv: Sequence[str], env: Mapping[str, str] | None, user: str, cwd: Path | None, underway: Underway | None
) -> tuple[subprocess.Popen[bytes], int]:
    """The command, and where to read what it says."""
    account = _switch_to(user)
    try:
        ours, its = os.pipe()
    except OSError as error:
        raise _not_started(argv[0], error) from error
    try:
        if underway is not None:
            underway.begins(its)
        child = _started(argv, env, account, cwd, its)
        if underway is not None:
            underway.began(child.pid)
    except BaseException:  # whatever it is, nobody else closes it
        os.close(ours)
        raise
    finally:
        os.close(its)
    return child, ours


def _started(
    argv: Sequence[str], env: Mapping[str, str] | None, account: pwd.struct_passwd | None, cwd: Path | None, output: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=os.getgrouplist(account.pw_name, account.pw_gid) if account else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _not_started(argv[0], error) from error


def _not_started(program: str, error: OSError | ValueError) -> NoondayError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and error.errno in _PASSING:
        look = "look at the host's memory, processes and limits"
        return Temporary(f"{program} can't be started now: {reason}.", next_action=look)
    at = f" ({error.filename})" if isinstance(error, OSError) and error.filename not in (None, program) else ""
    return Permanent(
        f"{program} can't be run: {reason}{at}.",
        rule="command-missing",
        next_action=f"check that {program} exists, is executable and is what the configuration means",
    )


def _switch_to(user: str) -> pwd.struct_passwd | None:
    """The account to become, or None when we are it already."""
    if not user:
        return None
    account = _account(user)
    if account.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise Permanent(
            f"Commands can't be run as {user}: the agent itself does not run as root.",
            rule="user-switch",
            next_action=f"run the agent as root, or as {user}, or leave the user empty in agent.toml",
        )
    return account


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise Permanent(
            f"User {user} is unknown on this host.",
            rule="user-unknown",
            next_action=f"create {user}, or name another user in agent.toml",
        ) from error


def _own_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        return None
