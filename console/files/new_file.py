"""A new file from bytes in memory: durable, over nothing, copied by the kernel alone, named when it is whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from console.closing import closing_fd
from console.errors import InputError, OperationError
from console.files.snapshot import Snapshot
from console.os_errors import hint, why


def write_new(out: Path, content: Snapshot, mode: int | None = None) -> None:
    """A new file with these bytes and permissions (None: what the umask leaves); none is left where that fails or is
    cut short, but on file systems that know no files without a name.

    No byte passes through this process. Raises InputError, OperationError.
    """
    try:
        directory = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {why(error)}", hint=hint(error)) from None
    with closing_fd(directory):
        fd, named = _opened(directory, out, 0o666 if mode is None else 0o600)
        try:
            copy_into(content, fd)
            if mode is not None:
                os.fchmod(fd, mode)
            os.fsync(fd)
            if not named:
                os.link(f"/proc/self/fd/{fd}", out.name, dst_dir_fd=directory, follow_symlinks=True)
            os.fsync(directory)
        except FileExistsError:
            raise _there(out) from None
        except OSError as error:
            if named:
                os.unlink(out.name, dir_fd=directory)
            raise OperationError(
                f"{out} could not be written: {why(error)}; nothing was left", hint=hint(error)
            ) from None
        finally:
            os.close(fd)


def _opened(directory: int, out: Path, mode: int) -> tuple[int, bool]:
    """A file to write to, and whether it has its name already. Raises InputError."""
    if os.path.lexists(out):
        raise _there(out)
    with suppress(OSError):
        return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, mode, dir_fd=directory), False
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(out.name, flags, mode, dir_fd=directory), True
    except FileExistsError:
        raise _there(out) from None
    except OSError as error:
        raise InputError(f"{out} cannot be written: {why(error)}", hint=hint(error)) from None


def _there(out: Path) -> InputError:
    return InputError(f"{out} is there already", hint="name another file with --out")


def copy_into(content: Snapshot, fd: int) -> None:
    """Append the bytes to an open file, copied by the kernel. Raises OSError."""
    done = 0
    while done < content.size:
        sent = os.sendfile(fd, content.fd, done, content.size - done)
        if not sent:
            raise OSError(0, "it ended early")
        done += sent
