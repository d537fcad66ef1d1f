"""Pure array functions: no files, no torch."""
