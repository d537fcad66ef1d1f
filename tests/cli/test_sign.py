"""Signing and checking on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from compress.artifact import signature
from tests import needs
from tests.cli.console import Outcome, compress
from tests.cli.test_commands import without

GOLDEN = Path(__file__).parents[1] / "golden" / "v2-huffman.safetensors"


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs.module("cryptography")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a compressed file, with a.key and a.pub beside it."""
    assert compress("keygen", tmp_path / "a").code == 0
    return Path(shutil.copy(GOLDEN, tmp_path / "m.safetensors"))


def sign(file: Path, *more: str | Path) -> Outcome:
    return compress("sign", file, "--key", file.with_name("a.key"), *more)


def verify(file: Path, *more: str | Path) -> Outcome:
    return compress("verify", file, "--key", file.with_name("a.pub"), *more)


def test_sign_and_verify(file: Path) -> None:
    beside = file.with_name("m.safetensors.sig")
    assert sign(file).out == f"{beside}: the signature of {file}\n"
    done = verify(file)
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first == compress("verify", file).out.splitlines()[0]
    assert second == f"signed by the owner of {file.with_name('a.pub')}, in {beside}"
    assert verify(file, "--json").json()["signature"] == "valid"


def test_a_signature_in_another_place(file: Path) -> None:
    other = file.with_name("other")
    found = sign(file, "-o", other, "--json").json()
    assert found == {"file": str(file), "signature": str(other)}
    assert verify(file, "--signature", other).code == 0
    said = verify(file).error()
    assert said == f"signature {file}.sig is not a file"


def test_without_a_key_it_is_told_what_was_not_checked(file: Path) -> None:
    done = compress("verify", file)
    assert done.code == 0
    assert done.out.splitlines()[1] == f"not signed: there is no {file}.sig"
    assert compress("verify", file, "--json").json()["signature"] == "missing"
    signature.beside(file).write_bytes(b"")
    done = compress("verify", file)
    assert done.code == 0
    assert done.out.splitlines()[1].startswith(f"signature not checked: {file}.sig; give the")
    assert compress("verify", file, "--json").json()["signature"] == "unchecked"


def test_a_signature_asks_for_a_key(file: Path) -> None:
    done = compress("verify", file, "--signature", "x.sig")
    assert (done.code, done.out) == (2, "")
    assert "--key" in done.err


def test_a_folder_is_no_file(file: Path) -> None:
    for folder in (".", "/", ".."):
        assert compress("verify", folder).error() == f"{folder} is not a file"
        words = ("verify", folder, "--key", file.with_name("a.pub"))
        assert compress(*words).error() == f"signature {Path(f'{folder}.sig')} is not a file"


def test_what_does_not_fit(file: Path) -> None:
    sign(file)
    compress("keygen", file.with_name("b"))
    said = compress("verify", file, "--key", file.with_name("b.pub")).error()
    assert "b.pub did not sign it" in said
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{file} was altered" in verify(file).error()
    assert f"{file} was altered" in sign(file).error()
    file.write_bytes(whole)
    signature.beside(file).write_bytes(b"no signature")
    assert "is damaged, or no signature" in verify(file).error()


def test_keygen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = file.parent
    assert (folder / "a.key").stat().st_mode & 0o777 == 0o600
    assert "a.key: another file of " in compress("keygen", folder / "a").error()
    held = (folder / "a.key").read_bytes()
    (folder / "a.pub").unlink()
    assert "a.key: was there alone and stays; signs" in compress("keygen", folder / "a").out
    assert (folder / "a.key").read_bytes() == held
    assert compress("keygen", folder / "a", "--force").code == 0
    assert (folder / "a.key").read_bytes() != held
    assert "it is not encrypted" in compress("keygen", folder / "b").out
    monkeypatch.setenv("COMPRESS_KEY_PASSWORD", "secret")
    done = compress("keygen", folder / "v1.0")
    assert "not encrypted" not in done.out + done.err
    found = compress("keygen", folder / "c", "--json").json()
    key = folder / "c.key"
    assert found == {"private": str(key), "public": str(folder / "c.pub"), "encrypted": True}
    assert (folder / "v1.0.pub").is_file()
    assert compress("sign", file, "--key", key).code == 0
    assert compress("verify", file, "--key", folder / "c.pub").code == 0
    monkeypatch.delenv("COMPRESS_KEY_PASSWORD")
    assert (
        "give its password in COMPRESS_KEY_PASSWORD" in compress("sign", file, "--key", key).error()
    )


def test_without_the_extra(file: Path) -> None:
    script = "sys.exit(run(*sys.argv[1:]))"
    for words in (
        ("keygen", file.with_name("new")),
        ("sign", file, "--key", file.with_name("a.key")),
        ("verify", file, "--key", file.with_name("a.pub")),
    ):
        said = without(("cryptography",), script, *words).error()
        expected = "cryptography is not installed; install it with: pip install 'compress-toolkit["
        assert said == expected + "signing]'"
    assert without(("cryptography",), script, "verify", file).code == 0
