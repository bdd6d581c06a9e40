"""What a killed console left half done in a store, brought to its end: replacements, removals, unfinished files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from console.durable import remove_unfinished
from console.errors import OperationError
from console.files.state_dir import OwnFiles
from console.os_errors import hint, why
from console.versions import remove
from console.versions.recovery import Recovered, recover

_SIGNATURES = "signatures"


def settle(root: Path) -> tuple[tuple[Recovered, ...], list[str]]:
    """Settle the store at `root`: the replacements, and what else was done, in sentences. Writes nothing where nothing
    was left. Raises OperationError, InputError where it cannot be told what was left."""
    replaced = recover(root)
    try:
        done = remove.settle_removals(root)
        files = _remove_unfinished(root)
    except OSError as error:
        raise OperationError(
            f"what was interrupted in {root} cannot be settled: {why(error)}", hint=hint(error)
        ) from None
    if files:
        word = "files" if files > 1 else "file"
        done.append(f"{files} unfinished {word} of a killed console removed from {root / '.model-console'}")
    return replaced, done


def _remove_unfinished(root: Path) -> int:
    """Remove the temporary files of dead processes from the console's own directories; how many those were."""
    count = 0
    with suppress(FileNotFoundError), OwnFiles(root) as own:
        if own.fd >= 0:
            count += remove_unfinished(own.fd)
        for name in (remove.DIRECTORY, _SIGNATURES):
            with suppress(FileNotFoundError), own.directory(name) as directory:
                count += remove_unfinished(directory)
    return count
