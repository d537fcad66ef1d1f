"""The `compress` command: its subcommands, and what an error becomes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from compress import __version__, limits
from compress.cli import (
    cache,
    doctor,
    flags,
    import_,
    inspect,
    keygen,
    pack,
    predict,
    run,
    sign,
    signals,
    unpack,
    verify,
    warm,
    zoo,
)
from compress.cli import eval as evaluate
from compress.cli.output import fail
from compress.errors import CompressError, MissingExtraError

# Modules of the extra that does the compressing.
_TORCH = ("torch", "torchvision", "accelerate", "onnxscript", "sklearn")

# Commands that load no native code, and the address space of a start of the others, with room to
# compile a kernel; where there is more than the last, all of numpy's threads have room, too.
_LIGHT = (zoo.command, cache.command, sign.command, keygen.command)
_START, _ROOMY = 480 << 20, 4 << 30

app = typer.Typer(
    name="compress",
    cls=flags.Group,
    help="From a named network to a small file that ships.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command end in one line where it is interrupted, and has no words of its own."""

    @functools.wraps(command)
    def run_it(*arguments: Any, **options: Any) -> None:  # noqa: ANN401  (the command's own)
        if command not in _LIGHT:
            _require_room()
        try:
            with signals.interrupting():
                command(*arguments, **options)
        except KeyboardInterrupt:
            fail("interrupted", signals.code())

    return run_it


def _require_room() -> None:
    """Refuse a start that would end in a crash of native code; make it need little."""
    free = limits.free_address_space()
    if free is not None:
        limits.require_memory("this command", 0, _START)
        if free < _ROOMY:  # numpy's linear algebra maps memory for each core, and none here uses it
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


for module in (
    run, pack, unpack, inspect, verify, sign, keygen, evaluate, predict, import_, zoo, cache,
    doctor, warm,
):  # fmt: skip
    name = module.__name__.rpartition(".")[2].rstrip("_")
    made = app.command(name, cls=flags.Command, epilog=f"Example: {module.EXAMPLE}")
    made(_interruptible(module.command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


_VERSION = typer.Option(
    "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
)


@app.callback()
def _options(version: Annotated[bool, _VERSION] = False) -> None:
    pass


def main() -> None:
    """Run the command line; a `CompressError` is one line on stderr and exit code 1."""
    try:
        app(prog_name="compress")
    except CompressError as error:
        fail(str(error))
    except OSError as error:  # of the terminal or the system; those of files have their own wording
        fail(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TORCH:
            raise
        fail(str(MissingExtraError(package, "torch,report")))
    except Exception as error:
        if not isinstance(error, MemoryError) and limits.free_address_space() is None:
            raise
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        fail(f"memory is used up ({what}); raise the limit, or close other programs")
