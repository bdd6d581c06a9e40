"""The configuration of a Keras model as a worker hands it to Keras: every class on an exact list, no word of the file
left that Keras would import something by."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from backends.core.errors import NotLoadable
from backends.core.findings import KINDS
from backends.core.inspection import Finding
from backends.formats.keras.config import VALUES

_FUNCTIONAL = ("Model", "Functional")
_OBSOLETE = {"time_major": False}
"""Settings of Keras 2 that Keras 3 no longer takes, with the value by which they say what it does anyway."""


@functools.cache
def _built() -> dict[str, tuple[str, ...]]:
    """Class to the modules of Keras 3 that have it."""
    lines = Path(__file__).with_name("built.txt").read_text(encoding="ascii").splitlines()
    found: dict[str, tuple[str, ...]] = {}
    for name, home in (line.split() for line in lines if line and line[0] != "#"):
        found[name] = (*found.get(name, ()), home)
    return found


def refuse_what_runs(findings: tuple[Finding, ...]) -> None:
    """Raise NotLoadable where an inspection found what Keras would run, or what breaks the file."""
    worst = next((each for each in findings if KINDS[each.code] != "note" and each.code != "extension-mismatch"), None)
    if worst is not None:
        raise NotLoadable(f"a worker builds models of Keras's own layers alone, and here {worst.detail}")


def buildable(config: Any) -> Any:
    """A model's configuration, in place, with exact homes for all its classes. Raises NotLoadable for one that is not
    on the list."""
    waiting = [config]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting.extend(here)
        elif isinstance(here, dict):
            here.pop("compile_config", None)
            here.pop("safe_mode", None)
            waiting.extend(here.values())
            if isinstance(here.get("class_name"), str):
                _place(here)
    return config


def _place(entry: dict[str, Any]) -> None:
    """Give one object the module that has its class, and no other name to look it up by."""
    name = entry["class_name"]
    if name in VALUES:
        return
    if name == "function":
        if entry.get("module") is not None:
            entry["module"], entry["registered_name"] = "builtins", None
        return
    if name in _FUNCTIONAL:
        name = entry["class_name"] = "Functional"
    homes = _built().get(name)
    if homes is None:
        raise NotLoadable(f"{name[:100]} is no class that a worker builds: export the model with its own Keras")
    told = str(entry.get("module"))
    if entry.get("module") is not None:
        entry["module"] = next((home for home in homes if home.split(".")[-1] in told.split(".")), homes[0])
        entry["registered_name"] = None
    settings = entry.get("config")
    if isinstance(settings, dict):
        _modernise(name, settings)


def _modernise(name: str, settings: dict[str, Any]) -> None:
    """Say settings of Keras 2 as Keras 3 takes them. A layer's `batch_input_shape` has the batch for its first side,
    which Keras 3 would count twice."""
    for key, value in _OBSOLETE.items():
        if key in settings and settings[key] == value:
            del settings[key]
    shape = settings.get("batch_input_shape")
    if name != "InputLayer" and isinstance(shape, list) and shape[:1] == [None]:
        del settings["batch_input_shape"]
        settings["input_shape"] = shape[1:]
