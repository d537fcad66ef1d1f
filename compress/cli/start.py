"""Where the `compress` command begins: so little is imported that nothing can be interrupted."""

from __future__ import annotations

from compress.cli import signals


def main() -> None:
    """Run the command line."""
    signals.leave_at_once()
    from compress.cli.main import main as run

    run()
