"""Tasks: labelled data in three parts, its preprocessing and its training recipe, as data.

Their names stand here, where a command's help finds them without numpy.
"""

TRAINED = ("digits", "mnist", "imagefolder")  # there is something to train on
MEASURED = (*TRAINED, "stsb")
