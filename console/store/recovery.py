"""What a crash cut short is finished or undone: decided by the digests of what lies there, never by a flag."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.errors import Failed
from console.store import history, swap
from console.store.journal import Journal
from console.store.own_files import Busy, OwnFiles, artifact_lock, sync_directory
from console.store.swap import Site


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done about one interrupted replacement. `outcome` is finished, undone or conflict."""

    path: str
    outcome: str
    text: str


def recover(root: Path) -> tuple[Recovered, ...]:
    """Settle every replacement that a crash left open; those another process is at are left to it.

    Writes nothing where nothing is open. Raises Failed, BadInput when the store or its journal cannot be used.
    """
    done: list[Recovered] = []
    try:
        with OwnFiles(root) as own:
            journal = Journal(own)
            for path in dict.fromkeys(one.path for one in journal.unfinished()):
                with suppress(Busy), artifact_lock(own, path, wait=0.0):
                    journal.refresh()
                    done.extend(recover_path(own, journal, path))
    except OSError as error:
        raise Failed(f"an interrupted update in {root} cannot be settled: {error.strerror}") from None
    return tuple(done)


def recover_path(own: OwnFiles, journal: Journal, path: str) -> list[Recovered]:
    """The same for one artifact, whose lock the caller holds. Raises OSError."""
    done = []
    for operation in journal.unfinished():
        if operation.path != path:
            continue
        try:
            directory = own.parent_of(path)
        except OSError:
            journal.append(operation, "conflict")
            done.append(Recovered(path, "conflict", f"the directory of {path} is gone, an update of it was given up"))
            continue
        try:
            site = Site(own, directory, os.path.basename(path), operation)
            done.append(_settle(site, journal))
        finally:
            os.close(directory)
    return done


def _settle(site: Site, journal: Journal) -> Recovered:
    """Decide by what lies where. The old content under the temporary name proves that the swap took place, whatever
    somebody did to the artifact afterwards."""
    operation = site.operation
    live = swap.digest_at(site.directory, site.name)
    lying = swap.digest_at(site.directory, site.tmp)
    foreign = operation.state != "intent" and swap.exists(site.directory, site.tmp)
    foreign = foreign and lying not in (operation.old, operation.new)
    if live == operation.new and operation.state != "intent":
        if foreign:
            swap.swap_back(site)
            return _end(site, journal, "conflict")
        if lying == operation.old and operation.state == "staged":
            history.retain(site.own, site.directory, site.tmp, operation)
        return _finish(site, journal)
    if operation.state == "committed":
        return _finish(site, journal)
    if operation.state == "staged" and operation.old and lying == operation.old:
        history.retain(site.own, site.directory, site.tmp, operation)
        return _finish(site, journal, known=False)
    if foreign:
        swap.set_aside(site)
    untouched = live == operation.old if operation.old else not swap.exists(site.directory, site.name)
    return _end(site, journal, "aborted" if untouched else "conflict")


def _finish(site: Site, journal: Journal, *, known: bool = True) -> Recovered:
    """Bring a replacement that took place to its end. Without `known` somebody wrote over what it had put there."""
    operation = site.operation
    sync_directory(site.directory)
    if operation.state == "staged":
        operation = journal.append(operation, "committed", identity=identity_at(site) if known else ())
    history.settle(site.own, operation)
    swap.discard(site.directory, site.tmp)
    journal.append(operation, "done", durable=False)
    return Recovered(operation.path, "finished", f"an update of {operation.path} was finished after an interruption")


def _end(site: Site, journal: Journal, state: str) -> Recovered:
    operation = site.operation
    swap.discard(site.directory, site.tmp)
    history.unlink_shared(site.own, site.directory, site.name, operation)
    sync_directory(site.directory)
    journal.append(operation, state)
    if state == "aborted":
        text = f"an update of {operation.path} was interrupted; the artifact is as it was before"
        return Recovered(operation.path, "undone", text)
    text = f"an update of {operation.path} was interrupted and somebody else changed the file; theirs was left in place"
    return Recovered(operation.path, "conflict", text)


def identity_at(site: Site) -> tuple[int, ...]:
    """Device, inode, size and time of change of the content in place, by which it is known again without reading it."""
    status = os.stat(site.name, dir_fd=site.directory, follow_symlinks=False)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
