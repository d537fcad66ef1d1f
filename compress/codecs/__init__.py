"""One-dimensional integer arrays to bytes and back; one codec a file, one law for all."""
