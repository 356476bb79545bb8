"""All balancers of one app as one: out of all before the stop, back into all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from noonday_agent.balancers.protocol import Balancer, Counting
from noonday_shared.errors import NoondayError, Permanent, Temporary


@runtime_checkable
class Listener(Protocol):
    """A balancer that something has to reach in this process while the agent's service runs."""

    def start(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """No memory either. Without any balancer the app is always in service and always idle: nothing sends to it.

    One that can't be asked hides nothing of what others say, whatever their order: it counts where they don't decide.
    """

    balancers: Sequence[Balancer] = ()

    def in_service(self) -> bool:
        """Whether all of them send new requests now."""
        return _all([each.in_service for each in self.balancers])

    def lets_in(self) -> bool:
        """Whether any of them sends new requests now."""
        return _any([each.in_service for each in self.balancers])

    def take_out(self) -> None:
        """Ask all, whatever one of them answers; then raise what went wrong."""
        _raise_all(_failures([each.take_out for each in self.balancers]))

    def hold_out(self) -> bool:
        """Tell those to stop that send new requests, or would as soon as the app is well; whether there were any. Who
        can't be asked or told is passed over, for the next time. Never raises a `NoondayError`."""
        told = [_told_again(each) for each in self.balancers]
        return any(told)

    def out_where_known(self) -> bool:
        """Whether some can be asked, and it is out of all of those, whatever their own checks find. Never raises a
        `NoondayError`."""
        answers = [_asked(each) for each in self.balancers]
        return True in answers and False not in answers

    def idle(self) -> bool:
        """Whether it is out of all of them and nothing is under way. False again when one of them lets it back in."""
        return _all([each.idle for each in self.balancers])

    def put_back(self) -> None:
        """Ask all, whatever one of them answers; then raise what went wrong."""
        _raise_all(_failures([each.put_back for each in self.balancers]))

    def states(self) -> dict[str, str]:
        """Each balancer's words by its name; for one that can't be asked, 'unknown' and why. Never raises."""
        return {each.name: _words(each) for each in self.balancers}

    def traffic(self) -> dict[str, dict[str, int]]:
        """What each balancer that counts has counted, by its name; one that can't be asked is absent. Never raises."""
        found: dict[str, dict[str, int]] = {}
        for each in self.balancers:
            if isinstance(each, Counting):
                with suppress(NoondayError):
                    found[each.name] = each.traffic()
        return found

    def problems(self) -> tuple[NoondayError, ...]:
        """What `check` would raise, one by one."""
        return tuple(_failures([each.check for each in self.balancers]))

    def check(self) -> None:
        """Raises all problems as one: `Permanent` when one of them is."""
        _raise_all(self.problems())

    def start(self) -> None:
        """Open what balancers poll in this process. Raises when an address can't be had; then nothing stays open."""
        try:
            for each in self._listeners():
                each.start()
        except NoondayError:
            self.close()
            raise

    def close(self) -> None:
        for each in self._listeners():
            each.close()

    def _listeners(self) -> Iterator[Listener]:
        return (each for each in self.balancers if isinstance(each, Listener))


def _told_again(balancer: Balancer) -> bool:
    with suppress(NoondayError):
        if not balancer.is_out():
            balancer.take_out()
            return True
    return False


def _asked(balancer: Balancer) -> bool | None:
    with suppress(NoondayError):
        return balancer.is_out()
    return None


def _all(questions: Sequence[Callable[[], bool]]) -> bool:
    return not _any([partial(_not, ask) for ask in questions])


def _any(questions: Sequence[Callable[[], bool]]) -> bool:
    """Raises what went wrong when nobody says yes, and somebody might."""
    failures: list[NoondayError] = []
    for ask in questions:
        try:
            if ask():
                return True
        except NoondayError as error:
            failures.append(error)
    _raise_all(failures)
    return False


def _not(ask: Callable[[], bool]) -> bool:
    return not ask()


def _words(balancer: Balancer) -> str:
    try:
        return balancer.state()
    except NoondayError as error:
        return f"unknown: {error.text}"


def _failures(verbs: Sequence[Callable[[], None]]) -> list[NoondayError]:
    failures: list[NoondayError] = []
    for verb in verbs:
        try:
            verb()
        except NoondayError as error:
            failures.append(error)
    return failures


def _raise_all(failures: Sequence[NoondayError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        kind = Permanent if any(isinstance(each, Permanent) for each in failures) else Temporary
        raise kind(
            " ".join(each.text for each in failures),
            rule=next(each.rule for each in failures if isinstance(each, kind)),
            next_action="; ".join(dict.fromkeys(each.next_action for each in failures if each.next_action)),
        )
