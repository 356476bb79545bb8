"""Records as proof for people: redacted, cut at the wire's limits, and never more of them than there is room for."""

from __future__ import annotations

from noonday_shared.logs.levels import SERIOUS
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.sizes import cut, plain, wire_size

MOST_SAMPLES = 3
LONGEST_SAMPLE = 2048
LONGEST_TEXT = 512
"""Of a template's text, in bytes on the wire."""
_BYTES = 384 << 10
_SHORT_SAMPLE = 192


class Samples:
    """Three of each kind of record that is serious and one of the others; all together take bounded memory."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = _BYTES

    def text(self, masked: str) -> str:
        return self._cleaned(masked, LONGEST_TEXT)

    def wanted(self, kept: int, level: str) -> bool:
        """Whether one more is kept of a kind of which there are `kept`: every kind gets some proof while any is left,
        more than one only while there is plenty."""
        if not kept:
            return self._left > 0
        return kept < MOST_SAMPLES and level in SERIOUS and self._left > _BYTES // 2

    def take(self, record: bytes, level: str) -> str:
        """The sample of a record that is `wanted`."""
        longest = LONGEST_SAMPLE if level in SERIOUS and self._left > _BYTES // 2 else _SHORT_SAMPLE
        sample = self._cleaned(_ends(record, 2 * longest), longest)
        self._left -= wire_size(sample)
        return sample

    def give_back(self, samples: list[str]) -> None:
        self._left += sum(map(wire_size, samples))

    def _cleaned(self, text: str, most: int) -> str:
        clean = self._redactor.clean(plain(text))
        if wire_size(clean) <= most:
            return clean
        # Both ends: Java names the exception first, Python last.
        half = (most - 8) // 2
        return f"{cut(clean, half, half)}\n…\n{cut(clean[::-1], half, half)[::-1]}"


def _ends(record: bytes, each: int) -> str:
    """Both ends of a record, long enough that a secret at the later cut is still recognised."""
    if len(record) > 2 * each:
        record = record[:each] + b"\n" + record[-each:]
    return record.decode("utf-8", "replace")
