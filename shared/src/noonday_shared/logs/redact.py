"""Secrets and personal data, masked before a line leaves the host."""

from __future__ import annotations

import re
from collections.abc import Sequence

GONE = "[redacted]"

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z_-])", re.ASCII)
_NAMES = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    r"|session[_-]?id|sessid|csrf|auth[_-]?key|signature"
)
_AUTHORIZATION = re.compile(
    r"((?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?:(?:bearer|basic|digest|token|negotiate)\s{1,4})?"
    r"[^\s\"',;]{1,4096}",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"((?:set-)?cookie2?[\"']?\s{0,4}[:=]\s{0,4})[^\r\n]{1,4096}", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)\s{1,4}[\w.~+/-]{8,4096}={0,2}", re.IGNORECASE | re.ASCII)
_NAMED = re.compile(
    rf"((?:{_NAMES})[\w-]{{0,20}}\\?[\"']?\s{{0,4}}(?:=>|[:=])\s{{0,4}})"
    r"(?:\\?\"[^\"\\]{0,4096}\\?\"?|'[^']{0,4096}'?|[^\s,;&\"'}\])]{1,4096})",
    re.IGNORECASE,
)
_URL = re.compile(r"(?<=://)[^\s/@:]{0,128}:[^\s/@]{1,256}@")
_KNOWN = re.compile(
    r"\beyJ[\w-]{8,4096}\.[\w-]{4,4096}(?:\.[\w-]{0,4096})?"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,255}|\bxox[abprs]-[\w-]{10,255}|\b[sr]k_live_\w{10,255}"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
    re.ASCII,
)
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])", re.ASCII)


# Each expression with what it replaces by, and words without one of which it can't match: they cost far less to find.
_MASKS: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (_AUTHORIZATION, rf"\1{GONE}", ("authorization",)),
    (_COOKIE, rf"\1{GONE}", ("cookie",)),
    (_NAMED, rf"\1{GONE}", ("pass", "pwd", "secret", "token", "key", "credential", "sess", "csrf", "signature")),
    (_BEARER, rf"\1 {GONE}", ("bearer", "basic")),
    (_KNOWN, GONE, ("eyj", "akia", "asia", "gh", "xox", "k_live_", "-----begin ")),
    (_URL, f"{GONE}@", ("@",)),
    (EMAIL, GONE, ("@",)),
)


class Redactor:
    """The built-in masks, then the patterns of agent.toml, whose whole match goes."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def clean(self, text: str) -> str:
        """The text without what must not leave the host. The built-in masks take time linear in its length."""
        lower = text.lower()
        for expression, instead, hints in _MASKS:
            if any(hint in lower for hint in hints):
                text = expression.sub(instead, text)
        text = _CARD.sub(_card, text)
        for pattern in self._patterns:
            text = pattern.sub(GONE, text)
        return text


def _card(found: re.Match[str]) -> str:
    digits = [int(char) for char in reversed(found[0]) if char.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    luhn = (sum(digits[::2]) + sum(doubled)) % 10 == 0
    return GONE if luhn else found[0]
