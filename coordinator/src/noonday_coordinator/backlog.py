"""What arrived for the engine and waits: hosts' states before their evidence, and of evidence only so much."""

from __future__ import annotations

import threading
from collections import deque

from noonday_shared.topology import STATE_QUEUE_LENGTH

EVIDENCE_BYTES = 64 << 20
"""Evidence that waits, at most; the oldest goes first. It is cumulative, so the next one tells what a lost one did."""


class Backlog:
    """Safe to use from any thread."""

    def __init__(self, evidence_bytes: int = EVIDENCE_BYTES) -> None:
        self._most = evidence_bytes
        self._lock = threading.Lock()
        self._states: deque[bytes] = deque(maxlen=STATE_QUEUE_LENGTH)
        self._evidence: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0
        """Messages of evidence that went since the start."""

    def __bool__(self) -> bool:
        return bool(self._states or self._evidence)

    def add_state(self, raw: bytes) -> None:
        self._states.append(raw)

    def add_evidence(self, raw: bytes) -> None:
        with self._lock:
            self._evidence.append(raw)
            self._bytes += len(raw)
            while self._bytes > self._most and len(self._evidence) > 1:
                self._bytes -= len(self._evidence.popleft())
                self.dropped += 1

    def state(self) -> bytes | None:
        """The oldest state, which is taken out."""
        try:
            return self._states.popleft()
        except IndexError:
            return None

    def evidence(self) -> bytes | None:
        """The oldest evidence, which is taken out."""
        with self._lock:
            if not self._evidence:
                return None
            raw = self._evidence.popleft()
            self._bytes -= len(raw)
            return raw
