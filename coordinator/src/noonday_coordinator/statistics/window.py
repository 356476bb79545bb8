"""What one span of time showed of one countable unit, on both sides."""

from __future__ import annotations

import math
from typing import NamedTuple


class Window(NamedTuple):
    """Episodes on the new release (`x`) and on the old (`y`); exposures of both: requests, else seconds x weight."""

    x: float
    y: float
    e_c: float
    e_b: float

    @property
    def compares(self) -> bool:
        """Whether it says anything of the two sides' ratio: something happened, and both could have shown it."""
        return self.x + self.y > 0 and self.e_c > 0 and self.e_b > 0

    def checked(self) -> Window:
        """Itself. Raises `ValueError` for a count or an exposure that is negative, infinite or not a number."""
        # A sum of the four is finite only if each is: this is asked of every unit in every window.
        if min(self) >= 0 and math.isfinite(sum(self)):
            return self
        raise ValueError(f"{self}: counts and exposures are finite and not negative")

    def swapped(self) -> Window:
        """The same seen from the other side."""
        return Window(self.y, self.x, self.e_b, self.e_c)
