from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import noonday_coordinator.statistics as room

FILES = sorted(Path(room.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_statistics_import_only_the_standard_library_and_each_other(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.startswith(room.__name__) or name.partition(".")[0] in sys.stdlib_module_names
