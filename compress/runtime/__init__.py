"""From a compressed file to a network that runs."""

from compress.runtime.session import Session, load

__all__ = ["Session", "load"]
