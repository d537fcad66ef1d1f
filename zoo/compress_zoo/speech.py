"""Networks that write down speech: Deep Speech 2 with CTC, and the RNN transducer.

Recurrent matrices hold nearly all of the weights. What turns sound into their input is in
zoo.spectrogram; losses and decoders stand beside the networks.

Source: Amodei et al. 2015, arXiv:1512.02595; Graves 2012, arXiv:1211.3711.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_zoo.entry import Entry, Input, Own

if TYPE_CHECKING:
    from torch import nn


def deepspeech2() -> nn.Module:
    """Build three convolutions and seven bidirectional GRUs of 616 units.

    The paper compares its forms at about 38 million weights and gives no width for GRUs: this one
    brings the network to that size.
    """
    from compress_zoo.networks.deepspeech2 import DeepSpeech2

    return DeepSpeech2(616)


def rnn_transducer() -> nn.Module:
    """Build transcription network, prediction network and their joint."""
    from compress_zoo.networks.rnn_transducer import RNNTransducer

    return RNNTransducer()


_TWO_SECONDS = (Input((1, 161, 200), "spectrogram"),)
_FRAMES_AND_LABELS = (Input((100, 26), "features"), Input((20,), "labels", 40))

# fmt: off
ENTRIES = (
    #     name              family    source               input               params           MACs  task      paper
    Entry("deepspeech2",    "speech", Own(deepspeech2),    _TWO_SECONDS,       38_087_893, 6_283_613_600, "speech", "arXiv:1512.02595"),
    Entry("rnn-transducer", "speech", Own(rnn_transducer), _FRAMES_AND_LABELS,    261_712,    18_696_704, "speech", "arXiv:1211.3711"),
)
