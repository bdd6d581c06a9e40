"""Recovery of what a crash cut short: finished or undone by the digests of what lies there, never by a flag."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.closing import closing_fd
from console.durable import remove_unfinished, sync_directory
from console.errors import OperationError
from console.files.opening import identity_of
from console.files.snapshot import digest_at, exists
from console.files.state_dir import OwnFiles, artifact_lock
from console.locks import BusyError
from console.os_errors import hint, why
from console.versions import remove, retention, swap
from console.versions.journal import MOST_TOLD, Journal
from console.versions.swap import Site

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


@dataclass(frozen=True, slots=True)
class Recovered:
    """Outcome of one interrupted replacement. `outcome` is finished, undone or conflict."""

    path: str
    outcome: str
    text: str


def recover(root: Path, path: str | None = None) -> tuple[Recovered, ...]:
    """Settle every replacement that a crash left open, or those of one artifact; those another process is at are left
    to it, and so is all where the journal is locked.

    Writes nothing where nothing is open. Raises OperationError, InputError when the store or its journal cannot be
    used.
    """
    done: list[Recovered] = []
    try:
        with OwnFiles(root) as own:
            journal = Journal(own)
            for one in _open_paths(journal, path):
                with suppress(BusyError), artifact_lock(own, one, wait=0.0):
                    journal.refresh()
                    done.extend(recover_path(own, journal, one))
    except OSError as error:
        raise OperationError(
            f"an interrupted update in {root} cannot be settled: {why(error)}", hint=hint(error)
        ) from None
    return tuple(done)


def unsettled(root: Path, path: str | None = None) -> tuple[str, ...]:
    """The artifacts with a replacement that is open: at work, or cut off by a crash. Raises OperationError,
    InputError."""
    with OwnFiles(root) as own:
        return _open_paths(Journal(own), path)


def damaged(root: Path) -> tuple[int, ...]:
    """The numbers of lines of the journal that hold nothing. Raises OperationError, InputError."""
    with OwnFiles(root) as own:
        return Journal(own).damaged


def damaged_words(lines: tuple[int, ...]) -> str:
    """Damaged lines of the journal in words: `3 damaged lines, the first is line 17,`."""
    count = f"{len(lines)} or more damaged lines" if len(lines) >= MOST_TOLD else f"{len(lines)} damaged lines"
    return f"{'1 damaged line' if len(lines) == 1 else count}, the first is line {lines[0]},"


def _open_paths(journal: Journal, path: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.path for one in journal.unfinished() if path in (None, one.path)))


def recover_path(own: OwnFiles, journal: Journal, path: str) -> list[Recovered]:
    """The same for one artifact, whose lock the caller holds. Raises OSError."""
    done = []
    for operation in journal.unfinished():
        if operation.path != path:
            continue
        try:
            directory = own.parent_of(path)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            journal.append(operation, "conflict")
            done.append(Recovered(path, "conflict", f"the directory of {path} is gone, an update of it was given up"))
            continue
        with closing_fd(directory):
            site = Site(own, directory, os.path.basename(path), operation)
            done.append(_settle(site, journal))
    return done


def _settle(site: Site, journal: Journal) -> Recovered:
    """Decide by what lies where. The old content under the temporary name proves that the swap took place, whatever
    somebody did to the artifact afterwards."""
    operation = site.operation
    live = digest_at(site.directory, site.name)
    if operation.state == "intent":
        return _end(site, journal, "aborted" if _is_old(site, live) else "conflict")
    lying = digest_at(site.directory, site.tmp)
    foreign = exists(site.directory, site.tmp) and lying not in (operation.old, operation.new)
    if live == operation.new:
        if foreign:
            swap.swap_back(site)
            return _end(site, journal, "conflict")
        if lying == operation.old and operation.state == "staged":
            retention.retain(site.own, site.directory, site.tmp, operation)
        return _finish(site, journal)
    if operation.state == "committed":
        return _finish(site, journal)
    if operation.old and lying == operation.old:
        retention.retain(site.own, site.directory, site.tmp, operation)
        return _finish(site, journal, known=False)
    if foreign:
        swap.set_aside(site)
    return _end(site, journal, "aborted" if _is_old(site, live) else "conflict")


def _is_old(site: Site, live: str | None) -> bool:
    """Whether what was there before the replacement is there."""
    return live == site.operation.old if site.operation.old else not exists(site.directory, site.name)


def _finish(site: Site, journal: Journal, *, known: bool = True) -> Recovered:
    """Bring a replacement that took place to its end. Without `known` somebody wrote over what it had put there."""
    operation = site.operation
    sync_directory(site.directory)
    if operation.state == "staged":
        operation = journal.append(operation, "committed", identity=identity_at(site) if known else ())
    retention.settle(site.own, operation)
    retention.discard_partial(site.own, operation)
    swap.discard(site.directory, site.tmp)
    journal.append(operation, "done", durable=False)
    return Recovered(operation.path, "finished", f"an update of {operation.path} was finished after an interruption")


def _end(site: Site, journal: Journal, state: str) -> Recovered:
    operation = site.operation
    swap.discard(site.directory, site.tmp)
    retention.unlink_shared(site.own, site.directory, site.name, operation)
    sync_directory(site.directory)
    journal.append(operation, state)
    if state == "aborted":
        text = f"an update of {operation.path} was interrupted; the artifact is as it was before"
        return Recovered(operation.path, "undone", text)
    text = f"an update of {operation.path} was interrupted and somebody else changed the file; theirs was left in place"
    return Recovered(operation.path, "conflict", text)


def identity_at(site: Site) -> tuple[int, ...]:
    """Device, inode, size and time of change of the content in place, by which it is known again without reading it."""
    return identity_of(os.stat(site.name, dir_fd=site.directory, follow_symlinks=False))[:-1]


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
