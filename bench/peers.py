"""The other tools, each in a virtual environment of its own that is kept between runs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from noonday_shared.errors import Temporary

_INSTALL_WITHIN = 900.0
COLLECTIONS = ("community/general", "ansible/posix")


def cache() -> Path:
    """Where they are kept: NOONDAY_BENCH_CACHE, else ~/.cache/noonday-bench."""
    folder = Path(os.environ.get("NOONDAY_BENCH_CACHE") or "~/.cache/noonday-bench").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ansible() -> Path:
    """The folder with ansible-playbook. Raises `Temporary` when it can't be installed."""
    tools = _installed("ansible", "ansible-core")
    if not collections().exists():
        _unpack_collections(tools)
    return tools


def collections() -> Path:
    return cache() / "collections"


def salt() -> Path:
    """The folder with salt-master and salt-minion. Raises `Temporary` when they can't be installed."""
    return _installed("salt", "salt")


def peer(name: str) -> Path:
    """The folder with the Python of a tool that is one package. Raises `Temporary` when it can't be installed."""
    return _installed(name, name)


def _installed(name: str, package: str) -> Path:
    folder = cache() / name
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", package], f"pip install {package}")
        done.touch()
    return folder / "bin"


def _unpack_collections(tools: Path) -> None:
    """Out of the `ansible` package, which holds a hundred of them: two are wanted."""
    wheels = cache() / "wheels"
    pip = [str(tools / "python"), "-m", "pip"]
    _run([*pip, "download", "--quiet", "--no-deps", "--dest", str(wheels), "ansible"], "pip download ansible")
    draft = cache() / "collections.new"
    with zipfile.ZipFile(next(wheels.glob("ansible-*.whl"))) as wheel:
        wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
        wheel.extractall(draft, [name for name in wheel.namelist() if name.startswith(wanted)])
    draft.rename(collections())


def _run(argv: list[str], what: str) -> None:
    print(f"  {what} (once)", file=sys.stderr, flush=True)
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_INSTALL_WITHIN)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or ["no words"]
        raise Temporary(f"{what} failed: {last[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise Temporary(f"{what} took more than {_INSTALL_WITHIN:g} s") from error
