"""What the shells complete: the command is asked as their scripts ask it."""

from __future__ import annotations

import os
import subprocess
import sys
from shutil import which

import pytest

from tests.cli.console import spawned_environment

SCRIPT = "import sys; sys.argv = ['compress']; from compress.cli.main import main; main()"


def asked(environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=spawned_environment() | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def completed(*words: str) -> list[str]:
    """Return what bash is offered for the last word."""
    line = " ".join(["compress", *words])
    return asked(
        {"_COMPRESS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    ).split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("zo",), {"zoo"}),
        (("run", "--mod"), {"--model"}),
        (("run", "--model", "mobilenet_v3"), {"mobilenet_v3_large", "mobilenet_v3_small"}),
        (("run", "--prune", "0.9", "--model", "ti"), {"timm:"}),
        (("run", "--task", "s"), {"sst2", "stsb"}),
        (("eval", "x.safetensors", "--task", "di"), {"digits"}),
        (("zoo", "mob"), {"mobilenetv1_100", "mobilenet_v2", "mobilenet_v3_large",
                          "mobilenet_v3_small"}),
        (("zoo", "--family", "mo"), {"mobilenet"}),
        (("zoo", "--source", "ti"), {"timm"}),
        (("zoo", "--task", "sty"), {"style"}),
        (("zoo", "--sort", "a"), {"accuracy"}),
        (("run", "--model", "qqq"), set()),
    ],
)  # fmt: skip
def test_bash(words: tuple[str, ...], expected: set[str]) -> None:
    assert set(completed(*words)) == expected


def test_other_shells() -> None:
    line = "compress run --model mobilenet_v3"
    told = {"_TYPER_COMPLETE_ARGS": line}
    zsh = asked({**told, "_COMPRESS_COMPLETE": "complete_zsh"})
    fish = asked(
        {**told, "_COMPRESS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    for said in (zsh, fish):
        assert "mobilenet_v3_small" in said


def test_the_script_that_is_installed_works() -> None:
    """It is what `compress --show-completion` prints; it calls the command itself."""
    bash = which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    source = asked({"_COMPRESS_COMPLETE": "source_bash"})
    python = f'{sys.executable} -c "{SCRIPT}"'
    lines = [
        f"compress() {{ {python}; }}",
        source.replace("env ", "").replace("$1", "compress"),  # env calls no function
        "COMP_WORDS=(compress run --model mobilenet_v3_s); COMP_CWORD=3",
        'export COMP_WORDS; _compress_completion compress; echo "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        [bash, "--norc", "-c", "\n".join(lines)],
        env={**os.environ, **spawned_environment()},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["mobilenet_v3_small"]
