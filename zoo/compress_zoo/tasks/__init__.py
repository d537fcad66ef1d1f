"""Tasks: labelled data in three parts, its preprocessing and its training recipe, as data.

Their names stand here, where a command's help finds them without numpy. Each can be trained on and
measured.
"""

NAMES = ("digits", "mnist", "cifar10", "imagefolder", "sst2", "stsb")
