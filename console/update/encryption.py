"""Sealing an artifact of the store for the disk, and taking one out of its seal where an operator asks for it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from console.access.actor import who
from console.access.control import AccessControl
from console.config import STORE_DIR, config_dir
from console.errors import AccessDeniedError, ConflictError, ConsoleError, InputError, OperationError
from console.files.filename_rules import is_sealed
from console.files.new_file import write_new
from console.files.opening import OpenedFile, identity_of, open_artifact, require_no_link
from console.files.snapshot import Snapshot
from console.files.state_dir import HISTORY, artifact_key
from console.inspection.decryption import Unsealing
from console.inspection.service import CannotInspect
from console.records import Verdict
from console.trust.secret_files import check_library
from console.versions.publish import Promotion, publish
from console.versions.remove import remove_for

SUFFIX = ".age"
_FOR = '[sealing] recipients = ["age1…"]'


class Encryption:
    """Seals and unseals files of the store at `root`; what is in them is read by children alone."""

    def __init__(self, root: Path, unsealing: Unsealing, access: AccessControl) -> None:
        self.root = root
        self._unsealing = unsealing
        self._access = access

    async def check(self) -> None:
        """Make sure that something can be sealed for the recipients in the settings. Raises AccessDeniedError,
        OperationError."""
        await self._access.authorize("seal", writes=True)
        if not self._unsealing.recipients:
            raise AccessDeniedError(
                "nothing says for whom to seal", hint=f"name them in {config_dir() / 'config.toml'}: {_FOR}"
            )
        await asyncio.to_thread(check_library)

    async def seal(
        self, path: str, recipients: Sequence[str], out: Path | None = None, *, replace: bool = False
    ) -> tuple[Path, str]:
        """Write the artifact sealed for the recipients: to `out`, or beside it with `.age`. The file and its digest.

        With `replace` the open file is removed once the sealed one is durable, unless it changed meanwhile.
        Raises AccessDeniedError, InputError, ConflictError (the new file is there already), OperationError.
        """
        await self._access.authorize("seal", path, writes=True)
        await asyncio.to_thread(self._require_file, path)
        target = out or self.root / f"{path}{SUFFIX}"
        if await asyncio.to_thread(os.path.lexists, target):
            raise InputError(f"{target} is there already", hint="name another file with --out")
        opened = await asyncio.to_thread(open_artifact, self.root, path)
        with opened:
            if is_sealed(opened.head):
                raise InputError(f"{path} is sealed already")
            content = await self._unsealing.sealed(opened, recipients)
            with content:
                await self._access.record("seal", path, content.digest, "intent")
                await asyncio.to_thread(self._replace if replace else self._write, opened, target, content)
                digest = content.digest or ""
        await self._access.record(
            "seal", path, digest, f"sealed as {target}" + (", the open file removed" if replace else "")
        )
        return target, digest

    def history(self, path: str) -> Path:
        """The directory that holds what an artifact was before."""
        return self.root / STORE_DIR / HISTORY / artifact_key(path)

    async def unseal(self, path: str, identity: Path | None, out: Path) -> int:
        """Write what a sealed artifact holds to the new file `out`, which its owner alone may read; its size.

        `identity` is a file to use in place of that in the settings. Raises InputError, AccessDeniedError,
        OperationError.
        """
        await self._access.authorize("unseal", path, writes=True)
        opened = await asyncio.to_thread(open_artifact, self.root, path)
        with opened:
            try:
                plain = await self._unsealing.unsealed(opened, identity)
            except CannotInspect as trouble:
                kinds: dict[Verdict | None, type[ConsoleError]] = {Verdict.DAMAGED: InputError, None: OperationError}
                kind = kinds.get(trouble.verdict, AccessDeniedError)
                raise kind(f"{path} is not unsealed: {trouble.reason.detail}") from None
        if plain is None:
            raise InputError(f"{path} is not sealed")
        with plain:
            await self._access.record("unseal", path, plain.digest, "intent")
            await asyncio.to_thread(write_new, out, plain, 0o600)
            await self._access.record("unseal", path, plain.digest, f"written open to {out}")
            return plain.size

    def _require_file(self, path: str) -> None:
        """Raise InputError for a link and for a directory."""
        require_no_link(self.root, path)
        if os.path.isdir(self.root / path):
            raise InputError(
                f"{path} is a directory, and only a file is sealed", hint="pack it into one file (tar), and seal that"
            )

    def _replace(self, opened: OpenedFile, target: Path, content: Snapshot) -> None:
        """Write the sealed content in the open file's stead."""
        place = Path(os.path.realpath(target.parent)) / target.name
        write = partial(self._write, opened, target, content)
        remove_for(self.root, opened, place, content.digest or "", write)

    def _write(self, opened: OpenedFile, target: Path, content: Snapshot) -> None:
        """Write the sealed content beside the open file, or where else it was asked for."""
        status = os.fstat(opened.fd)
        if identity_of(status) != opened.identity:
            raise ConflictError(f"{opened.name} changed while it was sealed; nothing was written", hint="seal it again")
        mode, place = stat.S_IMODE(status.st_mode), Path(os.path.realpath(target.parent)) / target.name
        if place.is_relative_to(self.root):
            promotion = Promotion(who(), f"{opened.name}, sealed")
            publish(self.root, str(place.relative_to(self.root)), content, promotion, replaces=None, mode=mode)
        else:
            write_new(target, content, mode)
