"""GPT, GPT-2 and GPT-3: transformers that write, and what they have read teaches them the rest.

85 of 117 to 125 million weights are in twelve layers of four matrices, the rest in the table of
words, which is also the output layer of the task. GPT normalises behind each sublayer, GPT-2
before it. GPT-3 is too large for one machine: its smallest network, 125M of the paper's table 2.1,
is GPT-2's over 2,048 tokens. Every second of its layers attends to a band alone, which the library
does not have; its weights were not published.

Source: Radford et al. 2018 and 2019 (OpenAI's reports); Brown et al. 2020, arXiv:2005.14165. The
networks are transformers'.
"""

from __future__ import annotations

from compress_zoo.entry import Entry, Transformers, tokens

_GPT3 = {"n_positions": 2048}

# fmt: off
ENTRIES = (
    #     name          family source                                                         input                   params             MACs  task              paper
    Entry("openai-gpt", "gpt", Transformers("openai-community/openai-gpt", "OpenAIGPTConfig"), tokens(128, 40_478), 116_534_784, 11_173_625_856, "language-model", "Radford 2018"),
    Entry("gpt2",       "gpt", Transformers("openai-community/gpt2", "GPT2Config"),            tokens(128, 50_257), 124_439_808, 11_173_625_856, "language-model", "Radford 2019"),
    Entry("gpt3-small", "gpt", Transformers(None, "GPT2Config", _GPT3),                        tokens(128, 50_257), 125_226_240, 11_173_625_856, "language-model", "arXiv:2005.14165"),
)
