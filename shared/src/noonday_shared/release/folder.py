"""Which files of a folder belong to a release."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from noonday_shared.errors import BadInput
from noonday_shared.release.manifest import FILE_NAME

IGNORE_FILE = ".noondayignore"
ALWAYS_SKIPPED = frozenset({".git", "__pycache__"})


def release_files(folder: Path, *, leave_out: Path) -> list[Path]:
    """Every file, folder and link below `folder` that is not ignored, sorted; links are not followed.

    `leave_out`: a folder that is no part of it, as the one where archives are written. Raises `BadInput`.
    """
    if leave_out.resolve() == folder.resolve():
        raise BadInput(
            f"Archives can't be written into {folder} itself: each would hold the ones before it.",
            rule="out-dir-is-the-release",
            next_action=f"write them to a folder in it, as {folder / 'dist'}, or elsewhere",
        )
    patterns = _read_patterns(folder / IGNORE_FILE)
    if leave_out.resolve().is_relative_to(folder.resolve()):
        inside = leave_out.resolve().relative_to(folder.resolve()).as_posix()
        patterns.append(_Pattern(glob.escape(inside), from_top=True, only_folders=False))
    return sorted(_walk(folder, "", patterns), key=lambda path: path.relative_to(folder).parts)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line: `*.log` matches a name anywhere, `tmp/*` a path from the top, `cache/` only folders."""

    text: str
    from_top: bool
    only_folders: bool

    def matches(self, path: str, name: str, is_folder: bool) -> bool:
        if self.only_folders and not is_folder:
            return False
        return fnmatchcase(path if self.from_top else name, self.text)


def _read_patterns(file: Path) -> list[_Pattern]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read as UTF-8.", next_action=f"check {file}") from error
    texts = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [_Pattern(text.strip("/"), "/" in text.rstrip("/"), text.endswith("/")) for text in texts]


def _walk(folder: Path, prefix: str, patterns: list[_Pattern]) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise BadInput(f"{folder} can't be read: {error.strerror}.", next_action=f"check {folder}") from error
    for entry in entries:
        path = f"{prefix}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if _skipped(path, entry.name, is_folder, patterns):
            continue
        yield folder / entry.name
        if is_folder:
            yield from _walk(folder / entry.name, f"{path}/", patterns)


def _skipped(path: str, name: str, is_folder: bool, patterns: list[_Pattern]) -> bool:
    if path in (FILE_NAME, IGNORE_FILE):
        return path == IGNORE_FILE
    return name in ALWAYS_SKIPPED or any(pattern.matches(path, name, is_folder) for pattern in patterns)
