"""Tasks: labelled data in three parts, its preprocessing and its training recipe, as data."""
