"""The unsealer: opens or makes one file in age format, from memory to memory, and never writes a plain byte to a disk.

Decryption streams, so that it gives out the beginning of a file whose end is forged: what it wrote counts only once
it has answered. The identity comes as an open file and stays in this process, which nobody may look into.
"""

from __future__ import annotations

import importlib
import io
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, Optional

from backends.core.errors import Refusal
from console.worker.child.main import Answer, Request, Service
from console.worker.child.sandbox.privileges import PR_SET_DUMPABLE, prctl

PR_GET_DUMPABLE = 3
IDENTITY_CAP = 64 << 10
BUFFER = 1 << 20


class Unsealing(Service):
    """Operations `unseal` (cap; ciphertext, identity, empty file) → size and `seal` (recipients; plain, empty file)
    → size. Refuses with `no-package`, `identity`, `wrong-identity`, `recipient`, `damaged`, `over-cap`."""

    def __init__(self) -> None:
        super().__init__()
        if prctl(PR_GET_DUMPABLE):
            prctl(PR_SET_DUMPABLE, 0)
        self.operations = {"unseal": self.unseal, "seal": self.seal}

    def unseal(self, request: Request) -> Answer:
        """Decrypt the whole file; the answer says that its last byte has been authenticated."""
        age = _age()
        source, key, target = request.fds[:3]
        identities = _identities(age, os.pread(key, IDENTITY_CAP, 0))
        writer = _Writer(target, int(request.fields["cap"]))
        try:
            age.decrypt_io(_reader(source), writer, identities)
        except age.DecryptError as error:
            raise _refusal(str(error)) from None
        except OSError as error:
            raise _trouble(error) from None
        return {"size": writer.done(), "dumpable": prctl(PR_GET_DUMPABLE)}, b""

    def seal(self, request: Request) -> Answer:
        """Encrypt the whole file to every recipient."""
        age = _age()
        source, target = request.fds[:2]
        recipients = [_recipient(age, str(line)) for line in request.fields["recipients"]]
        writer = _Writer(target, None)
        try:
            age.encrypt_io(_reader(source), writer, recipients)
        except age.EncryptError as error:
            raise Refusal("recipient", f"cannot be sealed: {error}") from None
        except OSError as error:
            raise _trouble(error) from None
        return {"size": writer.done()}, b""


def _age() -> Any:
    try:
        return importlib.import_module("pyrage")
    except ImportError:
        message = "sealed files need the Python package pyrage"
        message += f": {shlex.quote(sys.executable)} -m pip install 'model-console[security]'"
        raise Refusal("no-package", message) from None


def _identities(age: Any, text: bytes) -> Sequence[Any]:
    """The identities in a file of age (a line each, # begins a comment), or the one SSH key. Raises Refusal."""
    try:
        if text.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----"):
            return [age.ssh.Identity.from_buffer(text)]
        lines = [line.strip() for line in text.decode("ascii").splitlines()]
        found = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (age.IdentityError, UnicodeDecodeError):
        found = []
    if not found:
        raise Refusal("identity", "holds no identity of age (AGE-SECRET-KEY-1…) or unlocked SSH key")
    return found


def _recipient(age: Any, line: str) -> Any:
    kind = age.ssh if line.startswith("ssh-") else age.x25519
    try:
        return kind.Recipient.from_str(line)
    except age.RecipientError:
        raise Refusal("recipient", f"'{line[:80]}' is no recipient: it reads age1… or ssh-ed25519 …") from None


def _refusal(said: str) -> Refusal:
    if "No matching keys" in said:
        return Refusal("wrong-identity", "it was sealed for another one, or its head was changed")
    if "passphrase" in said.lower():
        return Refusal("wrong-identity", "it was sealed with a passphrase, which is not supported")
    return Refusal("damaged", f"cannot be unsealed: {said}")


def _trouble(error: OSError) -> Exception:
    """A failed authentication comes as an OSError without a number; one with a number is the system's own."""
    if error.errno is not None:
        return error
    return Refusal("damaged", f"cannot be unsealed: {error}; it was cut short or changed after it was sealed")


class _Reading(io.RawIOBase):
    """An open file read from its beginning, with a position of its own: the descriptor's is shared with others."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        count = os.preadv(self._fd, [buffer], self._at)
        self._at += count
        return count


def _reader(fd: int) -> io.BufferedReader:
    return io.BufferedReader(_Reading(fd), BUFFER)


class _Writer:
    """The target of a decryption: an empty file in memory, up to `cap` bytes."""

    def __init__(self, fd: int, cap: Optional[int]) -> None:
        self._file = open(fd, "wb", buffering=BUFFER, closefd=False)  # noqa: SIM115 - closed with the descriptor
        self._cap = cap
        self._size = 0

    def write(self, data: bytes) -> int:
        """Take all of it. Raises Refusal over the cap."""
        self._size += len(data)
        if self._cap is not None and self._size > self._cap:
            raise Refusal("over-cap", f"is larger than {self._cap} bytes once unsealed")
        return self._file.write(data)

    def flush(self) -> None:
        """Pass on what is buffered. Raises OSError."""
        self._file.flush()

    def done(self) -> int:
        """Pass on the rest; the bytes written in all. Raises OSError."""
        self._file.flush()
        return self._size
