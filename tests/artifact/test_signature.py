"""Signatures: what was signed passes, anything else is told in one line; OpenSSL agrees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress.artifact import container, signature
from compress.errors import DataError, FormatError, MissingExtraError, OutputError, SettingsError
from tests import needs
from tests.cli.console import spawn

PASSWORD = "pässword"
MEMORY = Path("/proc/self/mem")  # a file whose first byte cannot be read
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl command: install it"
)


@pytest.fixture(autouse=True, scope="module")
def _extra():
    needs.module("cryptography")


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Return a folder with a file, its signature and the keys."""
    folder = tmp_path_factory.mktemp("signed")
    container.write(folder / "m", {"model": "m"}, {"graph": b"abc", "small": bytes(100)})
    signature.make_keys(folder / "key", folder / "pub")
    signature.make_keys(folder / "locked", folder / "locked.pub", PASSWORD)
    signature.sign(folder / "m", folder / "key", folder / "m.sig")
    return folder


def test_what_was_signed_passes_under_any_name(signed, tmp_path):
    assert signature.beside(signed / "m") == signed / "m.sig"
    signature.verify(signed / "m", signed / "pub", signed / "m.sig")
    shutil.copy(signed / "m", tmp_path / "other name")
    signature.verify(tmp_path / "other name", signed / "pub", signed / "m.sig")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bit_can_change(signed, tmp_path, data):
    whole = bytearray((signed / "m").read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "m").write_bytes(whole)
    with pytest.raises(FormatError, match=r"does not fit: .*m was altered"):
        signature.verify(tmp_path / "m", signed / "pub", signed / "m.sig")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.just(b"\x30\x06\x02\x01\x00\x02\x01\x00"))
def test_no_bytes_are_a_signature_by_chance(signed, tmp_path, data):
    (tmp_path / "sig").write_bytes(data)
    with pytest.raises(FormatError, match=r"signature .*sig "):
        signature.verify(signed / "m", signed / "pub", tmp_path / "sig")


def test_a_file_that_grew_or_shrank(signed, tmp_path):
    whole = (signed / "m").read_bytes()
    for content in (whole + b"\0", whole[:-1], b""):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(FormatError, match="does not fit"):
            signature.verify(tmp_path / "m", signed / "pub", signed / "m.sig")
    made = (signed / "m.sig").read_bytes()
    for content in (made + b"\0", made[:-1], b""):
        (tmp_path / "sig").write_bytes(content)
        with pytest.raises(FormatError, match="damaged, or no signature"):
            signature.verify(signed / "m", signed / "pub", tmp_path / "sig")


def test_the_key_of_another(signed):
    with pytest.raises(FormatError, match=r"the owner of .*locked.pub did not sign it"):
        signature.verify(signed / "m", signed / "locked.pub", signed / "m.sig")


def test_keys_are_never_overwritten(tmp_path):
    private, public = tmp_path / "a.key", tmp_path / "a.pub"
    before = os.umask(0)
    try:
        signature.make_keys(private, public)
    finally:
        os.umask(before)
    assert private.stat().st_mode & 0o777 == 0o600
    held = private.read_bytes(), public.read_bytes()
    for files in ((private, public), (tmp_path / "b.key", public)):
        with pytest.raises(OutputError, match="another file"):
            signature.make_keys(*files)
    assert (private.read_bytes(), public.read_bytes()) == held
    assert sorted(tmp_path.iterdir()) == [private, public]
    assert signature.make_keys(private, public, force=True)
    assert private.read_bytes() != held[0]
    assert public.read_bytes() != held[1]
    assert private.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_private_key_alone_gets_its_public_half(signed, tmp_path, password):
    """As a process leaves it that is killed between the two files."""
    private, public = tmp_path / "a.key", tmp_path / "a.pub"
    signature.make_keys(private, public, password)
    held = private.read_bytes(), public.read_bytes()
    public.unlink()
    if password is not None:
        with pytest.raises(SettingsError, match="is encrypted; give its password"):
            signature.make_keys(private, public)
    assert not signature.make_keys(private, public, password)
    assert (private.read_bytes(), public.read_bytes()) == held


