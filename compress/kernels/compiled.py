"""Compile array functions once for each machine, and keep the machine code where that is possible.

numba's own cache wants a source file and a writable place, and trusts what it finds there: without
the first two it refuses to work, and a file that a power cut left half is an error at every start.
Here a file is named by all that decides its content and begins with a digest of it; what is
missing, damaged or cannot be kept is compiled again, and nobody is told.

What is kept is numba's pickle of a compiled function. It is only looked for beside the package,
which is code already, and in folders of this user.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Literal, TypeVar

import llvmlite
import numba
import numpy as np
from numba.core import compiler, serialize

from compress import files, places
from compress.errors import CompressError

_F = TypeVar("_F", bound=Callable[..., Any])

_log = logging.getLogger(__name__)

_VERSIONS = (numba.__version__, llvmlite.__version__, np.__version__)
_BESIDE = Path(__file__).parent / "__pycache__"
_TAG = sys.implementation.cache_tag


def compiled(*, inline: Literal["always", "never"] = "never") -> Callable[[_F], _F]:
    """Compile a function when it is first called, without holding the GIL while it runs."""

    def of(function: _F) -> _F:
        dispatcher: Any = numba.njit(nogil=True, inline=inline)(function)
        if hasattr(dispatcher, "targetctx"):  # NUMBA_DISABLE_JIT leaves the function as it is
            dispatcher._cache = _Kept(dispatcher.py_func, inline)
        result: _F = dispatcher
        return result

    return of


@functools.cache
def folder() -> Path | None:
    """Return where machine code is kept: the first place that can be written, if any can."""
    return next(filter(_is_writable, _places()), None)


def _places() -> Iterator[Path]:
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(given) / "compress"
    if _BESIDE.parent.is_dir() and not getattr(sys, "frozen", False):  # that lives for one run
        yield _BESIDE
    for place in (places.cache, places.temporary):
        with suppress(CompressError):  # there is none
            # Each installation has its own, so that two versions do not clear each other's.
            yield place() / "kernels" / _digest(str(_BESIDE).encode())


def _is_writable(place: Path) -> bool:
    try:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError as error:
        _log.info("no machine code is kept in %s: %s", place, error)
        return False


class _Kept:
    """The files of one function, in the form that numba asks for."""

    cache_path = None  # numba shows it in statistics

    def __init__(self, function: Callable[..., Any], inline: str) -> None:
        self._function, self._inline = function, inline
        self._name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401  (numba's types)
        """Return what was compiled for these types, or None."""
        name = self._file(sig, target_context.codegen())
        for place in (_BESIDE, folder()):  # what an installer left, and what this user keeps
            if place is None:
                continue
            try:
                data = (place / name).read_bytes()
                if hashlib.sha256(data[32:]).digest() != data[:32]:
                    continue  # LLVM may end the process on code that is not whole
                target_context.refresh()
                kept = serialize.loads(data[32:])
                rebuild: Any = compiler.CompileResult._rebuild  # numba has no type for it
                return rebuild(target_context, *kept)
            except FileNotFoundError:
                continue
            except Exception as error:  # noqa: BLE001  (whatever it is, compiling is the answer)
                _log.info("%s is not used: %r", place / name, error)
        return None

    def save_overload(self, sig: Any, cres: Any) -> None:  # noqa: ANN401  (numba's types)
        """Keep what was compiled for these types, where there is a place for it."""
        place = folder()
        movable = all(part.can_cache for part in cres.lifted)
        if place is None or not movable or cres.library.has_dynamic_globals:
            return
        name = self._file(sig, cres.codegen)
        try:
            dumps: Any = serialize.dumps  # numba has no type for it
            data = dumps(cres._reduce())
            files.write_bytes(place / name, hashlib.sha256(data).digest() + data)
            for path in place.glob(f"{self._name}-*-{_TAG}-*.nbc"):
                if path.name.split("-")[1] != name.split("-")[1]:  # of another state of the code
                    path.unlink(missing_ok=True)
        except Exception as error:  # noqa: BLE001  (it is compiled: a full disk is no reason to end)
            _log.info("%s is not kept: %r", place / name, error)

    def _file(self, sig: Any, codegen: Any) -> str:  # noqa: ANN401  (numba's types)
        content = hashlib.sha256(repr((_VERSIONS, self._inline)).encode())
        for part in _parts(self._function):
            content.update(hashlib.sha256(part).digest())
        types = [(str(kind), getattr(kind, "fields", ())) for kind in getattr(sig, "args", sig)]
        key = _digest(repr((types, codegen.magic_tuple())).encode())
        return f"{self._name}-{content.hexdigest()[:16]}-{_TAG}-{key}.nbc"

    def enable(self) -> None:
        """Do nothing: it is always on."""

    def disable(self) -> None:
        """Do nothing: it is always on."""

    def flush(self) -> None:
        """Do nothing: files are named by their content."""


def _parts(function: Callable[..., Any]) -> Iterator[bytes]:
    """Yield all that decides what a function does: its code, and what that names, in turn."""
    codes: list[tuple[CodeType, dict[str, Any]]] = [(function.__code__, function.__globals__)]
    seen = {id(function.__code__)}
    while codes:
        code, names = codes.pop()
        yield code.co_code
        yield repr((code.co_names, code.co_varnames, function.__defaults__)).encode()
        for value in (*code.co_consts, *(names[n] for n in code.co_names if n in names)):
            value = getattr(value, "py_func", value)  # of another compiled one
            inner = value if isinstance(value, CodeType) else getattr(value, "__code__", None)
            if inner is None:
                yield _value(value)
            elif id(inner) not in seen:
                seen.add(id(inner))
                codes.append((inner, getattr(value, "__globals__", names)))


def _value(value: object) -> bytes:
    if isinstance(value, np.ndarray):
        return repr((value.dtype, value.shape)).encode() + value.tobytes()
    if isinstance(value, (ModuleType, type)):
        return value.__name__.encode()
    return repr(value).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
