"""Releases for the test fleet: the tiny app, behaving as `mode` says, and whatever files a test adds.

Modes: `healthy` · `sick` (health 503) · `dies N` (exits N seconds after its start, and is started again) ·
`errors` (logs an ERROR that is new, at each request) · `old-code` (starts the code of another release on the disk) ·
`claims V` (its version endpoint answers V) · `slow N` (listens N seconds after its start, not before).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_APP = Path(__file__).with_name("tiny_app.py")

_START = """\
#!/bin/sh
set -eu
here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)
if [ "$(cat "$here/mode")" = old-code ]; then
  cd "$here/.."
  here=$PWD/$(ls | grep -v "$(basename "$here")" | head -n 1)
fi
cd "$here"
exec "$TINY_PYTHON" -ISs app.py
"""


def lay_out(folder: Path, app: str, version: str, *, mode: str, toml: str, files: Mapping[str, str]) -> Path:
    """Write the source of a release to `folder`. `toml`: more of release.toml. Files in bin/ and hooks/ can be run."""
    texts = {
        "release.toml": f'app = "{app}"\nhealth = "/healthz"\nversion_endpoint = "/version"\n{toml}',
        "app.py": _APP.read_text(),
        "bin/start": _START,
        "mode": mode,
        "version": version,
        **files,
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.parent.name in ("bin", "hooks"):
            path.chmod(0o755)
    return folder
