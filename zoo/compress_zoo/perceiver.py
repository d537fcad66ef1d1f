"""Perceiver: a few latent vectors read any input by attention, then think among themselves.

Layers are used again and again: six layers of 38 million weights are multiplied eight times each,
so that a small file costs much to run. Its inputs are numbers of whatever kind, here the 50,176
pixels of an image, each with 258 Fourier features of its place.

The library's network is Perceiver IO's (arXiv:2107.14795), which reads the input once, where the
paper's best one on ImageNet reads it again before each of eight rounds. Sizes are the paper's.

Source: Jaegle et al. 2021, arXiv:2103.03206, section 4.1. The network is transformers'.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Input, Transformers

_PIXELS = (Input((224 * 224, 261), "inputs"),)
_IMAGENET = {
    "d_model": 261, "num_latents": 512, "d_latents": 1024, "num_blocks": 8,
    "num_self_attends_per_block": 6, "num_cross_attention_heads": 1,
}  # fmt: skip
_SOURCE = Transformers("deepmind/vision-perceiver-fourier", "PerceiverConfig", _IMAGENET)

# fmt: off
ENTRIES = (
    #     name         family       source   inputs       params             MACs  task              paper
    Entry("perceiver", "perceiver", _SOURCE, _PIXELS, 41_110_859, 201_982_363_648, "representation", "arXiv:2103.03206"),
)
