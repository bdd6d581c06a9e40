"""The lines of a journal: what one holds, how it is written, and which are believed when they are read back."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import asdict, dataclass, field, fields

OPEN_STATES = ("intent", "staged", "committed")
_STATES = (*OPEN_STATES, "done", "aborted", "conflict")
_OP = re.compile(r"[0-9A-Za-z]{1,32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MOST = 2**63
_CRC = b', "~crc": '
_EARLIEST, _LATEST = -62_104_060_800.0, 253_402_300_798.0
"""The years 2 to 9999, beyond which no calendar goes; files can be dated anywhere."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One replacement. `new` and `old` are digests (`old` empty: there was no file), `tmp` the name of the temporary
    file in the artifact's directory, `version` and `old_version` what the two contents are called in its history."""

    op: str
    path: str
    tmp: str
    new: str
    old: str
    version: int
    old_version: int
    when: float
    who: str
    why: str
    size: int
    old_size: int = 0
    old_when: float = 0.0
    old_why: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    old_metrics: dict[str, float] = field(default_factory=dict)
    state: str = "intent"
    seq: int = 0
    identity: tuple[int, ...] = ()
    old_who: str = ""


_FIELDS = frozenset(item.name for item in fields(Operation))


def calendar(when: float) -> float:
    """The nearest time that a calendar has."""
    return min(max(when, _EARLIEST), _LATEST)


def encode(step: Operation) -> bytes:
    """The line of one step: ASCII JSON with a checksum of everything else in it."""
    text = json.dumps(asdict(step), sort_keys=True)
    return f'{text[:-1]}, "~crc": {zlib.crc32(text.encode())}}}\n'.encode()


def decode(line: bytes) -> Operation | None:
    """The step a line holds, None when its checksum or form is wrong; keys of later releases are passed over."""
    try:
        found = json.loads(line)
        crc = found.pop("~crc")
        if crc != zlib.crc32(line.rpartition(_CRC)[0] + b"}"):
            return None
        found["identity"] = tuple(found.get("identity", ()))
        return Operation(**{key: value for key, value in found.items() if key in _FIELDS})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def readable(line: bytes) -> Operation | None:
    """The step in a line that may be believed, None where there is none: what judges a line before it is written as
    well as when it is read."""
    step = decode(line)
    return step if step is not None and sound(step) else None


def sound(step: Operation) -> bool:
    """Whether a step can have been written by us: whoever sent the store may have written a journal with names in it
    that lead elsewhere, and recovery renames and removes what it names."""
    texts = (step.op, step.path, step.tmp, step.new, step.old, step.who, step.why, step.old_who, step.old_why)
    counts = (step.version, step.old_version, step.size, step.old_size, step.seq)
    return (
        all(type(text) is str for text in texts)
        and all(type(count) is int and 0 <= count < _MOST for count in counts)
        and all(_is_number(when) and _EARLIEST <= when <= _LATEST for when in (step.when, step.old_when))
        and _are_metrics(step.metrics)
        and _are_metrics(step.old_metrics)
        and all(type(part) is int for part in step.identity)
        and _OP.fullmatch(step.op) is not None
        and step.tmp == f".mc-{step.op}.tmp"
        and _DIGEST.fullmatch(step.new) is not None
        and (not step.old or _DIGEST.fullmatch(step.old) is not None)
        and step.state in _STATES
        and _stays_inside(step.path)
    )


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _are_metrics(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(key, str) and _is_number(found[key]) for key in found)


def _stays_inside(path: str) -> bool:
    return "\0" not in path and all(name not in ("", ".", "..") for name in path.split("/"))
