"""Signatures of compressed files: who made this one, and is it still what was made?

A signature is ECDSA on the curve P-256 over the SHA-256 of all the file's bytes, in DER, in a file
of its own. Keys are PEM files. All of it is OpenSSL's own: a device without Python checks with
`openssl dgst -sha256 -verify KEY.pub -signature FILE.sig FILE`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from compress import files
from compress.artifact import container
from compress.errors import (
    DataError,
    FormatError,
    MissingExtraError,
    OutputError,
    SettingsError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "COMPRESS_KEY_PASSWORD"  # where the command line finds the private key's password
_MAX_PASSWORD = 1023  # bytes: the library's limit
_PART = 1 << 20  # bytes of a model that are read at once
_MAX_BYTES = 1 << 16  # of a key or a signature; what is behind them is not read
_CURVE = "secp256r1"  # P-256


def beside(file: Path) -> Path:
    """Return where the signature of a file is, unless it is told otherwise."""
    return Path(f"{file}.sig")  # "." has no name to change


def make_keys(private: Path, public: Path, password: str | None = None) -> None:
    """Write a new pair of keys; neither file may be there already.

    Args:
        private: signs; readable by its owner alone, in PKCS #8.
        public: checks; goes to the devices.
        password: encrypts the private key; where there is none, it is written as it is.

    Raises:
        OutputError: when a file is there, or cannot be written.
        SettingsError: when the password is too long.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = os.fsencode(password or "")
    if len(secret) > _MAX_PASSWORD:
        raise SettingsError(f"the password of a key must have at most {_MAX_PASSWORD} bytes")
    key = ec.generate_private_key(ec.SECP256R1())
    coded = key.private_bytes(
        pem.Encoding.PEM,
        pem.PrivateFormat.PKCS8,
        pem.BestAvailableEncryption(secret) if secret else pem.NoEncryption(),
    )
    # Both are looked for before either is written, and the private one comes last.
    with (
        files.writing(private, mode=0o600, replace=False) as of_owner,
        files.writing(public, replace=False) as of_all,
    ):
        of_owner.write(coded)
        of_all.write(
            key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        )


def sign(file: Path, key: Path, target: Path, password: str | None = None) -> None:
    """Write the signature of a compressed file, which has to be whole.

    Args:
        file: what is signed, every byte of it.
        key: the private key.
        target: the signature.
        password: of the private key, where it is encrypted.

    Raises:
        DataError: when the file or the key cannot be read.
        FormatError: when they are not what they should be, or the password is wrong.
        OutputError: when the signature cannot be written.
        SettingsError: when the key is encrypted and there is no password.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    for source in (file, key):
        if target.exists() and source.exists() and target.samefile(source):
            raise OutputError(f"{target} would overwrite what is read; choose another target")
    private = _private_key(key, password)
    container.open_file(file)
    made = private.sign(_digest(file), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    files.write_bytes(target, made)


def verify(file: Path, key: Path, signature: Path) -> None:
    """Raise unless a file is, to the byte, what the owner of a key has signed.

    Nothing of the file is parsed; whether it is a compressed file is not the question here.

    Args:
        file: what was signed.
        key: the public key.
        signature: what `sign` wrote.

    Raises:
        DataError: when one of the three cannot be read.
        FormatError: when the file is another, or the key or the signature is none.
    """
    _require_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    public = _public_key(key)
    data = _read("signature", signature)
    try:
        utils.decode_dss_signature(data)
    except ValueError as error:
        raise FormatError(f"signature {signature} is damaged, or no signature") from error
    try:
        public.verify(data, _digest(file), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature as error:
        raise FormatError(
            f"signature {signature} does not fit: {file} was altered, or the owner of {key} "
            "did not sign it"
        ) from error


def _require_cryptography() -> None:
    try:
        import_module("cryptography")
    except ModuleNotFoundError as error:
        raise MissingExtraError("cryptography", "signing") from error


def _private_key(path: Path, password: str | None) -> ec.EllipticCurvePrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read("key", path)
    secret = None
    if b"ENCRYPTED" in data:  # so PEM says it, in PKCS #8 and in the form before it
        if not password:
            raise SettingsError(f"key {path} is encrypted; give its password in {PASSWORD}")
        secret = os.fsencode(password)
    try:
        key = load_pem_private_key(data, secret)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        problem = "cannot be decrypted with this password" if secret else "is no private key in PEM"
        raise FormatError(f"key {path} {problem}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _CURVE:
        raise _other_curve(path)
    return key


def _public_key(path: Path) -> ec.EllipticCurvePublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read("key", path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FormatError(f"key {path} is no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _CURVE:
        raise _other_curve(path)
    return key


def _other_curve(path: Path) -> FormatError:
    return FormatError(f"key {path} is not of the curve P-256; make one with compress keygen")


def _digest(file: Path) -> bytes:
    with _reading("model", file) as stream:
        digest = hashlib.sha256()
        while part := stream.read(_PART):
            digest.update(part)
        return digest.digest()


def _read(what: str, path: Path) -> bytes:
    with _reading(what, path) as stream:
        return stream.read(_MAX_BYTES)


@contextmanager
def _reading(what: str, path: Path) -> Iterator[BufferedReader]:
    try:
        if not path.is_file():
            raise DataError(f"{what} {path} is not a file")
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror or error}") from error
