"""The state that the event log adds up to, kept so that a start need not read all of it. May be removed at any time."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import noonday_shared
from noonday_coordinator import core
from noonday_coordinator.core.sharing import shared
from noonday_coordinator.core.state import State
from noonday_coordinator.store.chain import Head
from noonday_shared.files import write_whole
from noonday_shared.keys import SigningKey

EVERY = 1000
"""Records after which it is kept anew: as many as a start reads in 50 ms."""
_STATE: TypeAdapter[State] = TypeAdapter(State)
_log = logging.getLogger(__name__)


class FoldedState:
    """Used by one thread. Signed by the coordinator's key, and good for the very code that made it: whatever else lies
    there is passed over, and the log is read from its beginning."""

    def __init__(self, path: Path, key: SigningKey) -> None:
        self.path = path
        self._key = key
        self._kept = 0
        self._saving: threading.Thread | None = None

    def load(self, known: Callable[[Head], bool]) -> tuple[State, int]:
        """The state and the number of the last record in it; the empty state and 0 when there is none to be used.
        `known`: whether a record is in the log."""
        try:
            first, _, body = self.path.read_bytes().partition(b"\n")
            said = json.loads(first)
            head = Head(int(said["seq"]), str(said["hash"]))
            signature = bytes.fromhex(said["signature"])
            if self._key.public.verifies(signature, _signed(head, body)) and known(head):
                state = shared(_STATE.validate_json(zlib.decompress(body)))
                self._kept = head.seq
                return state, head.seq
        except (OSError, ValueError, KeyError, TypeError, zlib.error, ValidationError) as error:
            _log.info("The event log is read from its beginning (%s).", error)
        return State(), 0

    def note(self, state: State, head: Head) -> None:
        """Keep it when it is time to, in the background."""
        busy = self._saving is not None and self._saving.is_alive()
        if head.seq - self._kept < EVERY or busy:
            return
        self._kept = head.seq
        self._saving = threading.Thread(target=self._save, args=(state, head), name="folded-state", daemon=True)
        self._saving.start()

    def close(self, within: float = 5.0) -> None:
        """Wait for what is being written, or `within` seconds: what is written only in part is not used."""
        if self._saving is not None:
            self._saving.join(within)
            if self._saving.is_alive():
                _log.warning("%s was not written within %g s. The next start takes longer.", self.path, within)

    def _save(self, state: State, head: Head) -> None:
        body = zlib.compress(_STATE.dump_json(state), 1)
        signature = self._key.sign(_signed(head, body)).hex()
        first = json.dumps({"seq": head.seq, "hash": head.hash, "signature": signature})
        try:
            write_whole(self.path, first.encode() + b"\n" + body, mode=0o600)
        except OSError as error:
            _log.warning("%s can't be written: %s. The next start takes longer.", self.path, error)


def _signed(head: Head, body: bytes) -> bytes:
    return f"noonday/folded/{_code()}/{head}\n".encode() + hashlib.sha256(body).digest()


def _code() -> str:
    """Of all that decides what facts add up to: another version may fold them to something else."""
    made = hashlib.sha256()
    for folder in (core, noonday_shared):
        for file in sorted(Path(folder.__path__[0]).rglob("*.py")):
            made.update(file.read_bytes())
    return made.hexdigest()
