"""Sealing from the screens: why something cannot be, the question before it, and the outcome of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.records import Artifact
from console.safe_text import safe
from console.ui import text
from console.ui.tally import Outcome, named, names

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.records import StoreStatus

_RECIPIENT = 24
_NOBODY = 'nobody is named to seal for: set recipients = ["age1…"] under [sealing] in config.toml'


def why_not_sealed(status: StoreStatus, artifact: Artifact) -> str:
    """In a few words, why an artifact cannot be sealed; empty where it can."""
    if artifact.problem is not None:
        return "it cannot be read"
    if artifact.sealed:
        return "it is sealed already"
    if artifact.link is not None:
        return "it is a link"
    if artifact.members:
        return "it is a directory"
    return "" if status.recipients else _NOBODY


def question(status: StoreStatus, paths: Sequence[str]) -> tuple[str, str]:
    """The question, and what sealing these does."""
    one = len(paths) == 1
    who = [text.cut_middle(safe(recipient), _RECIPIENT) for recipient in status.recipients]
    asked = f"Seal {named(paths[0]) if one else text.count(len(paths), 'model')} for {names(who)}?"
    told = [] if one else [f"{names(paths)}."]
    told.append("Each is encrypted with age and written beside the original, as NAME.age.")
    if not status.decrypts:
        told.append("No identity is named in config.toml, so this console cannot load what is sealed.")
    told.append("Originals stay as they are, or are removed; earlier versions stay open in .model-console/history.")
    return asked, " ".join(told)


async def seal_one(engine: EngineApi, recipients: tuple[str, ...], path: str, *, remove: bool) -> Outcome:
    """Seal one for the recipients in the settings. Raises ConsoleError."""
    older = [version for version in await engine.updates.history(path) if not version.current] if remove else []
    await engine.security.encrypt(path, recipients, replace=remove)
    if older:
        return Outcome("sealed", "earlier versions stay open in .model-console/history", "warning")
    return Outcome("sealed in place of the original" if remove else "sealed, the original is still there")
