"""What a killed console left half done in a store, brought to its end: replacements, removals, unfinished files."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from console.durable import remove_unfinished
from console.errors import Failed
from console.os_errors import hint, why
from console.store import remove, twins
from console.store.own_files import JOURNAL, OwnFiles
from console.store.recovery import Recovered, recover

__all__ = ["settle"]

_SIGNATURES = "signatures"
_CHUNK = 1 << 20
_BEGUN, _ENDED = b'"state": "intent"', (b'"state": "done"', b'"state": "aborted"', b'"state": "conflict"')


def settle(root: Path) -> tuple[list[Recovered], list[str]]:
    """Settle the store at `root`: the replacements, and what else was done, in sentences. Writes nothing where nothing
    was left. Raises Failed, BadInput where it cannot be told what was left."""
    replaced = list(recover(root)) if _may_be_open(root) else []
    try:
        done = remove.settle_removals(root)
        files = _remove_unfinished(root)
    except OSError as error:
        raise Failed(f"what was interrupted in {root} cannot be settled: {why(error)}", hint=hint(error)) from None
    if files:
        word = "files" if files > 1 else "file"
        done.append(f"{files} unfinished {word} of a killed console removed from {root / '.model-console'}")
    return replaced, done


def _may_be_open(root: Path) -> bool:
    """Whether the journal tells of more replacements begun than ended; to read all of it takes long in an old store."""
    begun = ended = 0
    with suppress(FileNotFoundError), OwnFiles(root) as own:
        if own.fd < 0:
            return False
        fd = os.open(JOURNAL, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=own.fd)
        try:
            rest = b""
            while data := os.read(fd, _CHUNK):
                lines, line_end, rest = (rest + data).rpartition(b"\n")
                begun += (lines + line_end).count(_BEGUN)
                ended += sum((lines + line_end).count(word) for word in _ENDED)
        except OSError:
            return True
        finally:
            os.close(fd)
    return begun != ended


def _remove_unfinished(root: Path) -> int:
    """Remove the temporary files of dead processes from the console's own directories; how many those were."""
    count = 0
    with suppress(FileNotFoundError), OwnFiles(root) as own:
        if own.fd >= 0:
            count += remove_unfinished(own.fd)
        for name in (twins.DIRECTORY, remove.DIRECTORY, _SIGNATURES):
            with suppress(FileNotFoundError), own.directory(name) as directory:
                count += remove_unfinished(directory)
    return count
