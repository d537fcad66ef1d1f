"""Modules of the networks that are written here, one file a network. torch is imported at the top."""
