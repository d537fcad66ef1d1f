"""Code of the user's own: loaded and called because the user names it, and nothing else is.

What fails in it is told in one line, with its place and its own words; the error has the whole
traceback as its cause.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from compress.errors import CompressError, MissingExtraError, SettingsError

_TORCH = ("torch", "torchvision")  # what our own extra brings


def load(text: str, what: str) -> tuple[Any, str]:
    """Return what a reference names, and where it is.

    Args:
        text: `FILE.py:NAME` or `MODULE:NAME`; the name may have dots.
        what: is named, for errors: model or task.

    Raises:
        SettingsError: when there is no such file, module or name, or its code fails.
    """
    place, _, name = text.rpartition(":")
    if text.endswith(".py") or not place or not name:
        raise SettingsError(
            f"{what} must name a function, such as {text.strip(':')}:NAME, got {text!r}"
        )
    module = (
        _of_file(Path(place).expanduser(), text, what)
        if place.endswith(".py")
        else _of_name(place, text, what)
    )
    try:
        found = attrgetter(name)(module)
    except AttributeError:
        raise SettingsError(
            f"{what} must name what {place} has, got {text!r}{_near(name, module)}"
        ) from None
    return found, module.__file__ or place


def called(function: Callable[..., Any], where: str, text: str, what: str, **given: Any) -> Any:  # noqa: ANN401
    """Call a function of the user's; what it raises is told in one line."""
    with _told(where, text, what):
        return function(**given)


def parameters(
    function: Callable[..., Any], text: str, what: str, known: Sequence[str]
) -> frozenset[str]:
    """Return which of the known arguments a function takes.

    Raises:
        SettingsError: when it cannot be called with these alone.
    """
    try:
        found = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # written in C
        return frozenset()
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    wanted = [p.name for p in found if p.default is p.empty and p.kind not in many]
    if missing := [name for name in wanted if name not in known]:
        raise SettingsError(
            f"{what} {text} must be callable with no argument but {', '.join(known)}, "
            f"it asks for {', '.join(missing)}"
        )
    return frozenset(p.name for p in found if p.name in known)


def _of_file(path: Path, text: str, what: str) -> ModuleType:
    """Run a file as a module, once for its content; its folder is where it imports from first."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{what} {text}: {path} cannot be read: {error.strerror}") from error
    path = path.resolve()
    digest = hashlib.sha256(f"{path}\n".encode() + content).hexdigest()[:12]
    name = f"{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with _importing_from(path.parent, first=True), _told(str(path), text, what):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_name(name: str, text: str, what: str) -> ModuleType:
    """Import a module that is installed, or lies in the current folder."""
    with _importing_from(Path.cwd(), first=False):
        try:
            is_there = importlib.util.find_spec(name) is not None
        except (ImportError, ValueError, AttributeError):  # of a package that is none
            is_there = False
        if not is_there:
            from compress.references.kinds import forms

            more = f"; the forms are {forms()}" if what == "model" else ""
            raise SettingsError(
                f"{what} must name a module that is installed or in this folder, got {text!r}{more}"
            )
        with _told(name, text, what):
            return importlib.import_module(name)


@contextmanager
def _importing_from(folder: Path, *, first: bool) -> Iterator[None]:
    """Let imports find what lies in a folder: first while a file runs, and last from then on."""
    place = str(folder)
    is_new = place not in sys.path
    if is_new:
        sys.path.insert(0 if first else len(sys.path), place)
    try:
        yield
    finally:
        if is_new and first:
            sys.path.remove(place)
            sys.path.append(place)


@contextmanager
def _told(where: str, text: str, what: str) -> Iterator[None]:
    try:
        yield
    except CompressError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  (the user's code raises what it likes)
        _raise(error, where, text, what)


def _raise(error: BaseException, where: str, text: str, what: str) -> NoReturn:
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in _TORCH:
        raise MissingExtraError(package, "torch") from error
    said = " ".join(traceback.format_exception_only(error)[-1].split())
    if isinstance(error, SyntaxError):
        raise SettingsError(
            f"{what} {text}: {error.filename}, line {error.lineno}: {said}"
        ) from error
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == where]
    place = f"{where}, line {frames[-1].lineno}" if frames else where
    raise SettingsError(f"{what} {text}: {place}: {said}") from error


def _near(name: str, module: ModuleType) -> str:
    import difflib

    near = difflib.get_close_matches(name, [n for n in vars(module) if not n.startswith("_")])
    return f"; the nearest are {', '.join(near)}" if near else ""
