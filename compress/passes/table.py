"""The passes, each named once: section of a recipe, option, stage and row of a report.

The order is that of a run; a recipe's `steps` may give another. Tests of the laws, the recipe's
round trip, options, help and docs go over this table, so that adding a pass is one file with its
settings and its function, and one row. It imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from compress.passes import settings, targets

if TYPE_CHECKING:
    from compress.passes.context import Run
    from compress.passes.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One row."""

    name: str  #: of the section, the option (with `-` for `_`), the stage and the report's row
    settings: type[Any]  #: its class, whose docstring's first line is the option's help
    run: str  #: MODULE:FUNCTION, called as `context.Run`
    short: str  #: the setting that `--NAME VALUE` gives
    parse: Callable[[str], Any]  #: VALUE to that setting
    metavar: str  #: of VALUE
    trains: bool = False  #: it trains the network, by its setting `train`
    trains_or_looks: bool = False  #: it looks at samples only where it does not train
    needs_file: bool = False  #: its result depends on how the file is written
    instead_of: tuple[str, ...] = ()  #: passes that it cannot be together with
    rebuild: str | None = None  #: MODULE:FUNCTION that makes its structure from its plan

    def function(self) -> Run:
        """Import the function that runs it."""
        module, _, name = self.run.partition(":")
        run: Run = getattr(import_module(module), name)
        return run

    def rebuilding(self) -> Callable[[Network, Mapping[str, Any]], object]:
        """Import the function that makes its structure from its plan, in place."""
        module, _, name = (self.rebuild or "").partition(":")
        rebuild: Callable[[Network, Mapping[str, Any]], object]
        rebuild = getattr(import_module(module), name)
        return rebuild


PASSES = (
    Pass(
        name="distill",
        settings=settings.DistillSettings,
        run="compress.passes.distill:distill",
        short="teacher",
        parse=str,
        metavar="REF|dense",
        trains=True,
        rebuild="compress.passes.distill:rebuild",
    ),
    Pass(
        name="structured",
        settings=settings.StructuredSettings,
        run="compress.passes.structured:structured",
        short="macs_removed",
        parse=targets.macs_removed,
        metavar="S",
        trains=True,
        rebuild="compress.passes.structured:rebuild",
    ),
    Pass(
        name="prune",
        settings=settings.PruneSettings,
        run="compress.passes.prune:prune",
        short="sparsity",
        parse=targets.sparsity_targets,
        metavar="S|N:M|KIND=S,…",
        trains=True,
        trains_or_looks=True,
    ),
    Pass(
        name="quantize",
        settings=settings.QuantizeSettings,
        run="compress.passes.quantize:quantize",
        short="bits",
        parse=targets.bits_or_auto,
        metavar="N|KIND=N,…|auto",
        trains=True,
        instead_of=("target_bytes",),
    ),
    Pass(
        name="target_bytes",
        settings=settings.TargetBytesSettings,
        run="compress.passes.target_bytes:to_size",
        short="target_bytes",
        parse=targets.n_bytes,
        metavar="N|NMB|NMiB",
        needs_file=True,
        instead_of=("quantize",),
    ),
)
