"""Compress a named network to a file that ships, and load it without torch."""
