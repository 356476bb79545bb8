"""The memory of a process that runs for months."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 128 << 10
_NAMES = 1 << 15
"""As many as CPython's table of names has places when a process of ours has imported what it needs."""


def give_memory_back() -> None:
    """Before there are threads. Does nothing with another C library than glibc, which otherwise gives each thread an
    arena, whose free memory the others can't use, and after the first large buffer keeps later ones for itself."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, _LARGE)):
            mallopt(option, value)


def make_room_for_names() -> None:
    """After everything was imported. CPython keeps names in a table, and `pathlib` puts each part of each path there:
    one day it is full, and becomes twice as large, by 1 MB. Then rather at once than after weeks."""
    for number in range(_NAMES):
        sys.intern(f"noonday makes room {number}")
