"""Signing of a store's contents, checking of all signatures, and the check that a load asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backends.core.directories import is_artifact
from console.access.actor import who
from console.access.control import AccessControl
from console.catalog.catalog import Catalog
from console.errors import ConsoleError, InputError, OperationError, UsageError
from console.files.directories import artifact_digest
from console.records import SignatureStatus, SignedContents
from console.trust import signing
from console.trust.signatures import Signatures, Signed, keep, verified


class Signing:
    """The signatures of one store, by the public keys that the policy trusts; what is signed is recorded."""

    def __init__(self, root: Path, access: AccessControl) -> None:
        self.root = root
        self._access = access

    async def signed(self, path: str, digest: str) -> Signed | None:
        """Who of the policy's keys signed this content as this artifact. Raises InputError, OperationError."""
        keys = self._access.policy.keys
        return await asyncio.to_thread(verified, self.root, path, digest, keys) if keys else None

    async def sign(self, beneath: str, key: str | Path) -> SignedContents:
        """Sign what the artifact holds now, or all artifacts of a directory ("" = the store).

        Raises InputError when one cannot be read: then nothing is signed; AccessDeniedError for a key that others may
        read, ConflictError, OperationError.
        """
        await self._access.authorize("sign", beneath, writes=True)
        line, subjects = await asyncio.to_thread(self._sign, beneath, Path(key))
        for path, digest in subjects.items():
            await self._access.record("sign", path, digest, f"signed by {signing.key_id(line)}")
        return SignedContents(line, signing.key_id(line), subjects)

    async def verify(self, beneath: str, keys: Sequence[str] = ()) -> tuple[SignatureStatus, ...]:
        """How each artifact there stands with its signatures by these keys (none: the policy's). Raises UsageError."""
        return await asyncio.to_thread(self._verify, beneath, tuple(keys) or self._access.policy.keys)

    def _sign(self, beneath: str, key: Path) -> tuple[str, dict[str, str]]:
        private = signing.private_key(key)
        subjects = {path: artifact_digest(self.root, path) for path in self._paths(beneath)}
        if not subjects:
            raise InputError(f"no artifact to sign in {self.root / beneath}")
        when = datetime.now(UTC).isoformat(timespec="seconds")
        keep(self.root, signing.sign(private, subjects, who=who(), when=when))
        return signing.public_line(private), subjects

    def _verify(self, beneath: str, keys: tuple[str, ...]) -> tuple[SignatureStatus, ...]:
        if not keys:
            raise UsageError(
                "no key to verify with: the policy names none",
                hint="give one with --key, or name it in policy.toml: [signing] keys",
            )
        for key in keys:
            signing.parse_key(key)
        found = Signatures.read(self.root)
        return tuple(self._standing(path, found, keys) for path in self._paths(beneath))

    def _standing(self, path: str, found: Signatures, keys: tuple[str, ...]) -> SignatureStatus:
        try:
            digest = artifact_digest(self.root, path)
        except OperationError:
            raise
        except ConsoleError as error:
            return SignatureStatus(path, None, "unreadable", error.message)
        signed = found.verified(path, digest, keys)
        if signed is not None:
            return SignatureStatus(path, digest, "signed", "", signed.key_id, signed.who, signed.when)
        other = found.other(path, keys)
        if other is not None:
            detail = f"another content of it was signed by {other.who} on {other.when}"
            return SignatureStatus(path, digest, "changed", detail)
        if found.claimed(path, digest):
            return SignatureStatus(path, digest, "unknown-key", "it is signed by no key that is trusted")
        broken = "".join(f"; {one.file} is no signature: {one.why}" for one in found.refused[:1])
        return SignatureStatus(path, digest, "unsigned", f"nobody signed it{broken}")

    def _paths(self, beneath: str) -> Iterable[str]:
        """The artifact itself, or those in a directory of the store, in order."""
        if beneath and is_artifact(self.root / beneath):
            return (beneath,)
        catalog = Catalog(self.root)
        catalog.scan_all()
        start = f"{beneath}/" if beneath else ""
        return sorted(path for path in catalog.rows() if path.startswith(start))
