"""Releases fetched over real HTTP, from servers that behave and from servers that don't."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from noonday_agent.releases.effort import Effort
from noonday_agent.releases.fetch import Patience
from noonday_agent.releases.line import Line
from noonday_agent.releases.sources import nobody_answers
from noonday_agent.releases.store import ReleaseStore
from noonday_shared.clock import SystemClock
from noonday_shared.errors import BadInput, Deadline, NoondayError, Permanent, Temporary
from noonday_shared.keys import SigningKey
from noonday_shared.names import ReleaseRef
from noonday_shared.release.archive import BuiltRelease
from support.archives import Member, Shelf, make_archive, release_toml, sign_archive
from support.certificate import make_certificate
from support.eventually import eventually
from support.full_listener import full_listener
from support.ports import free_port
from support.release_server import Manners, ReleaseServer, serve_releases
from support.tcp_proxy import TcpProxy

KEY = SigningKey(b"k" * 32)
QUICK = Patience(tries=3, first_pause=0.01, longest_pause=0.05, stall=10)
HASTY = replace(QUICK, stall=0.3)
BIG = 1_500_000
SOON = 5.0
"""Seconds, less than a connection may be silent and than a server trickles."""
HEADER = b"X-Slow: y"
CHUNK = b"Transfer-Encoding: chunked\r\n\r\n0"


@dataclass
class Place:
    server: ReleaseServer
    shelf: Shelf
    store: ReleaseStore
    root: Path
    downloads: Path

    def build(self, version: str = "1.0.0") -> BuiltRelease:
        """A release whose archive is larger than BIG bytes, as random data does not shrink."""
        return self.shelf.build(version, {"data.bin": os.urandom(BIG)})

    def prepare(self, built: BuiltRelease, source: str = "", within: float = 20.0) -> None:
        self.store.prepare("web", built.signed.ref, source or self.server.url(built.archive), within=within)

    def is_whole(self, built: BuiltRelease) -> bool:
        data = self.store.folders.folder(built.signed.ref.id) / "data.bin"
        return data.stat().st_size == BIG and not list(self.downloads.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    shelf = Shelf(tmp_path / "shelf", KEY)
    (tmp_path / "shelf/out").mkdir(parents=True)
    root, downloads = tmp_path / "web", tmp_path / "downloads"
    store = ReleaseStore(
        root,
        keys=[KEY.public],
        downloads_dir=downloads,
        keep=2,
        max_unpacked=1 << 24,
        clock=SystemClock(),
        patience=QUICK,
    )
    with serve_releases(shelf.folder / "out") as server:
        yield Place(server, shelf, store, root, downloads)


def refused(place: Place, built: BuiltRelease, kind: type[NoondayError], source: str = "") -> NoondayError:
    with pytest.raises(kind) as info:
        place.prepare(built, source)
    assert place.store.prepared() == ()
    assert not list((place.root / "releases").iterdir())
    return info.value


def test_a_release_is_fetched_unpacked_and_known_with_its_manifest(place: Place) -> None:
    built = place.build()
    seen: list[tuple[int, int]] = []
    place.store.prepare(
        "web",
        built.signed.ref,
        place.server.url(built.archive),
        within=20,
        progress=lambda here, whole: seen.append((here, whole)),
    )
    assert place.is_whole(built)
    assert place.store.prepared() == (built.signed.ref.id,)
    assert place.store.manifest(built.signed.ref.id) == built.signed
    assert seen == sorted(seen)
    assert seen[-1] == (built.signed.size, built.signed.size)
    assert not (place.root / "current").exists(), "nothing is switched"


def test_a_prepared_release_is_not_fetched_twice(place: Place) -> None:
    built = place.build()
    place.prepare(built)
    place.prepare(built)
    assert len(place.server.ranges) == 1


def test_https_is_believed_only_with_a_known_certificate(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = place.build()
    certificate = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serve_releases(place.server.folder, tls) as secure:
        assert "CERTIFICATE_VERIFY_FAILED" in refused(place, built, Temporary, secure.url(built.archive)).text
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        place.prepare(built, secure.url(built.archive))
    assert place.is_whole(built)


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_release_may_come_from_a_path(form: str, place: Place) -> None:
    built = place.build()
    place.prepare(built, form.format(built.archive))
    assert place.is_whole(built)


def test_a_download_that_breaks_off_goes_on_where_it_stopped(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(break_after=300_000, breaks=4)
    place.prepare(built)
    assert place.is_whole(built)
    assert place.server.ranges == [None, *(f"bytes={300_000 * i}-" for i in range(1, 5))]


def test_a_download_that_was_begun_waits_for_a_network_that_is_cut_until_the_deadline(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    built, line = place.build(), TcpProxy(place.server.port)
    source = f"http://127.0.0.1:{line.port}/{built.archive.name}"
    place.server.manners = Manners(break_after=300_000, breaks=1)
    caplog.set_level(logging.INFO)

    def prepare() -> None:
        place.store.prepare("web", built.signed.ref, source, within=60, progress=lambda *_: line.close())

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(prepare)
        eventually(lambda: f"tried {3 * QUICK.tries} times" in caplog.text, what="tries beyond its patience")
        assert not done.done()
        with closing(TcpProxy(place.server.port, port=line.port)):
            done.result(60)
    assert place.is_whole(built)
    first, *_, last = place.server.ranges
    assert (first, str(last).startswith("bytes=")) == (None, True)


def test_a_download_goes_on_after_the_agent_died(place: Place) -> None:
    built = place.build()
    place.downloads.mkdir()
    half = built.archive.read_bytes()[:700_000]
    (place.downloads / f"{built.signed.digest}.part").write_bytes(half)
    place.prepare(built)
    assert place.is_whole(built)
    assert place.server.ranges == ["bytes=700000-"]


def test_a_server_that_ignores_range_is_read_from_the_start(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(ignore_range=True, break_after=300_000, breaks=1)
    place.prepare(built)
    assert place.is_whole(built)
    assert place.server.ranges == [None, "bytes=300000-"]


def test_a_server_that_sends_another_piece_than_was_asked_for_is_given_up(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(piece=True)
    assert "another piece" in refused(place, built, Temporary).text
    assert len(place.server.ranges) == QUICK.tries


@pytest.mark.parametrize("junk", [700_000, BIG + 100_000], ids=["as a beginning", "longer than the archive"])
def test_a_wrong_beginning_on_disk_is_thrown_away(junk: int, place: Place) -> None:
    built = place.build()
    place.downloads.mkdir()
    (place.downloads / f"{built.signed.digest}.part").write_bytes(bytes(junk))
    place.prepare(built)
    assert place.is_whole(built)
    assert place.server.ranges[-1] is None


def test_a_stalled_connection_is_given_up_and_tried_again(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(stalls=1)
    place.store._patience = HASTY
    place.prepare(built)
    assert place.is_whole(built)
    assert len(place.server.ranges) >= 2


def test_a_server_that_stalls_for_ever_ends_in_a_sentence(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(stalls=100)
    place.store._patience = HASTY
    error = refused(place, built, Temporary)
    assert error.rule == "source-unreachable"
    assert "timed out" in str(error)


def test_the_deadline_holds_while_a_source_stays_away(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(statuses=[503] * 1000)
    place.store._patience = replace(QUICK, tries=1000)
    with pytest.raises(Deadline, match=r"not done after 1\.5 s.*(503 Service Unavailable|timed out)"):
        place.prepare(built, within=1.5)


@pytest.mark.parametrize("beginning", [HEADER, CHUNK], ids=["a header", "the size of a chunk"])
def test_the_deadline_holds_while_a_source_trickles(beginning: bytes, place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(trickle=beginning, trickles=100)
    begun = time.monotonic()
    with pytest.raises(Deadline, match=r"not done after 1 s.*The last trouble: http://.* was still awaited\.") as info:
        place.prepare(built, within=1)
    assert time.monotonic() - begun < SOON
    assert info.value.next_action


@pytest.mark.parametrize("beginning", [HEADER, CHUNK], ids=["a header", "the size of a chunk"])
def test_a_source_that_trickles_is_given_up_as_one_that_is_silent_and_tried_again(
    beginning: bytes, place: Place
) -> None:
    built = place.build()
    place.server.manners = Manners(trickle=beginning, trickles=1)
    place.store._patience = HASTY
    begun = time.monotonic()
    place.prepare(built)
    assert time.monotonic() - begun < SOON
    assert place.is_whole(built)


def test_a_source_that_trickles_for_ever_ends_in_a_sentence(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(trickle=HEADER, trickles=100)
    place.store._patience = HASTY
    error = refused(place, built, Temporary)
    assert error.rule == "source-unreachable"
    assert "timed out, nothing whole came within 0.3 s" in error.text
    assert error.next_action


def given_up_after(place: Place, source: str) -> float:
    """Seconds from the moment in which nobody wants it any more, soon after its begin."""
    built, end = place.build(), time.monotonic() + 0.5
    with pytest.raises(Temporary) as info:
        place.store.prepare(
            "web",
            built.signed.ref,
            source or place.server.url(built.archive),
            within=60,
            cancelled=lambda: time.monotonic() > end,
        )
    assert info.value.rule == "cancelled"
    return time.monotonic() - end


@pytest.mark.parametrize("beginning", [HEADER, CHUNK], ids=["a header", "the size of a chunk"])
def test_what_nobody_wants_any_more_is_given_up_at_once_while_its_source_trickles(
    beginning: bytes, place: Place
) -> None:
    place.server.manners = Manners(trickle=beginning, trickles=100)
    assert given_up_after(place, "") < SOON


def test_what_nobody_wants_any_more_is_given_up_at_once_while_tls_is_not_agreed_upon(place: Place) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        assert given_up_after(place, f"https://127.0.0.1:{mute.getsockname()[1]}/web.tar.gz") < SOON


def test_what_nobody_wants_any_more_is_given_up_at_once_while_its_source_does_not_answer(place: Place) -> None:
    with full_listener() as port:
        assert given_up_after(place, f"http://127.0.0.1:{port}/web.tar.gz") < SOON


def test_a_network_that_swallows_all_is_known_from_a_source_that_stalls(place: Place) -> None:
    def asked(source: str) -> bool:
        effort = Effort("Preparing", within=30.0, clock=SystemClock(), cancelled=lambda: False)
        with pytest.raises(Temporary) as refused, Line(source, effort, HASTY.stall).pieces(0):
            raise AssertionError("it answered")
        return nobody_answers(refused.value)

    place.server.manners = Manners(trickle=HEADER, trickles=1)
    assert not asked(f"http://127.0.0.1:{place.server.port}/{place.build().archive.name}")
    with full_listener() as port:
        assert asked(f"http://127.0.0.1:{port}/web.tar.gz")


def test_passing_trouble_of_the_server_is_waited_out(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(statuses=[503, 429])
    place.prepare(built)
    assert place.is_whole(built)


def test_nobody_listening_is_a_temporary_trouble(place: Place) -> None:
    built = place.build()
    error = refused(place, built, Temporary, f"http://127.0.0.1:{free_port()}/{built.archive.name}")
    assert error.rule == "source-unreachable"
    assert "refused" in error.text


def test_a_server_that_sends_more_than_was_signed_is_refused(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(extra=b"more" * 1000)
    assert refused(place, built, BadInput).rule == "larger-than-signed"
    assert not list(place.downloads.iterdir())


def test_a_length_that_is_too_large_does_not_matter_when_the_bytes_are_right(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(claim=1000)
    place.prepare(built)
    assert place.is_whole(built)


def test_a_length_that_is_too_small_ends_in_a_sentence(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(claim=-1000)
    error = refused(place, built, NoondayError)
    assert error.rule in ("broke-off", "source-unreachable", "digest-mismatch")


def test_other_bytes_than_were_signed_are_refused(place: Place) -> None:
    built = place.build()
    raw = bytearray(built.archive.read_bytes())
    raw[1000] ^= 1
    built.archive.write_bytes(raw)
    assert refused(place, built, BadInput).rule == "digest-mismatch"
    assert not list(place.downloads.iterdir())
    assert len(place.server.ranges) == 1, "a whole download that is wrong is not tried again"


@pytest.mark.parametrize("gone", ["archive", "manifest"])
def test_a_release_that_was_not_pushed_is_named(gone: str, place: Place) -> None:
    built = place.build()
    (built.archive if gone == "archive" else built.manifest).unlink()
    assert refused(place, built, BadInput).rule == "release-not-found"
    assert refused(place, built, BadInput, str(built.archive)).rule == "release-not-found"


def test_a_forbidden_source_is_not_tried_for_minutes(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(statuses=[403, 403])
    assert refused(place, built, Permanent).rule == "source-refused"
    assert len(place.server.ranges) == 1


def test_a_redirect_is_followed_to_http_only(place: Place) -> None:
    built = place.build()
    place.server.manners = Manners(redirect_to=f"file://{built.archive}")
    assert refused(place, built, NoondayError).rule == "source-refused"
    place.server.manners = Manners(redirect_to=f"ftp://127.0.0.1/{built.archive.name}")
    assert refused(place, built, NoondayError).rule == "source-unreachable"
    with serve_releases(place.server.folder) as mirror:
        place.server.manners = Manners(redirect_to=mirror.url(built.archive))
        place.prepare(built)
    assert place.is_whole(built)


@pytest.mark.parametrize(
    "source", ["ftp://127.0.0.1/x.tar.gz", "web.tar.gz", "", "http://[::1", "http://a b/x", "http://h:port/x"]
)
def test_no_other_source_is_touched(source: str, place: Place) -> None:
    built = place.build()
    with pytest.raises(BadInput) as info:
        place.store.prepare("web", built.signed.ref, source, within=5)
    assert info.value.rule == "unusable-source"


def test_passwords_in_a_source_are_not_shown(place: Place) -> None:
    built = place.build()
    source = f"http://user:secret@127.0.0.1:{free_port()}/{built.archive.name}?token=secret"
    assert "secret" not in str(refused(place, built, NoondayError, source))


def test_only_what_pinned_keys_signed_is_fetched(place: Place) -> None:
    built = Shelf(place.shelf.folder, SigningKey(b"x" * 32)).build("1.0.0")
    assert refused(place, built, BadInput).rule == "bad-signature"
    assert place.server.ranges == [], "no byte of the archive was asked for"


@pytest.mark.parametrize(
    ("app", "version", "digest", "rule"),
    [
        ("shop", None, None, "other-release"),
        ("web", "9.9.9", None, "other-release"),
        ("web", None, "0" * 64, "digest-mismatch"),
    ],
)
def test_a_signed_release_that_was_not_assigned_is_refused(
    app: str, version: str | None, digest: str | None, rule: str, place: Place
) -> None:
    built = place.build()
    signed = built.signed
    ref = ReleaseRef(version=version or signed.version, digest=digest or signed.digest)
    with pytest.raises(BadInput) as info:
        place.store.prepare(app, ref, place.server.url(built.archive), within=5)
    assert info.value.rule == rule
    assert place.server.ranges == []


def test_a_release_that_is_larger_than_this_host_allows_is_refused_before_its_download(place: Place) -> None:
    built = place.build()
    place.store._max_unpacked = BIG - 1
    assert refused(place, built, BadInput).rule == "too-large"
    assert place.server.ranges == []


def test_a_signed_hostile_archive_is_refused_and_leaves_nothing(place: Place) -> None:
    archive = make_archive(place.server.folder / "web.tar.gz", [release_toml(), Member("../../evil", b"x")])
    signed = sign_archive(archive, KEY, unpacked=40)
    with pytest.raises(BadInput) as info:
        place.store.prepare("web", signed.ref, place.server.url(archive), within=5)
    assert info.value.rule == "parent-path"
    assert not list((place.root / "releases").iterdir())
    assert not list(place.downloads.iterdir())


def test_a_signed_archive_with_another_release_toml_is_refused(place: Place) -> None:
    archive = make_archive(place.server.folder / "web.tar.gz", [release_toml("2.0.0")])
    signed = sign_archive(archive, KEY, version="1.0.0", unpacked=len(release_toml("2.0.0").data))
    with pytest.raises(BadInput) as info:
        place.store.prepare("web", signed.ref, place.server.url(archive), within=5)
    assert info.value.rule == "manifest-mismatch"
    assert not list((place.root / "releases").iterdir())


def test_what_nobody_wants_any_more_is_given_up_and_can_go_on_later(place: Place) -> None:
    built = place.build()
    arrived: list[int] = []
    with pytest.raises(Temporary) as info:
        place.store.prepare(
            "web",
            built.signed.ref,
            place.server.url(built.archive),
            within=20,
            cancelled=lambda: bool(arrived),
            progress=lambda here, whole: arrived.append(here),
        )
    assert info.value.rule == "cancelled"
    assert (place.downloads / f"{built.signed.digest}.part").stat().st_size == arrived[-1]
    place.prepare(built)
    assert place.is_whole(built)
    assert place.server.ranges == [None, f"bytes={arrived[-1]}-"]
