"""Following a rollout until it ends, asks a person, or the reader leaves. What is followed never depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from rich.console import Group
from rich.live import Live

from noonday_coordinator.api.models import EventReply, Events, RolloutInfo
from noonday_coordinator.cli import words as w
from noonday_coordinator.cli.client import Client, part
from noonday_coordinator.cli.exits import Exit, of_rollout
from noonday_coordinator.cli.findings import findings
from noonday_coordinator.cli.live import view
from noonday_coordinator.cli.output import Output
from noonday_shared.clock import Clock
from noonday_shared.errors import Temporary

EVERY = 0.5
"""Seconds between two looks."""
PATIENCE = 600.0
"""Seconds for which a coordinator that went away is awaited: a restart or an upgrade of it takes less."""
PULSE = 60.0
"""Seconds without a line after which what is awaited is said again: CI systems end jobs that say nothing."""


T = TypeVar("T")


class Screen(Protocol):
    """How a followed rollout is shown."""

    def seen(self, info: RolloutInfo, fresh: tuple[EventReply, ...]) -> None: ...
    def away(self, words: str) -> None:
        """The coordinator does not answer; called again at every look."""
        ...

    waits_for_people: bool


@dataclass
class Follower:
    """Blocks until the end. Raises `Unreachable` when the coordinator stays away for `PATIENCE` seconds."""

    client: Client
    out: Output
    clock: Clock

    def follow(self, rollout: str, app: str) -> Exit:
        try:
            with self._screen() as screen:
                info = self._watch(rollout, screen)
        except KeyboardInterrupt:
            words, commands = w.come_back(rollout, app)
            self.out.note(words)
            self.out.note(f"Next: {commands}")
            return Exit.LEFT
        return self._last_words(info)

    def _last_words(self, info: RolloutInfo) -> Exit:
        if not self.out.live and info.findings:
            self.out.show(Group(*findings(info.findings)))
        if info.end is None:
            self.out.record("asks", info)
            self.out.show(f"Waits for a person: {w.question(info)}")
            self.out.note(f"Next: {w.answers(info.app)}; then noonday show {info.id} --follow")
            return Exit.ASKS
        self.out.record("end", info)
        if not self.out.live and info.dry_run:
            self.out.show(w.dry_run(info.would))
        if not self.out.live or info.findings:
            # What proves the findings may have moved the picture's head off the screen.
            self.out.show(w.ending(info))
        return of_rollout(info.end, left_out=bool(info.left_out))

    @contextmanager
    def _screen(self) -> Iterator[Screen]:
        if not self.out.live:
            yield Lines(self.out, self.clock)
            return
        with Live(console=self.out.console(), auto_refresh=False) as live:
            yield Picture(live)

    def _watch(self, rollout: str, screen: Screen) -> RolloutInfo:
        """The rollout at its end, or where only a person can move it on and nobody here could."""
        after = 0
        while True:
            info, events = self._look(rollout, after, screen)
            after = events.last
            screen.seen(info, events.events)
            told = events.ended or not events.events
            if told and (info.end or (w.needs_person(info) and not screen.waits_for_people)):
                return info
            if told:
                self.clock.sleep(EVERY)

    def _look(self, rollout: str, after: int, screen: Screen) -> tuple[RolloutInfo, Events]:
        path = f"/rollouts/{part(rollout)}"

        def look() -> tuple[RolloutInfo, Events]:
            # The rollout first: its events, asked for later, then hold all that led to what it shows.
            info = self.client.get(path, RolloutInfo)
            return info, self.client.get(f"{path}/events", Events, {"after": after})

        return patiently(look, self.clock, screen.away)


def patiently(look: Callable[[], T], clock: Clock, away: Callable[[str], None]) -> T:
    """The answer of `look`, asked again while the coordinator is away, for `PATIENCE` seconds at most."""
    since = clock.monotonic()
    while True:
        try:
            return look()
        except Temporary as error:
            gone = clock.monotonic() - since
            if gone >= PATIENCE:
                raise
            away(f"Waiting for the coordinator, {w.duration(gone)} so far: {error.text}")
        clock.sleep(EVERY)


@dataclass
class Picture:
    """The moving view on a terminal. It stays while a person is asked: they may answer from another one."""

    live: Live
    waits_for_people: bool = True
    _last: RolloutInfo | None = field(default=None, init=False)

    def seen(self, info: RolloutInfo, fresh: tuple[EventReply, ...]) -> None:
        self._last = info
        if info.end:
            self.live.vertical_overflow = "visible"
        self.live.update(view(info, whole=info.end is not None), refresh=True)

    def away(self, words: str) -> None:
        shown = view(self._last, away=words) if self._last else words
        self.live.update(shown, refresh=True)


@dataclass
class Lines:
    """One line for each change; JSON lines with `--json`."""

    out: Output
    clock: Clock
    waits_for_people: bool = False
    _is_away: bool = field(default=False, init=False)
    _spoke: float = field(default=0.0, init=False)
    _said: dict[str, str] = field(default_factory=dict, init=False)

    def seen(self, info: RolloutInfo, fresh: tuple[EventReply, ...]) -> None:
        if self._is_away:
            self.out.note("The coordinator answers again.")
            self._is_away = False
        if info.dry_run and not self._spoke:
            self.out.show(w.dry_run(info.would))
        for event in fresh:
            self.out.record("event", event)
            # A host reports every detail; for people a line is worth it when its words are new.
            if event.kind != "host-reported" or self._said.get(event.host) != event.words:
                self.out.show(event_line(event))
            self._said[event.host] = event.words
        now = self.clock.monotonic()
        if fresh or not self._spoke:
            self._spoke = now
        elif now - self._spoke >= PULSE and info.end is None:
            self._spoke = now
            self.out.note(f"{w.at_time(info.now)} {w.stage_line(info)}. {w.one_line(info.waiting_for)}")

    def away(self, words: str) -> None:
        if not self._is_away:
            self.out.note(words)
        self._is_away = True


def event_line(event: EventReply) -> str:
    """`hh:mm:ss host words`."""
    words = w.one_line(event.words)
    # Most sentences about a host begin with its name.
    host = event.host if event.host and not words.startswith(f"{event.host} ") else ""
    return " ".join(part for part in (w.at_time(event.at), host, words) if part)
