"""A thread that runs only while somebody resumes it: real code that blocks can so be left in the middle of a step, and
the same seed still makes the same history."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Abandoned(BaseException):
    """What is under way is never gone on with. Not an Exception, so that nothing in it can survive it."""


class Strand:
    """`run` and `go_on` return once the work has ended or waits; one of the two threads always sleeps."""

    def __init__(self) -> None:
        self._here, self._there = threading.Lock(), threading.Lock()
        self._here.acquire()
        self._there.acquire()
        self._work: Callable[[], object] | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._abandoned = False
        self.under_way = False

    def run(self, work: Callable[[], object]) -> bool:
        """Begin; whether it has ended already. Raises what it raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="strand", daemon=True)
            self._thread.start()
        self._work, self.under_way = work, True
        return self.go_on()

    def go_on(self) -> bool:
        """As `run`, with what waits."""
        self._there.release()
        self._here.acquire()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return not self.under_way

    @property
    def inside(self) -> bool:
        """Whether the caller is the work itself."""
        return threading.current_thread() is self._thread

    def wait(self) -> None:
        """Called by the work itself: until somebody lets it go on. Raises `Abandoned`."""
        self._here.release()
        self._there.acquire()
        if self._abandoned:
            raise Abandoned

    def abandon(self) -> None:
        """What waits ends where it is."""
        if self.under_way:
            self._abandoned = True
            try:
                self.go_on()
            except Abandoned:
                pass
            finally:
                self._abandoned = False

    def close(self) -> None:
        self.abandon()
        if self._thread is not None:
            self._work = None
            self._there.release()
            self._thread.join()
            self._thread = None

    def _loop(self) -> None:
        while True:
            self._there.acquire()
            work = self._work
            if work is None:
                return
            try:
                work()
            except BaseException as error:
                self._error = error
            self.under_way = False
            self._here.release()
