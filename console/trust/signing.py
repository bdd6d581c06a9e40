"""Ed25519 keys, and what they sign: a DSSE envelope around an in-toto statement that names contents by digest.

The envelope is that of github.com/secure-systems-lab/dsse (protocol version 1), the statement that of
github.com/in-toto/attestation (Statement v1): subjects are paths in the store with their SHA-256. The library
`cryptography` is imported only where something is signed or checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.errors import InputError, OperationError, UsageError
from console.trust.secret_files import read_secret, write_secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "tag:model-console,2026:signed-contents/v1"

_PREFIX = "ed25519:"
_SIGNATURES_CAP = 16
_TEXT_CAP = 500


class Malformed(ValueError):
    """A signature file that is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope: the signed bytes as they are, and (hint of the key, signature) pairs. Nothing is checked yet."""

    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Contents that somebody vouches for: path in the store to digest (`sha256:…`), who says so, and when."""

    subjects: Mapping[str, str]
    who: str
    when: str


# keys


def parse_key(line: str) -> bytes:
    """The 32 bytes of a public key written `ed25519:` and base64. Raises UsageError."""
    try:
        raw = base64.b64decode(line.removeprefix(_PREFIX), validate=True) if line.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise UsageError(f"'{line[:80]}' is no public key: it reads {_PREFIX} and 32 bytes in base64")
    return raw


def public_line(key: Ed25519PrivateKey) -> str:
    """The public half as the policy takes it."""
    return _PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")


def key_id(line: str) -> str:
    """A short name of a public key: the first 16 hexadecimal digits of its SHA-256. Raises UsageError."""
    return sha256(parse_key(line)).hexdigest()[:16]


def generate(path: Path) -> str:
    """Write a new private key (PEM, PKCS #8, mode 0400); returns the public line. Raises InputError, OperationError."""
    ed25519, serialization = _library()
    key: Ed25519PrivateKey = ed25519.Ed25519PrivateKey.generate()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_secret(path, lambda: key.private_bytes(encoding, form, serialization.NoEncryption()), "a private key")
    return public_line(key)


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a file of the user's own that nobody else may read. Raises InputError, AccessDeniedError,
    OperationError."""
    ed25519, serialization = _library()
    from cryptography.exceptions import UnsupportedAlgorithm

    text = read_secret(path, "the private key")
    try:
        found = serialization.load_pem_private_key(text, password=None)
    except TypeError:
        raise InputError(f"the private key {path} is locked by a passphrase, which is not supported") from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{path} holds no private key", hint="make one with keygen") from None
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise InputError(f"the private key {path} is of another kind than Ed25519", hint="make one with keygen")
    key: Ed25519PrivateKey = found
    return key


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        message = "signatures need the Python package cryptography, which is not installed"
        raise OperationError(
            message, hint=f"{shlex.quote(sys.executable)} -m pip install 'model-console[security]'"
        ) from None
    return ed25519, serialization


# signing and checking


def sign(key: Ed25519PrivateKey, subjects: Mapping[str, str], *, who: str, when: str) -> bytes:
    """One envelope over these contents (path in the store to `sha256:…`), as the bytes of a file."""
    said = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}} for name, digest in subjects.items()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"who": who, "when": when},
    }
    payload = json.dumps(said, separators=(",", ":")).encode("ascii")
    signature = key.sign(_authenticated(payload))
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode("ascii"),
        "signatures": [{"keyid": key_id(public_line(key)), "sig": base64.b64encode(signature).decode("ascii")}],
    }
    return json.dumps(envelope).encode("ascii") + b"\n"


def signer_of(envelope: Envelope, keys: Iterable[str]) -> str | None:
    """The first of these public lines by which the envelope is signed. Raises OperationError without the library,
    UsageError.

    The key named in the envelope is a hint that nobody vouches for: it only decides what is tried.
    """
    ed25519, _ = _library()
    from cryptography.exceptions import InvalidSignature

    message = _authenticated(envelope.payload)
    for line in keys:
        public: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(parse_key(line))
        for hint, signature in envelope.signatures:
            if hint and hint != key_id(line):
                continue
            try:
                public.verify(signature, message)
            except InvalidSignature:
                continue
            return line
    return None


def _authenticated(payload: bytes) -> bytes:
    """The signed bytes: DSSE's pre-authentication encoding of type and payload."""
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# reading what others wrote


def parse_envelope(text: bytes) -> Envelope:
    """Read the outside of a signature file. Raises Malformed."""
    found = _table(_json(text), "the envelope")
    if found.get("payloadType") != PAYLOAD_TYPE:
        raise Malformed(f"its payload is not {PAYLOAD_TYPE}")
    listed = found.get("signatures")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _SIGNATURES_CAP:
        raise Malformed(f"it has no list of 1 to {_SIGNATURES_CAP} signatures")
    signatures = []
    for one in listed:
        entry = _table(one, "a signature")
        hint = entry.get("keyid", "")
        signatures.append((hint if isinstance(hint, str) else "", _bytes(entry.get("sig"), "a signature")))
    return Envelope(_bytes(found.get("payload"), "the payload"), tuple(signatures))


def parse_statement(payload: bytes) -> Statement:
    """Read what an envelope says; believe it only once `signer_of` knows the key. Raises Malformed."""
    found = _table(_json(payload), "the statement")
    if found.get("_type") != STATEMENT_TYPE or found.get("predicateType") != PREDICATE_TYPE:
        raise Malformed("it says something else than who signed which contents")
    predicate = _table(found.get("predicate"), "the predicate")
    listed = found.get("subject")
    if not isinstance(listed, list):
        raise Malformed("it names no contents")
    subjects: dict[str, str] = {}
    for one in listed:
        name, digest = _subject(_table(one, "a subject"))
        if subjects.setdefault(name, digest) != digest:
            raise Malformed("it gives two digests for one name")
    return Statement(subjects, _text(predicate, "who"), _text(predicate, "when"))


def _subject(entry: dict[str, Any]) -> tuple[str, str]:
    name, digest = entry.get("name"), _table(entry.get("digest"), "a digest").get("sha256")
    hexadecimal = isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    if not isinstance(name, str) or not hexadecimal:
        raise Malformed("a subject is not a name with its SHA-256")
    return name, f"sha256:{digest}"


def _json(text: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise Malformed("a key stands in it twice")
        return table

    def no_constant(name: str) -> None:
        raise Malformed(f"{name} is not JSON")

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is not JSON ({type(error).__name__})") from None


def _table(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a table")
    return value


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or len(value) > _TEXT_CAP:
        raise Malformed(f"'{key}' is not a text of at most {_TEXT_CAP} characters")
    return value


def _bytes(value: Any, what: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else _not_bytes(what)
    except (binascii.Error, ValueError):
        return _not_bytes(what)


def _not_bytes(what: str) -> bytes:
    raise Malformed(f"{what} is not base64")
