"""What happened in one run, in words, with the virtual time: what a failing seed prints."""

from __future__ import annotations

from dataclasses import dataclass, field


class Broken(AssertionError):
    """A rule that must always hold did not."""


@dataclass
class Trail:
    start: float
    lines: list[tuple[float, str, str]] = field(default_factory=list)

    def add(self, at: float, who: str, words: str) -> None:
        self.lines.append((at, who, words))

    @property
    def count(self) -> int:
        return len(self.lines)

    def __str__(self) -> str:
        return "\n".join(f"{at - self.start:9.2f}  {who:12} {words}" for at, who, words in self.lines)
