"""The app's own numbers, asked for now and then."""

from __future__ import annotations

import logging

from noonday_agent.config import Metrics
from noonday_agent.evidence.prometheus import read_metrics
from noonday_agent.probes.http import HttpProbe
from noonday_shared.clock import Clock

EVERY = 5.0
"""Seconds between two questions at least."""
LARGEST = 2 << 20

_log = logging.getLogger(__name__)


class Scraper:
    """`look` is called by one thread; `gauges` by any."""

    def __init__(self, settings: Metrics, health_url: str, clock: Clock) -> None:
        self._settings = settings
        self._probe = HttpProbe(settings.url or health_url)
        self._clock = clock
        self._asked_at: float | None = None
        self._failing = False
        self.gauges: dict[str, float] = {}
        """By series, as in agent.toml; empty when the newest question found no answer."""

    def look(self) -> None:
        """Ask, if `EVERY` is over since it was last asked. Blocks at most the settings' timeout; never raises."""
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < EVERY:
            return
        self._asked_at = now
        result, body = self._probe.fetch(self._settings.path, self._settings.timeout, LARGEST)
        if not result.ok or len(body) >= LARGEST:
            self.gauges = {}
            if not self._failing:
                why = f"it is larger than {LARGEST >> 20} MiB" if result.ok else result.text
                _log.warning("Metrics are not taken from %s%s: %s", self._probe.base_url, self._settings.path, why)
            self._failing = True
            return
        self._failing = False
        self.gauges = read_metrics(body.decode("utf-8", "replace"), self._settings.series)
