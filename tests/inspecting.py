"""Artifacts inspected as an inspector does it, in the test's own process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backends.core import registry
from backends.core.errors import ArtifactError
from backends.core.inspection import Inspection
from backends.core.source import Source
from console.inspection.inspecting import VERDICTS
from console.records import Judgement, Reason, Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge


def inspect_file(path: Path) -> Inspection:
    """The inspection of a file."""
    with path.open("rb") as file:
        return registry.inspect(Source(file.fileno(), path.name))


def inspect_bytes(data: bytes, name: str = "model.pkl") -> Inspection:
    """The inspection of these bytes, as a file of this name."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return registry.inspect(Source(file.fileno(), name))


def judge_error(error: ArtifactError) -> Judgement:
    """The verdict on a file whose inspection failed with this error."""
    reason = Reason(error.code, str(error), error.offset)
    return Judgement(VERDICTS.get(error.code, Verdict.DAMAGED), (reason,))


def judged(data: bytes, name: str = "model.pkl") -> Judgement:
    """The verdict on these bytes under an empty policy."""
    try:
        return judge(inspect_bytes(data, name), Policy())
    except ArtifactError as error:
        return judge_error(error)
