"""The model and version that a request names in its path."""

from __future__ import annotations

from console.errors import NotServedError
from console.http.messages import Request
from console.records import ServedModel, ServedVersion


def model_name(request: Request) -> str:
    """The name of the model, as the path has it."""
    return request.params["name"]


def version_of(request: Request) -> str:
    """The version that is named, "" for whichever is current."""
    return request.params.get("version", "")


def newest_first(model: ServedModel) -> list[ServedVersion]:
    """The versions of a model by their numbers."""
    return sorted(model.versions, key=_number, reverse=True)


def _number(version: ServedVersion) -> int:
    return int(version.version) if version.version.isdecimal() else 0


def find_version(model: ServedModel, version: str) -> ServedVersion | None:
    """One version of a model, None where none is named. Raises NotServedError."""
    if not version:
        return None
    for found in model.versions:
        if found.version == version:
            return found
    known = ", ".join(found.version for found in newest_first(model)[:8]) or "none"
    raise NotServedError(f"{model.name} has no version {version[:40]}; its versions are: {known}.")
