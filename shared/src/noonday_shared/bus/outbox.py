"""What is to be sent and not yet confirmed: the newest message of each slot, and nothing older."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One message on its way. Two letters are never equal: a slot's newer one is another letter."""

    exchange: str
    key: str
    body: bytes
    slot: str
    aside: bool = False
    """Sent also while nothing else may be."""


class Outbox:
    """Safe to use from any thread; never blocks on more than its own lock.

    A letter waits, is taken (sent), and is settled when the broker has confirmed it. A newer letter replaces a waiting
    one of its slot in place. One that was sent can't be called back, but is not sent again once a newer one waits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Letter] = {}
        self._sent: dict[str, Letter] = {}

    def put(self, letter: Letter) -> None:
        with self._lock:
            self._waiting[letter.slot] = letter

    def take(self, *, only_aside: bool = False) -> Letter | None:
        """The letter that waits longest, now counted as sent; None when none waits."""
        with self._lock:
            slot = next((slot for slot, one in self._waiting.items() if one.aside or not only_aside), None)
            if slot is None:
                return None
            letter = self._waiting.pop(slot)
            self._sent[slot] = letter
            return letter

    def settle(self, letter: Letter) -> None:
        """The broker has it. May repeat, and may come after a newer one of its slot was sent."""
        with self._lock:
            if self._sent.get(letter.slot) is letter:
                del self._sent[letter.slot]

    def take_back(self, letter: Letter) -> None:
        """The broker would not have it: it waits again, unless there is a newer one."""
        with self._lock:
            if self._sent.get(letter.slot) is letter:
                del self._sent[letter.slot]
                self._waiting.setdefault(letter.slot, letter)

    def take_all_back(self) -> None:
        """The connection is gone: all that was not settled waits again, in the order it was sent, before the rest."""
        with self._lock:
            self._waiting = self._sent | self._waiting
            self._sent = {}

    @property
    def empty(self) -> bool:
        """Whether everything that was put has been confirmed."""
        with self._lock:
            return not self._waiting and not self._sent
