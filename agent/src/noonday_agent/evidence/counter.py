"""What one release of one app logged on this host since a moment: sums only, so that a lost message costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from noonday_agent.evidence.access import read_request
from noonday_agent.evidence.redact import Redactor
from noonday_agent.evidence.signature import Kind, Signature
from noonday_agent.evidence.sizes import cut, plain, wire_size
from noonday_shared.messages import Evidence, LogLine, SignatureCount

MOST_SIGNATURES = 500
MOST_SAMPLES = 3
PROBE = b"noonday-agent"
"""In the User-Agent of what the agent itself asks the app, as far as the access log shows it."""
LONGEST_SAMPLE = 2048
LONGEST_TEXT = 512
"""Of a signature's text, in bytes on the wire: with 500 of them a message stays under its limit."""
_SAMPLES_BYTES = 192 << 10
_SHORT_SAMPLE = 192


@dataclass(slots=True)
class _Seen:
    signature: Signature
    text: str
    first: float
    last: float
    count: int = 0
    samples: list[str] = field(default_factory=list)


class ReleaseCounter:
    """Counts for one (app, release, epoch). Bounded: what does not fit is counted as overflow. One thread.

    Signatures are kept of error records and stack traces; samples are redacted when they are taken.
    """

    def __init__(self, app: str, release: str, epoch: int, since: float, redactor: Redactor) -> None:
        self.app = app
        self.release = release
        self.epoch = epoch
        self.dropped = 0
        """Bytes of log that were not read or not kept."""
        self._since = since
        self._redactor = redactor
        self._records = 0
        self._overflow = 0
        self._seen: dict[str, _Seen] = {}
        self._statuses: Counter[str] = Counter()
        self._timed = 0
        self._seconds = 0.0
        self._samples_left = _SAMPLES_BYTES

    def count(self, records: Sequence[bytes], sign: Callable[[bytes], Signature], now: float) -> None:
        """`now`: seconds since the epoch. Lines of an access log among the records are counted as requests."""
        requests = 0
        for record in records:
            signature = sign(record)
            if signature.kind is Kind.BAD:
                self._count_bad(record, signature, now)
            elif signature.kind is Kind.REQUEST:
                requests += 1
                self._count_request(record, surely=False)
        self._records += len(records) - requests

    def count_requests(self, lines: Sequence[bytes]) -> None:
        """Lines of a file that holds requests only; others in it are counted as records."""
        for line in lines:
            if not self._count_request(line, surely=True):
                self._records += 1

    def to_evidence(
        self,
        *,
        host: str,
        boot: int,
        seq: int,
        now: float,
        gauges: Mapping[str, float] | None = None,
        lines: tuple[LogLine, ...] = (),
    ) -> Evidence:
        timed = {"timed_requests": float(self._timed), "request_seconds": self._seconds} if self._timed else {}
        return Evidence(
            host=host,
            app=self.app,
            boot=boot,
            epoch=self.epoch,
            seq=seq,
            release=self.release,
            since=self._since,
            sent_at=now,
            requests=self._statuses.total(),
            statuses=dict(self._statuses),
            records=self._records,
            signatures=tuple(_signature_count(seen) for seen in self._seen.values()),
            overflow=self._overflow,
            dropped=self.dropped,
            gauges={**(gauges or {}), **timed},
            lines=lines,
        )

    def _count_request(self, line: bytes, *, surely: bool) -> bool:
        request = read_request(line, surely=surely)
        if request is None:
            return False
        if PROBE in line:
            return True  # the agent's own question is no customer's
        self._statuses[request.status] += 1
        if request.seconds is not None:
            self._timed += 1
            self._seconds += request.seconds
        return True

    def _count_bad(self, record: bytes, signature: Signature, now: float) -> None:
        seen = self._seen.get(signature.key)
        if seen is None:
            if len(self._seen) >= MOST_SIGNATURES:
                self._overflow += 1
                return
            text = self._cleaned(signature.text, LONGEST_TEXT)
            seen = self._seen[signature.key] = _Seen(signature, text, first=now, last=now)
        seen.count += 1
        seen.last = now
        if len(seen.samples) < MOST_SAMPLES:
            self._keep_sample(seen, record)

    def _keep_sample(self, seen: _Seen, record: bytes) -> None:
        """Three of each while there is room, then one, then a short one: every signature keeps some proof."""
        if seen.samples and self._samples_left < _SAMPLES_BYTES // 2:
            return
        longest = LONGEST_SAMPLE if self._samples_left > _SAMPLES_BYTES // 2 else _SHORT_SAMPLE
        sample = self._cleaned(_ends(record, 2 * longest), longest)
        self._samples_left -= wire_size(sample)
        seen.samples.append(sample)

    def _cleaned(self, text: str, most: int) -> str:
        clean = self._redactor.clean(plain(text))
        if wire_size(clean) <= most:
            return clean
        # Both ends: Java names the exception first, Python last.
        half = (most - 8) // 2
        return f"{cut(clean, half, half)}\n…\n{cut(clean[::-1], half, half)[::-1]}"


def _ends(record: bytes, each: int) -> str:
    """Both ends of a record, long enough that a secret at the later cut is still recognised."""
    if len(record) > 2 * each:
        record = record[:each] + b"\n" + record[-each:]
    return record.decode("utf-8", "replace")


def _signature_count(seen: _Seen) -> SignatureCount:
    signature = seen.signature
    return SignatureCount(
        key=signature.key,
        level=signature.level,
        logger=signature.logger,
        text=seen.text,
        count=seen.count,
        first_seen=seen.first,
        last_seen=seen.last,
        samples=tuple(seen.samples),
    )
