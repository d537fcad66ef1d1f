"""What the pages of docs/ say is what happens: each block of code runs, and prints what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from compress.passes import table
from tests.docs import pages

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if any(pages.blocks(page)))
# A page as a whole, and once more with the blocks that need a module that not everyone has.
RUNS = [
    (page, module)
    for page in PAGES
    for module in ("", *sorted({name for block in pages.blocks(page) for name in block.needs}))
]


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path) -> Iterator[None]:
    """Forget the modules that a page writes: the next one's may have the same name."""
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's, of torch
@pytest.mark.parametrize(
    ("page", "module"), RUNS, ids=[f"{page.stem}-{name}".strip("-") for page, name in RUNS]
)
def test_a_page_says_what_happens(
    page: Path, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in filter(None, (*pages.needs_of(page), module)):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install {name.replace('_', '-')}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(table, "PASSES", table.PASSES)  # to which a page adds one
    names: dict[str, Any] = {"__name__": page.stem}
    for block in pages.blocks(page):
        if set(block.needs) <= {module}:
            pages.run(block, page, names)


def test_a_block_that_prints_something_else_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n"
        "```python one.py\nvalue = 3\n```\n\n"
        "```python\nfrom pathlib import Path\n```\n\n"
        "```python\n>>> Path(\"one.py\").read_text()\n'value = 3\\n'\n```\n\n"
        "```console\n$ cat one.py\nvalue = ...\n$ echo \\\n    2 KiB\n7 MiB\n```\n"
    )
    names: dict[str, Any] = {}
    for block in pages.blocks(page):
        pages.run(block, page, names)
    for text in ("```python\n>>> 1 + 1\n3\n```\n", "```console\n$ echo one\ntwo\n```\n"):
        page.write_text(text)
        (block,) = pages.blocks(page)
        with pytest.raises(AssertionError, match=r"page.md"):
            pages.run(block, page, {})
