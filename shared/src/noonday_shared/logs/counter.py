"""What one release of one app logged on this host since a moment: sums only, so that a lost message costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite

from noonday_shared.logs.access import Request, of_probe, read_requests
from noonday_shared.logs.book import MOST_KEYS, Book, Seen
from noonday_shared.logs.episodes import Episodes
from noonday_shared.logs.redact import Redactor
from noonday_shared.logs.request_ids import RequestIds
from noonday_shared.logs.samples import Samples
from noonday_shared.logs.signature import REQUEST, Signature, Signer
from noonday_shared.logs.telling import Teller
from noonday_shared.messages import Evidence, LogLine
from noonday_shared.messages.evidence import LONGEST_GAUGE, MOST_GAUGE
from noonday_shared.messages.latency import BUCKETS, bucket

MOST_GAUGES = 64


@dataclass(frozen=True, slots=True)
class Process:
    """The app as the agent sees it beside the logs; see `messages.evidence`. What is not known is empty or 0."""

    started_at: float = 0.0
    restarts: int = 0
    balancer: Mapping[str, int] | None = None
    gauges: Mapping[str, float] | None = None


class ReleaseCounter:
    """Counts for one (app, release, epoch). Bounded: kinds that find no room are counted as overflow. One thread.

    Samples are redacted when they are taken.
    """

    def __init__(
        self, app: str, release: str, epoch: int, since: float, redactor: Redactor, *, most_keys: int = MOST_KEYS
    ) -> None:
        self.app = app
        self.release = release
        self.epoch = epoch
        self.dropped = 0
        """Bytes of log that were not read or not kept."""
        self._since = since
        self._records = 0
        self._book = Book(Samples(redactor), most_keys)
        self._teller = Teller(self._book)
        self._episodes = Episodes()
        self._statuses: Counter[str] = Counter()
        self._latency = [0] * BUCKETS
        self._timed = False

    def count(
        self, records: Sequence[bytes], signer: Signer, now: float, ids: RequestIds | None = None
    ) -> list[Signature]:
        """Count records of one file, and return the signature of each. `ids`: what is known of the file's request ids.
        `now`: seconds since the epoch. Lines of an access log among the records are counted as requests."""
        rests, found = ids.cut(records) if ids else (records, [])
        signatures = signer.sign_all(records, rests)
        apart = self._episodes.told_apart(signatures, found, now)
        unproven: dict[Signature, Seen] = {}
        telling: set[Signature] = set()
        requests = 0
        for signature, times in Counter(signatures).items():
            if signature is REQUEST:
                requests = times
                continue
            episodes, without = apart[signature]
            seen = self._book.count(signature, times, episodes, now)
            if without:
                self._book.tick(seen, now)
            if self._book.wants_sample(seen):
                unproven[signature] = seen
            if signature.request is not None:
                telling.add(signature)
        self._records += len(records) - requests
        if requests:
            pairs = zip(records, signatures, strict=True)
            self.count_requests([record for record, signature in pairs if signature is REQUEST])
        if unproven or telling:
            self._look_closer(records, signatures, unproven, telling)
        return signatures

    def count_requests(self, lines: Sequence[bytes]) -> None:
        """Lines of a file that holds requests only; others in it are counted as records."""
        found = read_requests(lines, surely=True)
        self._statuses.update(found.statuses)
        self._records += len(found.others)
        for seconds in found.seconds:
            self._latency[bucket(seconds)] += 1
        self._timed = self._timed or bool(found.seconds)

    def to_evidence(
        self,
        *,
        host: str,
        boot: int,
        seq: int,
        now: float,
        counted_for: float | None = None,
        process: Process | None = None,
        lines: tuple[LogLine, ...] = (),
    ) -> Evidence:
        """The next message. What it tells counts as told, so each is to be sent. `counted_for`: see
        `messages.evidence`."""
        process = process or Process()
        counts, templates = self._teller.tell()
        gauges = {name: value for name, value in (process.gauges or {}).items() if _may_be_told(name, value)}
        return Evidence(
            host=host,
            app=self.app,
            boot=boot,
            epoch=self.epoch,
            seq=seq,
            release=self.release,
            since=self._since,
            sent_at=now,
            counted_for=counted_for,
            requests=self._statuses.total(),
            statuses=dict(self._statuses),
            records=self._records,
            counts=counts,
            templates=templates,
            overflow=dict(self._book.overflow),
            latency=tuple(self._latency) if self._timed else (),
            balancer=dict(process.balancer or {}),
            started_at=max(process.started_at, 0.0),
            restarts=process.restarts,
            dropped=self.dropped,
            gauges=dict(islice(gauges.items(), MOST_GAUGES)),
            lines=lines,
        )

    def _look_closer(
        self,
        records: Sequence[bytes],
        signatures: Sequence[Signature],
        unproven: dict[Signature, Seen],
        telling: set[Signature],
    ) -> None:
        for record, signature in zip(records, signatures, strict=True):
            if signature in telling and signature.request is not None:
                self._count_request(signature.request(record), record)
            if (seen := unproven.get(signature)) is not None and not self._book.sample(seen, record):
                del unproven[signature]

    def _count_request(self, request: Request | None, line: bytes) -> None:
        if request is None or of_probe(line):
            return
        self._statuses[request.status] += 1
        if request.seconds is not None:
            self._latency[bucket(request.seconds)] += 1
            self._timed = True


def _may_be_told(name: str, value: float) -> bool:
    """An app may name its numbers as it likes, and a limit that it does not have may be any number."""
    return isfinite(value) and abs(value) <= MOST_GAUGE and len(name) <= LONGEST_GAUGE
