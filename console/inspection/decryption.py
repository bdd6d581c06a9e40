"""Artifacts that are encrypted at rest: opened into sealed memory by a child, and sealed again when they change.

The console itself never holds a plain byte or a word of the identity: it hands descriptors on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from console.closing import closing_fd
from console.config import Sealing, config_dir
from console.errors import AccessDeniedError, ConsoleError, InputError
from console.files.filename_rules import is_sealed, unsealed_name
from console.files.opening import HEAD, OpenedFile
from console.files.snapshot import Snapshot, digest_of, from_memory, frozen, new_memory, seal
from console.inspection.service import CannotInspect
from console.records import Verdict
from console.trust.secret_files import open_secret
from console.worker import unsealer
from console.worker.launcher import Launcher

AT_ONCE = 2

_VERDICTS = {
    "no-package": Verdict.UNSUPPORTED,
    "identity": Verdict.UNSUPPORTED,
    "wrong-identity": Verdict.UNSUPPORTED,
    "over-cap": Verdict.UNSUPPORTED,
    "damaged": Verdict.DAMAGED,
    "died": Verdict.DAMAGED,
    "hang": Verdict.DAMAGED,
    "raised": Verdict.DAMAGED,
}
"""What an unsealer's complaint makes of the file; any other is trouble of ours."""


class Unsealing:
    """Opens and makes sealed artifacts as the settings say. At most AT_ONCE children work at a time."""

    def __init__(self, launcher: Launcher, settings: Sealing) -> None:
        self._launcher = launcher
        self._settings = settings
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom a changed artifact is sealed for again."""
        return self._settings.recipients

    def fingerprint(self) -> str:
        """Changes whenever what can be opened could: with the identity file and the cap."""
        path = self._settings.identity
        if not path:
            return "no identity"
        try:
            status = os.stat(path)
        except OSError:
            return "identity missing"
        return f"{path}-{status.st_ino}-{status.st_ctime_ns}-{self._settings.limit_mb}"

    async def unsealed(self, content: OpenedFile | Snapshot, identity: Path | None = None) -> Snapshot | None:
        """Plaintext of a sealed artifact, in sealed memory and with the digest of the file; None when it is not sealed.

        The bytes are the caller's to close, `content` stays open. `identity` is a file to use in place of that in
        the settings. Raises CannotInspect when it cannot be opened, ConflictError, OperationError.
        """
        head = content.head if isinstance(content, OpenedFile) else os.pread(content.fd, HEAD, 0)
        if not is_sealed(head):
            return None
        with closing_fd(self._identity(content, identity)) as key:
            ciphertext = await asyncio.to_thread(_in_memory, content)
            with ciphertext:
                return await self._opened(ciphertext, key, identity or Path(self._settings.identity))

    async def sealed(self, content: Snapshot | OpenedFile, recipients: Sequence[str]) -> Snapshot:
        """The content sealed for these recipients, in sealed memory, for whoever closes it. Raises InputError,
        OperationError."""
        size = content.identity.size if isinstance(content, OpenedFile) else content.size
        self._check_size(size)
        with closing_fd(new_memory(os.path.basename(content.name))) as memory:
            async with self._turns:
                await unsealer.seal(self._launcher, content.name, content.fd, memory, recipients, size=size)
            whole = from_memory(memory, content.name)
        return replace(whole, digest=await asyncio.to_thread(digest_of, whole))

    async def _opened(self, ciphertext: Snapshot, key: int, path: Path) -> Snapshot:
        name = unsealed_name(ciphertext.name)
        memory = new_memory("unsealed")
        cap = self._settings.limit_mb << 20
        try:
            async with self._turns:
                size = await unsealer.unseal(self._launcher, name, ciphertext.fd, key, memory, cap=cap)
            fd = frozen(memory, name)
        except ConsoleError as error:
            raise self._trouble(error, path) from None
        finally:
            os.close(memory)
        plain = Snapshot(fd, ciphertext.identity, size, ciphertext.digest, True, name, encrypted=True)
        if os.fstat(fd).st_size != size:
            plain.close()
            raise CannotInspect(Verdict.DAMAGED, "damaged", "the unsealer answered with another size than it wrote")
        return plain

    def _identity(self, content: OpenedFile | Snapshot, path: Path | None) -> int:
        """A descriptor of the identity file. Raises CannotInspect."""
        try:
            self._check_size(content.identity.size)
            if path is None and not self._settings.identity:
                where = config_dir() / "config.toml"
                raise InputError(f'it is sealed; name an identity file in {where}: [sealing] identity = "…"')
            return open_secret(path or Path(self._settings.identity), "the identity")
        except (InputError, AccessDeniedError) as error:
            hint = f"; {error.hint}" if error.hint else ""
            raise CannotInspect(Verdict.UNSUPPORTED, "sealed", f"{error.message}{hint}") from None

    def _check_size(self, size: int) -> None:
        if size > self._settings.limit_mb << 20:
            raise InputError(
                f"it is larger than the {self._settings.limit_mb} MiB that may be sealed or unsealed in memory",
                hint="raise limit_mb under [sealing]",
            )

    def _trouble(self, error: ConsoleError, path: Path) -> CannotInspect:
        killed = error.failure is not None and "SIGKILL" in (error.failure.exit or "")
        verdict = None if killed else _VERDICTS.get(error.code)
        if verdict is None:
            return CannotInspect(None, "not-inspected", f"not inspected, because {error.message}")
        message = error.message
        if error.code == "wrong-identity":
            message = f"it cannot be opened with the identity {path}: {message}"
        elif error.code == "identity":
            message = f"it is sealed, and the identity {path} {message}"
        elif error.code == "over-cap":
            message = f"it {message} and limit_mb under [sealing] does not allow more"
        return CannotInspect(verdict, error.code, message)


def _in_memory(content: OpenedFile | Snapshot) -> Snapshot:
    """The ciphertext in sealed memory with its digest: what is digested is what is decrypted."""
    if isinstance(content, Snapshot) and content.sealed:
        return replace(content, fd=os.dup(content.fd), digest=content.digest or digest_of(content))
    return seal(OpenedFile(content.fd, content.identity, content.name), limit=content.identity.size)
