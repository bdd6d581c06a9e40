"""Access control of one store: policy, roles, acceptance of contents under review, and the audit log."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from console.access.actor import Actor, acting, acting_as, who
from console.access.refusals import Refusals
from console.errors import AccessDeniedError, InputError, OperationError
from console.events import Bus
from console.files.opening import identity_at
from console.files.roots import user_name
from console.locks import LOCK_TRY_S, retried
from console.records import AuditCheck, AuditEntry, ContentDiff, Explanation, FileIdentity, Inspection, Json, Judgement
from console.trust import policy as policies
from console.trust.audit import Audit
from console.trust.explain import explain
from console.trust.policy import Source
from console.trust.roles import NEEDS, Caller, Permission, bearer_permission, permission, this_user
from console.trust.verdict import judge

_LOCK_WAIT = 3.0
_MOST_KNOWN = 4096
"""Actors whose permission is kept."""


class AccessControl:
    """Judges by the policy as last read, and says who may do what; writes consents and audit lines in the store.

    Who asks is the actor in whose context it runs (`acting`), else the user of this process.

    Without `records`, or where `why_read_only` says why nothing may be changed, what was done goes into the user's own
    log instead.
    """

    def __init__(self, root: Path, bus: Bus, *, why_read_only: str = "", records: bool = True) -> None:
        self.why_read_only = why_read_only
        self._root = root
        self._bus = bus
        self._records = records
        self._writable = records and not why_read_only
        self._audit = Audit(root)
        self._own_audit = Audit(root, own=True)
        self._files: tuple[FileIdentity | None, ...] | None = self._identities()
        self.policy = policies.load_policy(root)
        self._permissions: dict[Actor | None, Permission] = {}
        self.refused = Refusals(self.record, bus)

    def move(self, root: Path, *, why_read_only: str = "") -> None:
        """Judge and write from now on for the store at `root`. Raises InputError when its policy cannot be read: until
        it can, `refresh` raises the same."""
        self._root, self.why_read_only = root, why_read_only
        self._writable = self._records and not why_read_only
        self._audit, self._own_audit = Audit(root), Audit(root, own=True)
        self._files = None
        found = self._identities()
        self.policy, self._files = policies.load_policy(root), found
        self._permissions.clear()

    # policy

    async def announce(self) -> None:
        """Tell of files that do not count, and put on record what changed since the last record. Raises
        AccessDeniedError where this user may not even look, OperationError."""
        await self.authorize("look")
        for source in self.policy.sources:
            self._tell_ignored(source)
        await self._record_changes()

    async def refresh(self) -> None:
        """Read the policy again where its files were touched. Raises InputError when one cannot be read."""
        found = await asyncio.to_thread(self._identities)
        if found == self._files:
            return
        before = self.policy
        self.policy, self._files = await asyncio.to_thread(policies.load_policy, self._root), found
        self._permissions.clear()
        for source in self.policy.sources:
            if source not in before.sources:
                self._tell_ignored(source)
        await self._record_changes()

    def judge(self, inspection: Inspection, digest: str | None) -> Judgement:
        """The verdict under the policy."""
        return judge(inspection, self.policy, digest)

    def explain(self, found: Inspection | None, judgement: Judgement, since: ContentDiff | None) -> Explanation:
        """The verdict in plain words."""
        return explain(found, judgement, self.policy, since)

    def fingerprint(self) -> str:
        """Changes whenever a judgement could."""
        return f"{self.policy.fingerprint()}-{len(self.policy.pins)}"

    def pins(self) -> bool:
        """Whether the policy holds any pin."""
        return bool(self.policy.pins)

    def digest_first(self) -> bool:
        """Whether nothing may be loaded before its digest is known."""
        return self.policy.require_pin or self.policy.require_signature

    def interpreters(self) -> tuple[str, ...]:
        """Those in the store that the user lets a recipe name."""
        return self.policy.interpreters

    # roles and consent

    @property
    def read_only(self) -> bool:
        """Whether nothing in the store may be changed, whoever asks."""
        return bool(self.why_read_only)

    @property
    def permission(self) -> Permission:
        """The permission of whoever asks."""
        actor = acting.get()
        known = self._permissions.get(actor)
        if known is None:
            if len(self._permissions) >= _MOST_KNOWN:
                self._permissions.clear()
            known = self._permissions[actor] = self._permission_of(actor)
        return known

    @property
    def who(self) -> str:
        """The name of whoever asks."""
        return who()

    @property
    def is_guest(self) -> bool:
        """Whether another user than the engine's asks: files that they name are read and written with its rights."""
        actor = acting.get()
        return actor is not None and (actor.principal is not None or actor.uid != os.geteuid())

    @property
    def role(self) -> str:
        """The role of whoever asks: view, infer, operate or administer."""
        return self.permission.role.word

    def refusal(self, action: str) -> str | None:
        """Why an action is not theirs who ask, as a sentence; None where it is."""
        return self.permission.refusal(action)

    def refusals(self) -> dict[str, str]:
        """The same for all actions that are not theirs who ask."""
        return {action: why for action in NEEDS if (why := self.refusal(action)) is not None}

    async def authorize(self, action: str, path: str = "", *, writes: bool = False) -> None:
        """Let whoever asks do this, or put on record that they may not; with `writes` it changes something there.

        Raises AccessDeniedError with the role it takes, or with why nothing may be changed.
        """
        refusal = self.refusal(action)
        if refusal is not None:
            with suppress(OperationError):
                if acting.get() is None:
                    await self.record(action, path, None, f"refused: {refusal}")
                else:
                    await self.refused.tell(action, path, refusal, self.who)
            raise AccessDeniedError(refusal, hint="ask somebody who has that role")
        if writes and self.read_only:
            hint = "`model-console doctor` tells what would let you"
            raise AccessDeniedError(f"this console is read-only: {self.why_read_only}", hint=hint)

    async def authorize_model(self, action: str, model: str) -> None:
        """The same for a model in service by its name, which those who ask over HTTP may be limited to. Costs a request
        next to nothing. Raises AccessDeniedError."""
        if self.refusal(action) is not None:
            await self.authorize(action, model)
        if self.sees(model):
            return
        why = f"{self.who} may not ask for {model}: it is for other models"
        with suppress(OperationError):
            await self.refused.tell(action, model, why, self.who)
        raise AccessDeniedError(why, hint="ask with a token that is for this model too")

    def sees(self, model: str) -> bool:
        """Whether a model in service is among those that whoever asks is limited to, if they are."""
        actor = acting.get()
        if actor is None or actor.principal is None or not actor.principal.models:
            return True
        return any(fnmatchcase(model, pattern) for pattern in actor.principal.models)

    async def accept(self, path: str, judgement: Judgement, digest: str, why: str) -> None:
        """Pin a content the operator said yes to. Raises AccessDeniedError where that is not theirs to say,
        OperationError."""
        if not self._writable:
            raise AccessDeniedError(
                f"{path} cannot be accepted: this console is read-only", hint="start it without --read-only"
            )
        await self.authorize("accept", path)
        await asyncio.to_thread(policies.accept, self._root, digest=digest, who=self.who, why=why, artifact=path)
        self.policy = await asyncio.to_thread(policies.load_policy, self._root)
        self._files = await asyncio.to_thread(self._identities)
        self._permissions.clear()
        await self.record("accept", path, digest, f"{judgement.verdict}: {why}", **self._digests())
        self._bus.emit("trust.accepted", path, f"{path} was accepted by {self.who}: {why}", severity="attention")

    def warn(self, kind: str, path: str, text: str) -> None:
        """Tell whoever listens what they should know about a path."""
        self._bus.emit(kind, path, text, severity="attention")

    # audit

    async def record(self, action: str, path: str, digest: str | None, result: str, **detail: Json) -> None:
        """Append one line to the audit log and wait until it is durable. Raises OperationError.

        What may not be written in the store goes into the user's own log, as far as that can be written.
        """
        audit = self._audit if self._writable else self._own_audit
        actor = acting.get()
        by = None if actor is None else actor.recorded()

        def append() -> AuditEntry:
            return audit.append(action, artifact=path, digest=digest, result=result, wait=LOCK_TRY_S, who=by, **detail)

        try:
            await retried(append, wait=_LOCK_WAIT)
        except OperationError:
            if self._writable:
                raise

    def entries(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first; behind it what the user's own log has of this store. Raises InputError."""
        return (*self._audit.entries(), *(replace(entry, log="own") for entry in self._own_audit.entries()))

    def verify(self) -> AuditCheck:
        """Check the chain of the audit log, and that of the user's own."""
        check, own = self._audit.verify(), self._own_audit.verify()
        if check.ok and not own.ok:
            return replace(check, ok=False, problem=f"in your own log of this store: {own.problem}", line=own.line)
        return check

    # inside

    def _permission_of(self, actor: Actor | None) -> Permission:
        if actor is not None and actor.principal is not None:
            return bearer_permission(actor.who, actor.principal.role)
        if actor is None or actor.uid == os.geteuid():
            return permission(self.policy, this_user())
        return permission(self.policy, Caller(actor.name, actor.uid, actor.groups, guest_of=user_name()))

    def _identities(self) -> tuple[FileIdentity | None, ...]:
        return tuple(identity_at(path, links=False) for path in policies.policy_files(self._root))

    def _digests(self) -> dict[str, Json]:
        return {"policy": self.policy.digest(own=False), "own_policy": self.policy.digest(own=True)}

    def _tell_ignored(self, source: Source) -> None:
        if source.ignored:
            why = source.distrusted or "these count from your own policy file alone"
            self.warn("trust.policy", "", f"{source.path} is not followed for {', '.join(source.ignored)}: {why}")

    async def _record_changes(self) -> None:
        """Compare both files with what the log last said of them; who changed them is not known."""
        if not self._writable:
            return
        with acting_as(None):
            await self._record_differences()

    async def _record_differences(self) -> None:
        now = self._digests()
        for word, uid, whose in (
            ("policy", None, "the store's policy"),
            ("own_policy", os.getuid(), "their own policy"),
        ):
            try:
                last = await asyncio.to_thread(self._audit.last, word, uid)
            except InputError:
                return
            if now[word] != (last.detail[word] if last is not None else ""):
                known = "was changed outside the console" if last is not None else "is followed from now on"
                await self.record("policy", "", None, f"{whose} {known}", **{word: now[word]})
                self.warn("trust.policy", "", f"{whose} {known}")