def test_another_file_in_the_place_of_a_private_key(tmp_path):
    (tmp_path / "a.key").write_bytes(b"a key of another kind")
    with pytest.raises(FormatError, match="is no private key in PEM"):
        signature.make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_no_key_is_left_alone_where_one_cannot_be_written(tmp_path):
    """Either is too large for the process, which stands for a full disk; then all goes well."""
    script = """
import resource, sys
from pathlib import Path
from unittest import mock
from compress.artifact import signature
from compress.errors import OutputError
folder, longer = Path(sys.argv[1]), sys.argv[2]
half = signature._public_half
if longer == "public":
    signature._public_half = lambda key: half(key) + bytes(4096)
limit = {"public": 4096, "private": 200}[longer]  # bytes: the public half has 178, the other 241
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    signature.make_keys(folder / "a.key", folder / "a.pub")
except OutputError as error:
    print(error)
"""
    for longer in ("public", "private"):
        done = spawn(script, tmp_path, longer)
        assert "File too large" in done.out, done.err
        assert list(tmp_path.iterdir()) == []
    assert signature.make_keys(tmp_path / "a.key", tmp_path / "a.pub")


def test_a_key_with_a_password(signed, tmp_path):
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (signed / "locked").read_bytes()
    words = signed / "m", signed / "locked", tmp_path / "sig"
    for none in (None, ""):
        with pytest.raises(SettingsError, match="is encrypted; give its password in COMPRESS_KEY"):
            signature.sign(*words, none)
    with pytest.raises(FormatError, match="cannot be decrypted with this password"):
        signature.sign(*words, "password")
    assert not list(tmp_path.iterdir())
    signature.sign(*words, PASSWORD)
    signature.verify(signed / "m", signed / "locked.pub", tmp_path / "sig")
    signature.sign(signed / "m", signed / "key", tmp_path / "other", PASSWORD)  # not needed
    signature.verify(signed / "m", signed / "pub", tmp_path / "other")


def test_a_password_that_is_too_long_is_not_told(tmp_path):
    with pytest.raises(SettingsError, match="at most 1023 bytes") as error:
        signature.make_keys(tmp_path / "key", tmp_path / "pub", "secret" * 200)
    assert "secret" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"text", bytes(range(256)), b"ENCRYPTED", b"\0" * 100_000]
)
def test_keys_that_are_none(signed, tmp_path, content):
    key = tmp_path / "key"
    key.write_bytes(content)
    with pytest.raises(FormatError, match=r"key .*key (is no private key|cannot be decrypted)"):
        signature.sign(signed / "m", key, tmp_path / "sig", "x")
    with pytest.raises(FormatError, match=r"key .*key is no public key"):
        signature.verify(signed / "m", key, signed / "m.sig")


def test_the_other_key_of_the_pair(signed, tmp_path):
    with pytest.raises(FormatError, match="pub is no private key"):
        signature.sign(signed / "m", signed / "pub", tmp_path / "sig")
    with pytest.raises(FormatError, match="key is no public key"):
        signature.verify(signed / "m", signed / "key", signed / "m.sig")


