"""ResNets: residual blocks of convolutions with batch normalisation, and what was made of them.

No large fully connected layer is left to prune, so what is gained must come out of convolutions;
and each is followed by a BatchNorm, which an exporter likes to fold into shared weights.

- ResNets, wide and of 32 groups (ResNeXt): torchvision's, which has the stride of a bottleneck
  in its 3x3 convolution where the paper has it in the first 1x1.
- `resnetv2_50`: BatchNorm and ReLU before the convolutions. `resnet50_gn`: group normalisation,
  which does not depend on the batch and cannot be folded.
- `seresnet50`, `senet154`: each block weighs its channels by two small fully connected layers,
  10% more weights that are multiplied once an image. timm writes them as 1x1 convolutions.

Source: He et al. 2015, arXiv:1512.03385; He et al. 2016, arXiv:1603.05027; Zagoruyko & Komodakis
2016, arXiv:1605.07146; Xie et al. 2016, arXiv:1611.05431; Hu et al. 2017, arXiv:1709.01507; Wu &
He 2018, arXiv:1803.08494. The networks are torchvision's and timm's.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Timm, Torchvision, image
from compress_zoo.published import pixels

# fmt: off
ENTRIES = (
    #     name               family    source                          input               params            MACs  task           paper
    Entry("resnet18",        "resnet", Torchvision("resnet18"),        image(224),  11_689_512,  1_814_073_344, "imagefolder", "arXiv:1512.03385"),
    Entry("resnet34",        "resnet", Torchvision("resnet34"),        image(224),  21_797_672,  3_663_761_408, "imagefolder", "arXiv:1512.03385"),
    Entry("resnet50",        "resnet", Torchvision("resnet50"),        image(224),  25_557_032,  4_089_184_256, "imagefolder", "arXiv:1512.03385"),
    Entry("resnet101",       "resnet", Torchvision("resnet101"),       image(224),  44_549_160,  7_801_405_440, "imagefolder", "arXiv:1512.03385"),
    Entry("resnet152",       "resnet", Torchvision("resnet152"),       image(224),  60_192_808, 11_513_626_624, "imagefolder", "arXiv:1512.03385"),
    Entry("wide_resnet50_2", "resnet", Torchvision("wide_resnet50_2"), image(224),  68_883_240, 11_398_021_120, "imagefolder", "arXiv:1605.07146"),
    Entry("resnext50_32x4d", "resnet", Torchvision("resnext50_32x4d"), image(224),  25_028_904,  4_230_479_872, "imagefolder", "arXiv:1611.05431"),
    Entry("resnetv2_50",     "resnet", Timm("resnetv2_50"),            image(224),  25_549_352,  4_089_184_256, "imagefolder", "arXiv:1603.05027", preprocessing=pixels(224, 235, mean=[0.5], std=[0.5])),
    Entry("resnet50_gn",     "resnet", Timm("resnet50_gn"),            image(224),  25_557_032,  4_089_184_256, "imagefolder", "arXiv:1803.08494", preprocessing=pixels(224, 238)),
    Entry("seresnet50",      "resnet", Timm("seresnet50"),             image(224),  28_088_024,  4_091_699_200, "imagefolder", "arXiv:1709.01507", preprocessing=pixels(224, 235)),
    Entry("senet154",        "resnet", Timm("senet154"),               image(224), 115_088_984, 20_688_363_520, "imagefolder", "arXiv:1709.01507", preprocessing=pixels(224, 256)),
)
