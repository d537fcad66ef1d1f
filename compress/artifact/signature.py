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
    SettingsError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "COMPRESS_KEY_PASSWORD"  # where the command line finds the private key's password
_MAX_PASSWORD = 1023  # bytes: the library's limit
_PART = 1 << 20  # bytes of a model that are read at once
_MAX_BYTES = 1 << 16  # of a key or a signature; what is behind them is not read
_ENCRYPTED = b"ENCRYPTED"  # so PEM says it, in PKCS #8 and in the form before it
_CURVE = "secp256r1"  # P-256


def beside(file: Path) -> Path:
    """Return where the signature of a file is, unless it is told otherwise."""
    return Path(f"{file}.sig")  # "." has no name to change


def make_keys(
    private: Path, public: Path, password: str | None = None, *, force: bool = False
) -> bool:
    """Write a pair of keys, both or neither; return whether the private one is new.

    A private key that stands alone, as a process leaves it that ends between the two, stays where
    it is and gets its public half.

    Args:
        private: signs; readable by its owner alone, in PKCS #8.
        public: checks; goes to the devices.
        password: encrypts the private key; where there is none, it is written as it is.
        force: let keys that are there give way. Nobody can sign with them any more.

    Raises:
        DataError: when a private key that stands alone cannot be read.
        FormatError: when it is another's, or the password is wrong.
        OutputError: when a file is there, or cannot be written.
        SettingsError: when the password is too long, or an encrypted key stands alone without one.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = os.fsencode(password or "")
    if len(secret) > _MAX_PASSWORD:
        raise SettingsError(f"the password of a key must have at most {_MAX_PASSWORD} bytes")
    over = files.anything if force else files.nothing
    is_alone = private.is_file() and private.stat().st_size > 0 and not public.exists()
    if is_alone and not force:
        files.guard(public)
        files.write_bytes(public, _public_half(_private_key(private, password)), over=over)
        return False
    for path in (private, public):
        files.guard(path, over=over)
    key = ec.generate_private_key(ec.SECP256R1())
    coded = key.private_bytes(
        pem.Encoding.PEM,
        pem.PrivateFormat.PKCS8,
        pem.BestAvailableEncryption(secret) if secret else pem.NoEncryption(),
    )
    with files.writing_all(
        files.Target(path=private, mode=0o600, over=over), files.Target(path=public, over=over)
    ) as (of_owner, of_all):
        of_owner.write(coded)
        of_all.write(_public_half(key))
    return True


def is_encrypted(key: Path) -> bool:
    """Return whether a private key asks for a password."""
    return _ENCRYPTED in _read("key", key)


def sign(
    file: Path, key: Path, target: Path, password: str | None = None, *, force: bool = False
) -> None:
    """Write the signature of a compressed file, which has to be whole.

    Args:
        file: what is signed, every byte of it.
        key: the private key.
        target: the signature. One of the same file by the same key may be there.
        password: of the private key, where it is encrypted.
        force: let any file that is there give way.

    Raises:
        DataError: when the file or the key cannot be read.
        FormatError: when they are not what they should be, or the password is wrong.
        OutputError: when the signature cannot be written, or another file is there.
        SettingsError: when the key is encrypted and there is no password.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    files.guard(target, sources=(file, key))
    private = _private_key(key, password)
    container.open_file(file)
    digest = _digest(file)

    def by_the_same(path: Path) -> bool:
        return _fits(private.public_key(), _read("signature", path), digest)

    made = private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    files.write_bytes(target, made, over=files.anything if force else by_the_same)


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
    from cryptography.hazmat.primitives.asymmetric import utils

    public = _public_key(key)
    data = _read("signature", signature)
    try:
        utils.decode_dss_signature(data)
    except ValueError as error:
        raise FormatError(f"signature {signature} is damaged, or no signature") from error
    if not _fits(public, data, _digest(file)):
        raise FormatError(
            f"signature {signature} does not fit: {file} was altered, or the owner of {key} "
            "did not sign it"
        )


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
    if _ENCRYPTED in data:
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


def _public_half(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _fits(key: ec.EllipticCurvePublicKey, signature: bytes, digest: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    try:
        key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


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
