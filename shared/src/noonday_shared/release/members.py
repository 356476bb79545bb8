"""What an archive may hold. Build, push and unpack ask the same questions, so what was built can be unpacked.

Nothing here trusts a header alone: names and links are judged by walking the archive's own tree as a kernel would.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from noonday_shared.config import parse_toml
from noonday_shared.errors import BadInput
from noonday_shared.release.manifest import FILE_NAME, ReleaseManifest

MOST_MEMBERS = 200_000
LONGEST_NAME = 4096
LONGEST_PART = 255
LARGEST_TOML = 1 << 16
_MOST_LINKS = 40
_SETID = 0o7000
# Python 3.11 has it since 3.11.4 only, and Debian 12 ships 3.11.2; our own rules do not lean on it.
_data_filter: Callable[[tarfile.TarInfo, str], object] | None = getattr(tarfile, "data_filter", None)

Parts = tuple[str, ...]
Tree = dict[Parts, tarfile.TarInfo]


@dataclass(frozen=True, slots=True)
class Contents:
    """An archive that passed: its members by their path in parts, in the archive's order."""

    manifest: ReleaseManifest
    unpacked: int
    """Bytes of all files."""
    members: Tree


def check_members(tar: tarfile.TarFile, *, limit: int) -> Contents:
    """Judge every member of `tar`; `limit`: bytes of all files. Raises `BadInput` naming the member and the rule."""
    tree: Tree = {}
    unpacked = 0
    for count, member in enumerate(tar, 1):
        if count > MOST_MEMBERS:
            raise refusal("too-many-members", FILE_NAME, f"it holds more than {MOST_MEMBERS} members")
        parts = _own_parts(member)
        if not parts and member.isdir():
            continue
        if not parts or parts in tree:
            raise refusal("duplicate-name", member.name, "a name may come once")
        _check_kind(member)
        tree[parts] = member
        unpacked += member.size if member.isreg() else 0
        if unpacked > limit:
            raise refusal("too-large", member.name, f"with it the files are larger than {limit} bytes")
    _check_tree(tree)
    manifest = _read_manifest(tar, tree)
    _check_hooks(manifest, tree)
    _check_shared(manifest, tree)
    return Contents(manifest, unpacked, tree)


def refusal(rule: str, member: str, why: str) -> BadInput:
    return BadInput(
        f"The archive is refused at {member[:200]!r}: {why} ({rule}).",
        rule=rule,
        next_action="mend the release's folder and build it again: noonday release build",
    )


def _own_parts(member: tarfile.TarInfo) -> Parts:
    name = member.name
    if len(name.encode(errors="surrogateescape")) > LONGEST_NAME or len(member.linkname) > LONGEST_NAME:
        raise refusal("name-too-long", name, f"a name has at most {LONGEST_NAME} bytes")
    if _unsafe_text(name) or _unsafe_text(member.linkname):
        raise refusal("bad-name", name, "names are UTF-8 without control characters")
    if name.startswith("/"):
        raise refusal("absolute-path", name, "paths start inside the release")
    parts = PurePosixPath(name).parts
    if ".." in parts:
        raise refusal("parent-path", name, "'..' is not allowed in a path")
    if any(len(part.encode()) > LONGEST_PART for part in parts):
        raise refusal("name-too-long", name, f"one part of a path has at most {LONGEST_PART} bytes")
    return parts


def _unsafe_text(name: str) -> bool:
    return any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in name)


def _check_kind(member: tarfile.TarInfo) -> None:
    if member.issparse():
        raise refusal("sparse-file", member.name, "a sparse file claims bytes that are not there")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise refusal("special-file", member.name, "only files, folders and links; no devices, fifos or others")
    if not member.issym() and member.mode & _SETID:
        raise refusal("setuid", member.name, "setuid, setgid and sticky bits are not allowed")
    if (member.issym() or member.islnk()) and not (member.linkname and not member.linkname.startswith("/")):
        raise refusal("absolute-link", member.name, "a link's target is relative and inside the release")


def _check_tree(tree: Tree) -> None:
    seen: set[Parts] = set()
    for parts, member in tree.items():
        for end in range(1, len(parts)):
            above = tree.get(parts[:end])
            if above is not None and not above.isdir():
                raise refusal("under-a-link", member.name, f"{above.name!r} above it is not a folder")
        if member.issym():
            _check_inside(tree, parts, member)
        if member.islnk():
            target = PurePosixPath(member.linkname).parts
            if target not in seen or not tree[target].isreg():
                raise refusal("escaping-link", member.name, "a hard link names a file that came before it")
        seen.add(parts)
        _check_by_python(member)


def _check_by_python(member: tarfile.TarInfo) -> None:
    if _data_filter is None:
        return
    try:
        _data_filter(member, "/proc/noonday-release")
    except tarfile.TarError as error:
        raise refusal("tar-data-filter", member.name, str(error)) from error


def _check_inside(tree: Tree, parts: Parts, link: tarfile.TarInfo) -> None:
    """Walk the target part by part through other links of the archive: no step may leave the release."""
    here: Parts = parts[:-1]
    ahead = list(reversed(PurePosixPath(link.linkname).parts))
    followed = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not here:
                raise refusal("escaping-link", link.name, f"its target {link.linkname!r} leaves the release")
            here = here[:-1]
            continue
        here = (*here, part)
        through = tree.get(here)
        if through is not None and through.issym():
            followed += 1
            if followed > _MOST_LINKS:
                raise refusal("escaping-link", link.name, "its target goes through too many links")
            here = here[:-1]
            ahead.extend(reversed(PurePosixPath(through.linkname).parts))


def _read_manifest(tar: tarfile.TarFile, tree: Tree) -> ReleaseManifest:
    member = tree.get((FILE_NAME,))
    if member is None or not member.isreg() or member.size > LARGEST_TOML:
        why = f"a {FILE_NAME} at the top must be a regular file of at most {LARGEST_TOML} bytes"
        raise refusal("no-release-toml", FILE_NAME, why)
    file = tar.extractfile(member)
    raw = file.read() if file else b""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise refusal("no-release-toml", FILE_NAME, "it is not UTF-8") from error
    return parse_toml(text, ReleaseManifest, where=FILE_NAME)


def _check_hooks(manifest: ReleaseManifest, tree: Tree) -> None:
    hooks = manifest.hooks
    for hook in (hooks.pre_activate, hooks.post_activate, hooks.post_return):
        if hook is None:
            continue
        member = tree.get(PurePosixPath(hook).parts)
        if member is None or member.isdir():
            raise refusal("hook-missing", hook, f"{FILE_NAME} names this hook, and it is not in the archive")
        if member.isreg() and not member.mode & 0o100:
            raise refusal("hook-not-executable", hook, "a hook must be executable: chmod +x")


def _check_shared(manifest: ReleaseManifest, tree: Tree) -> None:
    shared = [PurePosixPath(path) for path in manifest.shared]
    for path in shared:
        if path == PurePosixPath(FILE_NAME) or any(other in path.parents for other in shared) or shared.count(path) > 1:
            raise refusal("shared-overlap", str(path), "shared paths don't overlap and are not release.toml")
        for above in path.parents:
            member = tree.get(above.parts)
            if member is not None and not member.isdir():
                raise refusal("under-a-link", str(path), f"{str(above)!r} above this shared path is not a folder")
