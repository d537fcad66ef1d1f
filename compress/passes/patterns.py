"""N:M on weights: which it fits, what it sets to zero, and whether it is there.

Groups lie along what a layer adds up, as TensorRT and cuSPARSELt take them: the inputs of a linear
layer, and those of a convolution at each place of its kernel. Transposed convolutions, recurrent
layers and embeddings have no sparse kernels there, and are left alone.
"""

from __future__ import annotations

from compress.kernels.groups import is_in_groups, keep_in_groups
from compress.passes.network import Weight, named_errors
from compress.passes.targets import Pattern


def misfit(weight: Weight, pattern: Pattern) -> str | None:
    """Return why a weight cannot have a pattern; None where it can."""
    if weight.contracted is None:
        return f"{pattern} is for linear layers, and convolutions that are not transposed"
    if (size := weight.shape[weight.contracted]) % pattern.m:
        return f"{pattern} needs a multiple of {pattern.m} inputs, got {size}"
    return None


def prune_in_groups(weight: Weight, pattern: Pattern) -> None:
    """Set the smallest of each group to zero by a new mask; what an earlier one took stays so.

    Args:
        weight: that the pattern fits.
        pattern: to be reached.
    """
    assert weight.contracted is not None
    values, earlier = weight.values().reshape(weight.shape), weight.mask
    if earlier is not None:
        earlier = earlier.reshape(weight.shape)
    with named_errors(weight):
        keep = keep_in_groups(values, weight.contracted, pattern.n, pattern.m, earlier)
    weight.set_mask(keep.reshape(-1))


def has_pattern(weight: Weight, pattern: Pattern) -> bool:
    """Tell whether a weight has a pattern along what its layers add up."""
    axis = weight.contracted
    if axis is None or misfit(weight, pattern) is not None:
        return False
    return is_in_groups(weight.values().reshape(weight.shape), axis, pattern.n, pattern.m)
