"""The closed set of errors that a user can meet, and the one check that raises them."""

from __future__ import annotations


class CompressError(Exception):
    """Base of all errors below: one line that says what, where and what to do."""


class SettingsError(CompressError):
    """A setting is out of its range or does not fit the model."""


class UnsupportedLayerError(CompressError):
    """A pass was asked to change a layer that it cannot."""


class FormatError(CompressError):
    """Bytes are not what their format says."""


class DataError(CompressError):
    """Data or weights are missing, unreadable or do not fit."""


class OutputError(CompressError):
    """A result could not be written."""


class MemoryShortError(CompressError):
    """A step needs more memory than there is."""


class MissingExtraError(CompressError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; install it with: pip install 'compress-toolkit[{extra}]'"
        )


def require(ok: bool, name: str, condition: str, got: object) -> None:
    """Raise `SettingsError` unless `ok`, in the one wording that all settings share."""
    if not ok:
        raise SettingsError(f"{name} must be {condition}, got {got!r}")
