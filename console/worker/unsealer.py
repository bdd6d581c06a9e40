"""Sealed files opened and made in a child of their own: one file, one child, and nothing of it left afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import ConsoleError
from console.worker.failures import error_of, new_failure
from console.worker.launcher import Launcher
from console.worker.limits import Limits
from console.worker.wire import Head

DEADLINE = 60.0
BYTES_A_SECOND = 20 << 20
"""Pace below which a large file counts as stuck; decryption does some 500 MB a second."""
MEMORY = 512 << 20


async def unseal(launcher: Launcher, name: str, ciphertext: int, identity: int, target: int, *, cap: int) -> int:
    """Decrypt the open file `ciphertext` into the empty `target`; its size in bytes once all of it is authentic.

    `identity` is an open identity file. All descriptors stay the caller's; the child is gone when this returns. When
    it raises, whatever stands in `target` is nothing. Raises ChildRefused (`no-package`, `identity`,
    `wrong-identity`, `damaged`, `over-cap`), ChildFailed.
    """
    return await _ask(launcher, "unseal", name, {"cap": cap}, (ciphertext, identity, target), cap)


async def seal(launcher: Launcher, name: str, plain: int, target: int, recipients: Sequence[str], *, size: int) -> int:
    """Encrypt the open file `plain` of `size` bytes to the recipients, into the empty `target`; bytes written.

    Raises ChildRefused (`no-package`, `recipient`), ChildFailed.
    """
    return await _ask(launcher, "seal", name, {"recipients": list(recipients)}, (plain, target), size)


async def _ask(launcher: Launcher, op: str, name: str, fields: Head, fds: tuple[int, ...], size: int) -> int:
    child = await launcher.spawn("unsealer", label=name, fresh=False, limits=Limits(memory=MEMORY, handed=2 * size))
    try:
        deadline = DEADLINE + size / BYTES_A_SECOND
        head, _body = await child.request(op, fields, fds=fds, deadline=deadline, input=f"the file {name}")
    except ConsoleError:
        await child.end()
        raise
    except BaseException:
        child.kill()
        raise
    await child.end()
    written = head.get("size")
    if not isinstance(written, int) or isinstance(written, bool) or written < 0:
        raise error_of(new_failure(name, "unseal", "protocol", "the unsealer's answer is malformed"))
    return written
