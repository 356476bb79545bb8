"""How steady a unit's rate is over time: by how much it may be trusted to be the same now as it was before.

The variance of the rates of equal blocks of time beyond Poisson's, by the method of moments, as between hosts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

DEFAULT_STEADINESS = 16.0
"""25 % from one block to the next."""
MOST_STEADY = 400.0
_PRIOR_DF = 2.0
"""Weight of the default, in blocks."""


class Block(NamedTuple):
    """Episodes and exposure of all hosts in one stretch of time."""

    episodes: float
    exposure: float


def steadiness(blocks: Sequence[Block]) -> float:
    """The shape k of the Gamma that a block's own factor follows; its coefficient of variation is k^-1/2.

    Known to k, a rate is worth k episodes of its past, however many there were.
    """
    seen = [block for block in blocks if block.exposure > 0]
    episodes, exposure = sum(block.episodes for block in seen), sum(block.exposure for block in seen)
    if len(seen) < 2 or not (episodes > 0 and math.isfinite(episodes + exposure)):
        return DEFAULT_STEADINESS
    expected = [episodes * block.exposure / exposure for block in seen]
    pearson = sum((block.episodes - mean) ** 2 / mean for block, mean in zip(seen, expected, strict=True))
    scale = episodes - sum(mean**2 for mean in expected) / episodes
    df = len(seen) - 1
    squared = max((pearson - df) / scale, 0.0)
    shrunk = (df * squared + _PRIOR_DF / DEFAULT_STEADINESS) / (df + _PRIOR_DF)
    return min(1 / shrunk, MOST_STEADY)
