"""The `compress` command: its subcommands, and what an error becomes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from compress import __version__
from compress.cli import (
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
    zoo,
)
from compress.cli import eval as evaluate
from compress.cli.output import fail
from compress.errors import CompressError, MissingExtraError

# Modules of the extra that does the compressing.
_TORCH = ("torch", "torchvision", "accelerate", "onnxscript", "sklearn")

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
        try:
            with signals.interrupting():
                command(*arguments, **options)
        except KeyboardInterrupt:
            fail("interrupted", signals.code())

    return run_it


for module in (
    run, pack, unpack, inspect, verify, sign, keygen, evaluate, predict, import_, zoo, doctor,
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
    from zoo.errors import ZooError

    try:
        app(prog_name="compress")
    except (CompressError, ZooError) as error:
        fail(str(error))
    except OSError as error:  # of the terminal or the system; those of files have their own wording
        fail(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TORCH:
            raise
        fail(str(MissingExtraError(package, "torch,report")))
    except MemoryError:
        fail("memory is used up; close other programs or take a smaller model")
