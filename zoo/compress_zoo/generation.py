"""Networks that generate: latents to digits, noise to pictures, captions to tokens of pictures.

What is deployed is the half that generates. The encoders, the discriminator, the discrete
auto-encoder and the losses stand beside it in zoo.networks.

Source: Kingma & Welling 2013, arXiv:1312.6114; Jang et al. 2016, arXiv:1611.01144; Radford et al.
2015, arXiv:1511.06434; Ramesh et al. 2021, arXiv:2102.12092.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own

if TYPE_CHECKING:
    from torch import nn


def vae() -> nn.Module:
    """Build the decoder for MNIST: 500 hidden units as in the paper, 20 of its latent sizes."""
    from torch import nn

    from compress_zoo.networks.vae import LATENTS, Decoder

    return Decoder(LATENTS, 500, nn.Tanh())


def gumbel_vae() -> nn.Module:
    """Build the decoder of 20 variables of 10 classes: 200 hidden units, as in figure 4.

    The paper does not say which activation its hidden units have; these have ReLU.
    """
    from torch import nn

    from compress_zoo.networks.vae import CLASSES, VARIABLES, Decoder

    return Decoder(VARIABLES * CLASSES, 200, nn.ReLU())


def dcgan() -> nn.Module:
    """Build the generator of 64 x 64 images."""
    from compress_zoo.networks.dcgan import Generator

    return Generator()


def dalle_small() -> nn.Module:
    """Build the transformer in a small form of our own: 8 layers of 512, the paper's stream.

    The smallest form in the paper has 2.8 billion parameters.
    """
    from compress_zoo.networks.dalle import DallE

    return DallE()


_CAPTION_AND_PICTURE = (Input((256,), "text", 16_384), Input((1024,), "image", 8_192))

# fmt: off
ENTRIES = (
    #     name           family        source            input                                params            MACs  task          paper
    Entry("vae",         "generation", Own(vae),         (Input((20,), "latents"),),         403_284,        402_000, "generation", "arXiv:1312.6114"),
    Entry("gumbel-vae",  "generation", Own(gumbel_vae),  (Input((20, 10), "latents"),),      197_784,        196_800, "generation", "arXiv:1611.01144"),
    Entry("dcgan",       "generation", Own(dcgan),       (Input((100,), "noise"),),       18_855_043,    640_614_400, "generation", "arXiv:1511.06434"),
    Entry("dalle-small", "generation", Own(dalle_small), _CAPTION_AND_PICTURE,            50_706_432, 52_076_478_464, "generation", "arXiv:2102.12092"),
)
