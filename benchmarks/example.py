"""README's example and its picture: one run, its output, its report seen by a browser.

    python -m benchmarks.example

Writes `benchmarks/results/example.txt` and, where Chromium is installed, `docs/report.png`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results_file import RESULTS
from compress.files import write_text

COMMAND = "compress run --model lenet-300-100 --task mnist --prune 0.92 --quantize 6bit"
PICTURE = Path(__file__).parent.parent / "docs" / "report.png"


def main() -> None:
    """Run the example, and keep what it printed and how its report looks."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(COMMAND)],
            stdout=subprocess.PIPE, check=True, text=True, cwd=folder,
            env={**os.environ, "COLUMNS": "80"},
        )  # fmt: skip
        lines = [line.rstrip() for line in done.stdout.splitlines()]
        write_text(RESULTS / "example.txt", "\n".join([f"$ {COMMAND}", *lines]) + "\n")
        page = Path(folder) / "runs" / "lenet-300-100" / "report.html"
        browser = shutil.which("chromium")
        if browser:
            _picture(browser, page, Path(folder) / "profile")


def _picture(browser: str, page: Path, profile: Path) -> None:
    subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}", "--window-size=1000,1500", "--hide-scrollbars",
            f"--screenshot={PICTURE}", page.as_uri(),
        ],
        check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


if __name__ == "__main__":
    main()
