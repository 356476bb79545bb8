"""Which unit each thing of a host's window counts for. Units are what is tested: one each, however it is worded.

A template known before is a unit. An unseen one is too, if its cluster rarely makes new keys; if the cluster does so
all the time, the cluster is the unit; and all unseen keys of one new cluster are one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from noonday_coordinator.statistics.spending import band_of
from noonday_coordinator.verdict.arms import requests_of, statuses_of, warm
from noonday_coordinator.verdict.catalogue import START, Catalogue, Clusters
from noonday_coordinator.verdict.window import HostWindow
from noonday_shared.messages.evidence import Template

Kind = Literal["template", "cluster", "status", "slower", "restarts", "errors"]
MOST_NEW = 2000
"""Units found during one rollout; what goes beyond is counted as one unit for each level."""
ERRORS = "errors"
"""The unit of all records at ERROR and above together: for power and for shared trouble, never blamed itself."""
RESTARTS = "restarts"


class Counted(NamedTuple):
    unit: str
    episodes: int
    records: int


@dataclass(frozen=True, slots=True)
class About:
    """What a unit is. `known`: it was there before the rollout, on a release that may be trusted."""

    unit: str
    kind: Kind
    level: str
    known: bool
    text: str = ""
    key: str = ""
    samples: tuple[str, ...] = ()


class Counting:
    """Grows with the templates that it learns, in the order in which it learns them."""

    def __init__(self, catalogue: Catalogue, edges: dict[str, int]) -> None:
        self._catalogue = catalogue
        self._clusters = Clusters(cluster for _, cluster in sorted(catalogue.clusters.items()))
        self._newest = max(catalogue.clusters, default=0)
        self._restless = catalogue.restless()
        self.edges = edges
        self._templates: dict[str, Template] = {}
        self._by_second: set[str] = set()
        self._units: dict[str, str] = {}
        self._found: dict[str, int] = {}
        self._new_units: set[str] = set()
        self.about: dict[str, About] = {
            ERRORS: About(ERRORS, "errors", "ERROR", True),
            RESTARTS: About(RESTARTS, "restarts", "ERROR", True),
            "status:5xx": About("status:5xx", "status", "ERROR", True, "5xx"),
            "status:4xx": About("status:4xx", "status", "WARN", True, "4xx"),
            "status:errors": About("status:errors", "status", "ERROR", True, "no whole answer"),
            **{f"slower:{name}": About(f"slower:{name}", "slower", "WARN", True, name) for name in edges},
        }

    def learn(self, templates: Iterable[Template]) -> None:
        for template in sorted(templates, key=lambda one: one.key):
            if template.key not in self._templates:
                self._templates[template.key] = template
            # What was told last: a file's first lines don't show yet whether its records carry ids.
            (self._by_second.add if template.by_second else self._by_second.discard)(template.key)

    def of_host(self, seen: HostWindow, *, new: bool) -> Iterator[Counted]:
        """What one host did in one window. `new`: it runs the new release, so what starts always say is left out."""
        errors = 0
        starting = new and 0 < seen.age < START
        for key, (records, episodes) in sorted(seen.counts.items()):
            level = self.level(key)
            if starting and level != "FATAL" and self._catalogue.of_starts(key):
                continue
            yield Counted(self.unit_of(key), episodes, records)
            errors += episodes if band_of(level) == "error" else 0
        for level, count in sorted(seen.overflow.items()):
            errors += count if band_of(level) == "error" else 0
        yield Counted(ERRORS, errors, errors)
        for name, count in sorted(statuses_of(seen).items()):
            yield Counted(f"status:{name}", count, count)
        if seen.restarts:
            yield Counted(RESTARTS, seen.restarts, seen.restarts)
        if warm(seen) and seen.latency:
            for name, bucket in self.edges.items():
                slower = sum(seen.latency[bucket + 1 :])
                yield Counted(f"slower:{name}", slower, slower)

    def level(self, key: str) -> str:
        entry = self._catalogue.entries.get(key)
        template = self._templates.get(key)
        return entry.level if entry else template.level if template else ""

    def by_second(self, unit: str) -> bool:
        """Whether what is counted of it are seconds rather than requests, for words alone."""
        if unit == ERRORS:
            return any(band_of(self.level(key)) == "error" for key in self._by_second)
        return unit in self.about and self.about[unit].key in self._by_second

    def unit_of(self, key: str) -> str:
        """The same for ever, once the key's text was told."""
        if key in self._units:
            return self._units[key]
        entry = self._catalogue.known(key)
        if entry is not None:
            unit = f"template:{key}"
            self.about[unit] = About(unit, "template", entry.level, True, entry.text, key, entry.samples)
            self._units[key] = unit
            return unit
        template = self._template(key)
        unit = self._unseen(template) if template else f"template:{key}"
        if unit not in self.about or (template and not self.about[unit].text):
            unit = self._describe(unit, key, template)
        if template:
            self._units[key] = unit
        return unit

    def cluster_of(self, about: About) -> int:
        """The catalogue's cluster that a unit's records belong to; 0 when there is none."""
        entry = self._catalogue.entries.get(about.key)
        cluster = entry.cluster if entry else self._found.get(about.key, 0)
        return cluster if cluster <= self._newest else 0

    def _template(self, key: str) -> Template | None:
        told, entry = self._templates.get(key), self._catalogue.entries.get(key)
        if told is None and entry is not None:
            return Template(
                key=key, level=entry.level, logger=entry.logger, text=entry.text, first_seen=entry.first_seen
            )
        return told

    def _unseen(self, template: Template) -> str:
        cluster = self._clusters.find(template)
        self._found[template.key] = cluster.id
        if cluster.id in self._restless or cluster.id > self._newest:
            return f"cluster:{cluster.id}"
        return f"template:{template.key}"

    def _describe(self, unit: str, key: str, template: Template | None) -> str:
        level, text = (template.level, template.text) if template else ("", "")
        known = unit.startswith("cluster:") and int(unit.partition(":")[2]) in self._restless
        if not known and unit not in self._new_units:
            if len(self._new_units) >= MOST_NEW:
                unit = f"cluster:more {band_of(level)}"
                text = f"more new kinds of record than {MOST_NEW}"
            self._new_units.add(unit)
        kind: Kind = "cluster" if unit.startswith("cluster:") else "template"
        samples = template.samples if template else ()
        self.about[unit] = About(unit, kind, level, known, text, key, samples)
        return unit


Family = Literal["usual", "slower", "restarts", "statuses"]
FAMILIES: tuple[Family, ...] = ("usual", "slower", "restarts", "statuses")
"""What units are measured in: requests (else seconds), requests with a duration, seconds, requests."""


def family_of(unit: str) -> Family:
    if unit.startswith("slower:"):
        return "slower"
    if unit.startswith("status:"):
        return "statuses"
    return "restarts" if unit == RESTARTS else "usual"


def exposure_of(family: Family, seen: HostWindow, usual: float) -> float:
    """How much a host could have shown of a unit of this family."""
    match family:
        case "slower":
            return float(sum(seen.latency)) if warm(seen) else 0.0
        case "restarts":
            return seen.seconds
        case "statuses":
            return float(requests_of(seen))
        case "usual":
            return usual
