"""The blocks of a page of docs/, and how each is run.

    ```python            runs; where it has `>>>`, what it prints must be what stands there
    ```python net.py     is written to net.py
    ```console           runs the lines that begin with `$`, in their order
    <!-- needs: NAME --> over a block, or over a page: only where that module is installed

In what is printed `...` stands for anything, and in what commands print each figure for any other:
sizes and times are of the machine that the page was written on.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.console import compress

_BLOCK = re.compile(
    r"(?:<!-- needs: (?P<needs>[\w ]+) -->\n)?"
    r"^```(?P<language>\w+)(?: (?P<file>[\w./-]+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PAGE_NEEDS = re.compile(r"\A# [^\n]+\n\n<!-- needs: ([\w ]+) -->\n")
# Figures with their units, and the line under a table's head, which is as long as they ask for.
_FIGURE = re.compile(r"\b\d[\d.,]*(?: ?(?:[KMG]iB|min|ms|[Bsx%])(?!\w))?|─+")
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    language: str
    file: str | None  #: that it is
    text: str
    needs: tuple[str, ...]
    line: int  #: of its first line in the page


def needs_of(page: Path) -> tuple[str, ...]:
    """Return the modules that a page needs as a whole."""
    found = _PAGE_NEEDS.match(page.read_text())
    return tuple(found[1].split()) if found else ()


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        needs = tuple((found["needs"] or "").split())
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(found["language"], found["file"], found["text"], needs, line)


def run(block: Block, page: Path, names: dict[str, Any]) -> None:
    """Run a block in the current folder; raise `AssertionError` where it does not do as it says.

    Args:
        block: of the page.
        page: that it is in.
        names: what the blocks of Python before it defined.
    """
    where = f"{page.name}:{block.line}"
    if block.file is not None:
        target = Path(block.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text)
    elif block.language == "console":
        _run_console(block.text, where)
    elif block.language == "python" and ">>> " in block.text:
        _run_doctest(block, page, names)
    elif block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)


def _run_doctest(block: Block, page: Path, names: dict[str, Any]) -> None:
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=_FLAGS)
    test = doctest.DocTestParser().get_doctest(
        block.text, names, page.name, str(page), block.line - 1
    )
    runner.run(test, out=told.append, clear_globs=False)
    names |= test.globs
    assert not told, "".join(told)


def _run_console(text: str, where: str) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *wanted = re.sub(r"\\\n\s*", "", part).split("\n")
        found = _printed(line, where)
        expected = "\n".join(wanted)
        plain = (_FIGURE.sub("0", text).strip() for text in (expected, found))
        same = doctest.OutputChecker().check_output(*plain, _FLAGS)
        assert same, f"{where}: $ {line}\nmust print\n{expected}\nbut prints\n{found}"


def _printed(line: str, where: str) -> str:
    """Run a command and return what it prints on stdout, or on stderr where that is all."""
    words = shlex.split(line)
    if words[0] == "compress":
        done = compress(*words[1:])
        assert done.code == 0 or not done.out, f"{where}: $ {line}\n{done.out}{done.err}"
        return done.out or done.err
    ended = subprocess.run(line, shell=True, text=True, check=True, capture_output=True)
    return ended.stdout
