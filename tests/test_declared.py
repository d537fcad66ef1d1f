"""What is imported is declared: types, lint and collection hold where nothing else is installed."""

from __future__ import annotations

import ast
import sys
from importlib import metadata
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
OURS = ("compress", "compress_zoo", "benchmarks", "tests")
FOLDERS = ("compress", "zoo/compress_zoo", "benchmarks", "tests")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FUZZERS = {"atheris"}  # of tests/fuzz/run.py, which is neither collected nor typed


def imported() -> dict[str, str]:
    """Return where each module of others is imported, at the top of a file or within."""
    found = {}
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            found |= {name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names}
    return {name: at for name, at in found.items() if name not in {*sys.stdlib_module_names, *OURS}}


def installed() -> set[str]:
    """Return all that `pip install .[dev]` brings, by name."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    left = [Requirement(line) for line in project["dependencies"] + extras["dev"]]
    found: set[str] = set()
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if name == canonicalize_name(project["name"]):
            left += [Requirement(line) for extra in wanted.extras for line in extras[extra]]
        elif name not in found:
            found.add(name)
            lines = map(Requirement, metadata.requires(name) or ())
            left += [one for one in lines if one.marker is None or one.marker.evaluate()]
    return found


def untyped() -> set[str]:
    """Return the modules of which mypy is told to look at none."""
    return {
        name.removesuffix(".*")
        for override in PROJECT["tool"]["mypy"]["overrides"]
        if override.get("follow_imports") == "skip"
        for name in override["module"]
    }


def test_every_import_is_of_the_environment_that_is_checked_or_is_no_matter_to_types() -> None:
    holders, known = metadata.packages_distributions(), installed()
    strange = {
        name: at
        for name, at in imported().items()
        if not known & set(map(canonicalize_name, holders.get(name, ())))
    }
    assert {name: strange[name] for name in strange.keys() - untyped() - FUZZERS} == {}
