"""A real part that a test needs: skip with a reason at a desk, fail in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def need(program: str, package: str) -> str:
    """The program's path. In CI (environment CI=true) a missing one fails the test, elsewhere it skips it."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
    if found:
        return found
    reason = f"{program} is missing: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
