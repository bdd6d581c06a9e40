"""The operator's word and the record of it: policy, consent and audit of one store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from console.errors import Refused
from console.events import Bus
from console.records import Explanation, Inspection, Json, Judgement, Since
from console.store.roots import user_name
from console.trust import policy as policies
from console.trust.audit import Audit, AuditCheck, AuditEntry
from console.trust.explain import explain
from console.trust.verdict import judge


class Book:
    """Judges by the store's policy as last read; writes consents and audit lines where `writable`."""

    def __init__(self, root: Path, bus: Bus, *, writable: bool) -> None:
        self._root = root
        self._bus = bus
        self._writable = writable
        self._policy = policies.load_policy(root)
        self._audit = Audit(root)

    def judge(self, inspection: Inspection, digest: str | None) -> Judgement:
        """The verdict under the policy."""
        return judge(inspection, self._policy, digest)

    def explain(self, found: Inspection | None, judgement: Judgement, since: Since | None) -> Explanation:
        """The verdict in plain words."""
        return explain(found, judgement, self._policy, since)

    def fingerprint(self) -> str:
        """Changes whenever a judgement could."""
        return f"{self._policy.fingerprint()}-{len(self._policy.pins)}"

    def pins(self) -> bool:
        """Whether the policy holds any pin."""
        return bool(self._policy.pins)

    def interpreters(self) -> tuple[str, ...]:
        """Those in the store that the user lets a recipe name."""
        return self._policy.interpreters

    def keys(self) -> tuple[str, ...]:
        """The public keys whose signatures count."""
        return self._policy.keys

    async def consent(self, path: str, judgement: Judgement, digest: str, why: str) -> None:
        """Pin a content the operator said yes to. Raises Refused where nothing may be written, Failed."""
        if not self._writable:
            raise Refused(f"{path} cannot be accepted: this console is read-only", hint="start it without --read-only")
        await asyncio.to_thread(policies.accept, self._root, digest=digest, who=user_name(), why=why, artifact=path)
        self._policy = await asyncio.to_thread(policies.load_policy, self._root)
        await self.note("accept", path, digest, f"{judgement.verdict}: {why}")
        self._bus.emit("trust.accepted", path, f"{path} was accepted by {user_name()}: {why}", severity="attention")

    async def note(self, action: str, path: str, digest: str | None, result: str, **detail: Json) -> None:
        """Append one line to the audit log and wait until it is durable. Raises Failed."""
        if self._writable:
            await asyncio.to_thread(
                lambda: self._audit.append(action, artifact=path, digest=digest, result=result, **detail)
            )

    def entries(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first. Raises BadInput, Failed."""
        return self._audit.entries()

    def verify(self) -> AuditCheck:
        """Check the chain of the audit log."""
        return self._audit.verify()
