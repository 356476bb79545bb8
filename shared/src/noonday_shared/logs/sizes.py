"""How large a text is on the wire: JSON inside JSON, where a quote or a backslash takes four bytes."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """The text with a dot for each control character but tab and newline."""
    return _CONTROL.sub("·", text)


def wire_size(text: str) -> int:
    return len(text.encode()) + 3 * (text.count('"') + text.count("\\")) + 2 * (text.count("\n") + text.count("\t"))


def cut(text: str, most: int, characters: int) -> str:
    """The beginning of the text that takes at most `most` bytes on the wire and `characters` characters."""
    text = text[:characters]
    while text and (over := wire_size(text) - most) > 0:
        text = text[: max(min(len(text) - over // 4, len(text) - 1), 0)]
    return text
