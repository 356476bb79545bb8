"""The shop's releases: one source tree, and what each release changes in it."""

from __future__ import annotations

import shutil
from pathlib import Path

_HERE = Path(__file__).parent

RELEASES: dict[str, tuple[str, ...]] = {
    "1.0.0": (),
    "1.1.0": ("v1_1_0",),
    "1.2.0": ("v1_1_0", "v1_2_0"),
    "1.3.0": ("v1_1_0", "v1_3_0"),
    "1.4.0": ("v1_1_0", "v1_4_0"),
}
"""Which folders of `overlays/` are laid over `app/`, in order. 1.2.0, 1.3.0 and 1.4.0 all build on 1.1.0."""


def lay_out(version: str, into: Path) -> Path:
    """Write the source of `version` to `into`, a folder that does not exist yet, ready for `noonday release build`."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_HERE / "app", into, ignore=ignore)
    for overlay in RELEASES[version]:
        shutil.copytree(_HERE / "overlays" / overlay, into, ignore=ignore, dirs_exist_ok=True)
    return into
