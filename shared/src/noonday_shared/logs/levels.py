"""The words for how bad a log line is, brought to one set: TRACE, DEBUG, INFO, WARN, ERROR, FATAL."""

from __future__ import annotations

_WORDS = {
    "TRACE": "trace trc finest",
    "DEBUG": "debug dbg verbose fine finer debu",
    "INFO": "info inf information notice informational success config",
    "WARN": "warn warning wrn deprecated",
    "ERROR": "error err erro severe eror failure",
    "FATAL": "fatal ftl critical crit cri panic pnc emerg emergency alert fata pani dpanic",
}
_LEVELS = {word: level for level, words in _WORDS.items() for word in words.split()}
_LETTERS = {
    "T": "TRACE",
    "V": "TRACE",
    "D": "DEBUG",
    "I": "INFO",
    "W": "WARN",
    "E": "ERROR",
    "F": "FATAL",
    "C": "FATAL",
}
_SYSLOG = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
_BUNYAN = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}

WORDS = "|".join(sorted(_LEVELS, key=len, reverse=True))
"""An alternative for regular expressions, longest first."""
RANK = {"FATAL": 0, "ERROR": 1, "WARN": 2, "": 3, "INFO": 4, "DEBUG": 5, "TRACE": 6}
"""Which goes first where not all find room."""
SERIOUS = frozenset({"FATAL", "ERROR", "WARN"})


def level_of_word(word: str) -> str:
    """Empty when the word names no level. A single letter counts only in upper case."""
    return _LETTERS.get(word, "") or _LEVELS.get(word.lower(), "")


def level_of_number(number: int) -> str:
    """Syslog's severities 0 to 7, or the tens of bunyan and pino."""
    if 0 <= number < len(_SYSLOG):
        return _SYSLOG[number]
    return _BUNYAN.get(number - number % 10, "")