@needs_openssl
@pytest.mark.parametrize(
    ("kind", "option"),
    [("EC", "ec_paramgen_curve:P-384"), ("EC", "ec_paramgen_curve:secp256k1"), ("ED25519", "")],
)
def test_keys_of_another_kind(signed, tmp_path, kind, option):
    key, public = tmp_path / "key", tmp_path / "pub"
    more = ["-pkeyopt", option] if option else []
    openssl("genpkey", "-algorithm", kind, *more, "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    with pytest.raises(FormatError, match=r"key .*key is not of the curve P-256"):
        signature.sign(signed / "m", key, tmp_path / "sig")
    with pytest.raises(FormatError, match=r"key .*pub is not of the curve P-256"):
        signature.verify(signed / "m", public, signed / "m.sig")


@needs_openssl
def test_openssl_checks_ours(signed):
    words = "dgst", "-sha256", "-verify", signed / "pub", "-signature", signed / "m.sig"
    assert openssl(*words, signed / "m").stdout == b"Verified OK\n"


@needs_openssl
@pytest.mark.parametrize("locked", [(), ("-aes256", "-passout", f"pass:{PASSWORD}")])
def test_we_check_openssls_and_take_its_keys(signed, tmp_path, locked):
    plain, key, public = tmp_path / "plain", tmp_path / "key", tmp_path / "pub"
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-out", plain)  # with its parameters
    openssl("ec", "-in", plain, *locked, "-out", key)  # in the form before PKCS #8
    openssl("ec", "-in", plain, "-pubout", "-out", public)
    openssl("dgst", "-sha256", "-sign", plain, "-out", tmp_path / "theirs", signed / "m")
    signature.verify(signed / "m", public, tmp_path / "theirs")
    for private in (plain, key):
        signature.sign(signed / "m", private, tmp_path / "ours", PASSWORD)
        signature.verify(signed / "m", public, tmp_path / "ours")


def test_what_is_no_file(signed, tmp_path):
    nothing = tmp_path / "nothing"
    for words, said in (
        ((nothing, signed / "pub", signed / "m.sig"), "model .*nothing is not a file"),
        ((signed / "m", nothing, signed / "m.sig"), "key .*nothing is not a file"),
        ((signed / "m", signed / "pub", nothing), "signature .*nothing is not a file"),
        ((signed / "m", signed / "pub", tmp_path), "signature .* is not a file"),
    ):
        with pytest.raises(DataError, match=said):
            signature.verify(*words)
    for file, key in ((nothing, signed / "key"), (signed / "m", nothing)):
        with pytest.raises(DataError, match="nothing is not a file"):
            signature.sign(file, key, tmp_path / "sig")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not MEMORY.is_file(), reason="no /proc: run on Linux")
def test_what_cannot_be_read(signed):
    with pytest.raises(DataError, match="signature /proc/self/mem cannot be read: "):
        signature.verify(signed / "m", signed / "pub", MEMORY)


def test_only_a_whole_compressed_file_is_signed(signed, tmp_path):
    (tmp_path / "m").write_bytes((signed / "m").read_bytes()[:-1])
    with pytest.raises(FormatError, match="is not a compressed file"):
        signature.sign(tmp_path / "m", signed / "key", tmp_path / "sig")
    assert not (tmp_path / "sig").exists()


def test_a_signature_overwrites_nothing_that_is_read(signed, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(signed / "key")
    for target in (signed / "m", signed / "key", link):
        with pytest.raises(OutputError, match="would overwrite"):
            signature.sign(signed / "m", signed / "key", target)
    signature.verify(signed / "m", signed / "pub", signed / "m.sig")
    with pytest.raises(OutputError, match="cannot write"):
        signature.sign(signed / "m", signed / "key", tmp_path)


def test_a_signature_takes_the_place_of_its_like_alone(signed, tmp_path):
    target = tmp_path / "sig"
    for _ in range(2):
        signature.sign(signed / "m", signed / "key", target)
    with pytest.raises(OutputError, match="another file"):
        signature.sign(signed / "m", signed / "locked", target, PASSWORD)
    signature.verify(signed / "m", signed / "pub", target)
    signature.sign(signed / "m", signed / "locked", target, PASSWORD, force=True)
    signature.verify(signed / "m", signed / "locked.pub", target)


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for call in (
        lambda: signature.make_keys(tmp_path / "key", tmp_path / "pub"),
        lambda: signature.sign(tmp_path / "m", tmp_path / "key", tmp_path / "sig"),
        lambda: signature.verify(tmp_path / "m", tmp_path / "pub", tmp_path / "sig"),
    ):
        with pytest.raises(MissingExtraError, match=r"cryptography .*compress-toolkit\[signing\]"):
            call()


def test_importing_it_does_not_load_the_library():
    script = "import sys, compress.artifact.signature; print('cryptography' in sys.modules)"
    assert spawn(script).out == "False\n"
