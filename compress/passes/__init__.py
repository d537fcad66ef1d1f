"""Passes over a model: for each a frozen settings dataclass and one function."""
