"""One inotify watch for all followers: sets an event when a log gets another file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

_log = logging.getLogger(__name__)

# Growth is left to the slow poll: one event for each write costs more than all reading and counting.
_EVENTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileDeletedEvent]


class Wake(FileSystemEventHandler):
    """Wakes whoever waits when something is created, renamed or deleted in a folder on the way to a log.

    A safety net is still needed: folders that are missing are not watched, and inotify may be used up.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._observer = Observer()
        self._watched: dict[Path, ObservedWatch] = {}
        self._refused: set[Path] = set()

    def start(self) -> None:
        self._observer.start()

    def close(self, within: float = 5.0) -> None:
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join(within)

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch the way to these paths as it is now. After `start`, and now and then again, since symlinks move."""
        wanted = {folder for path in paths for folder in _folders(path)}
        for folder in self._watched.keys() - wanted:
            self._observer.unschedule(self._watched.pop(folder))
        for folder in wanted - self._watched.keys():
            self._watch(folder)

    def wait(self, seconds: float) -> bool:
        """Block until something happened, at most `seconds`; True when something did."""
        woken = self._event.wait(seconds)
        self._event.clear()
        return woken

    def wake(self) -> None:
        """Wake the waiter for another reason, as when the agent stops. Safe from any thread."""
        self._event.set()

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._event.set()

    def _watch(self, folder: Path) -> None:
        try:
            self._watched[folder] = self._observer.schedule(self, str(folder), event_filter=_EVENTS)
        except OSError as error:
            if folder not in self._refused:
                _log.warning("%s is not watched (%s): it is looked at once a second instead.", folder, error.strerror)
            self._refused.add(folder)


def _folders(path: Path) -> set[Path]:
    """The folders in which a change may give `path` another file: its own, and that of each symlink on the way."""
    links = [part for part in (path, *path.parents) if part.is_symlink()]
    # Resolved: inotify watches the folder that a name led to, also when the name leads elsewhere later.
    found = {part.parent.resolve() for part in links} | {path.resolve().parent}
    return {folder for folder in found if folder.is_dir()}
