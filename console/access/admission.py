"""Admission of a judged content to be loaded: by verdict, an operator's yes, pins, signatures and sandbox layers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from backends.core.descriptors import why_not_loadable
from console.access.control import AccessControl
from console.errors import AccessDeniedError, InputError, NeedsReviewError, OperationError
from console.inspection.service import Judged
from console.records import Judgement, Layer, Verdict

if TYPE_CHECKING:
    from console.trust.signatures import Signed


Signers = Callable[[str, str], "Awaitable[Signed | None]"]
"""Who of the keys that the policy trusts signed this content: path, digest."""

_UNPINNED = "is not pinned, and the policy lets nothing be loaded that nobody has accepted"


class Admission:
    """Decides by the policy in `access`; `signed` tells who signed a content. Every no names the next step."""

    def __init__(self, access: AccessControl, signed: Signers) -> None:
        self._access = access
        self._signed = signed

    async def refresh(self) -> None:
        """Go by the policy files as they are now. Raises InputError when one cannot be read."""
        await self._access.refresh()

    async def admit(self, path: str, judged: Judged, accept: str | None) -> None:
        """Let through what may be loaded; `accept` is why the operator says yes to what needs one.

        Raises NeedsReviewError, AccessDeniedError, InputError.
        """
        judgement, inspection, digest = judged.judgement, judged.inspection, judged.bytes.digest or ""
        why = "; ".join(reason.detail for reason in judgement.reasons[:3]) or str(judgement.verdict)
        require_inspected(path, judgement)
        if judgement.verdict in (Verdict.DAMAGED, Verdict.UNSUPPORTED) or inspection is None:
            step = "copy it again from where it was made, and compare the sizes"
            raise InputError(
                f"{path} is {judgement.verdict}: {why}", hint=step if judgement.verdict is Verdict.DAMAGED else None
            )
        if judgement.verdict is Verdict.BLOCKED:
            raise AccessDeniedError(f"{path} is blocked: {why}", hint="nothing in it was run")
        if not inspection.loadable:
            raise InputError(f"{path} can be inspected but not run: {why_not_loadable(inspection)}")
        await self._require_signature(path, digest)
        review = judgement.verdict is Verdict.REVIEW and judgement.pinned is None
        unpinned = self._access.policy.require_pin and self._access.policy.pin(digest) is None
        if not review and not unpinned:
            return
        if accept is None:
            text = f"needs your review before it is loaded: {why}"
            if not review:
                text = _UNPINNED
            raise NeedsReviewError(f"{path} {text}", hint='inspect it, then accept it and say why (--accept "why")')
        await self._access.accept(path, judgement, digest, accept)

    async def demanded(self, path: str, digest: str) -> None:
        """Hold back a content that lacks the signature or the pin that the policy demands. Raises AccessDeniedError."""
        await self._require_signature(path, digest)
        if self._access.policy.require_pin and self._access.policy.pin(digest) is None:
            raise NeedsReviewError(f"{path} {_UNPINNED}", hint="load it once and accept it")

    def layers(self, path: str, judgement: Judgement, active: Mapping[str, Layer]) -> tuple[str, ...]:
        """The warnings about a worker without a mandatory layer. Raises AccessDeniedError where it must not be
        used."""
        mandatory = self._access.policy.mandatory
        require_layers(path, judgement, active, mandatory)
        missing = missing_layers(active, mandatory)
        if not missing:
            return ()
        text = f"{path} is loaded without {missing}"
        self._access.warn("trust.layers", path, text)
        return (f"it runs without {missing}",)

    async def _require_signature(self, path: str, digest: str) -> None:
        policy = self._access.policy
        if not policy.require_signature:
            return
        if not policy.keys:
            raise AccessDeniedError(
                f"{path} is not loaded: the policy demands a signature, and names no key that could have made one",
                hint="list the public keys you trust under [signing] keys in the policy",
            )
        if await self._signed(path, digest) is None:
            raise AccessDeniedError(
                f"{path} is not loaded: the policy demands a signature, and none of its keys signed this content",
                hint="look at it with `model-console verify`; who vouches for it signs it with `model-console sign`",
            )


def require_inspected(path: str, judgement: Judgement) -> None:
    """Nothing is decided about a content that the machine kept from being inspected. Raises OperationError."""
    if judgement.verdict is None:
        error = OperationError(f"{path} is {judgement.reasons[0].detail}", hint="try again once the machine can do it")
        error.code = judgement.reasons[0].code
        raise error


def missing_layers(active: Mapping[str, Layer], mandatory: frozenset[str]) -> str:
    """The mandatory layers that do not hold and why, for a sentence; "" where all do."""
    absent = {name: active.get(name) for name in sorted(mandatory) if not _holds(active.get(name))}
    words = [
        f"{name} ({layer.evidence if layer else 'this sandbox has no such layer'})" for name, layer in absent.items()
    ]
    if not words:
        return ""
    return f"the mandatory layer{'s' if len(words) > 1 else ''} {', '.join(words)}"


def require_layers(path: str, judgement: Judgement, active: Mapping[str, Layer], mandatory: frozenset[str]) -> None:
    """A content that is not `safe` is only let into a child whose mandatory layers all hold. Raises
    AccessDeniedError."""
    missing = missing_layers(active, mandatory)
    if missing and judgement.verdict is not Verdict.SAFE:
        raise AccessDeniedError(
            f"{path} is not loaded: what is under review must not run without {missing}",
            hint="`model-console doctor` shows the layers; the policy says which are mandatory ([sandbox] mandatory)",
        )


def _holds(layer: Layer | None) -> bool:
    return layer is not None and layer.active
