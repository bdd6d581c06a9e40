"""Commands around keys: sign and verify contents, seal and unseal artifacts, make a key."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from console.cli.data_files import absolute
from console.cli.json_shapes import picked
from console.cli.output import Output, columns, size_words
from console.cli.session import opened
from console.errors import OperationError
from console.records import Json, PublicKey, SignatureStatus


async def keygen(arguments: argparse.Namespace, output: Output) -> int:
    """A new key in a file of its own: Ed25519 for signing, or an identity of age for sealing."""
    path = _path(arguments.file)
    if arguments.age:
        recipient = arguments.door.new_identity(path).line
        output.data({"path": str(path), "recipient": recipient}, lambda: [recipient])
        output.say(f"the identity is in {path}; name it in config.toml: [sealing] identity, and seal --to {recipient}")
        return 0
    made: PublicKey = arguments.door.new_signing_key(path)
    line = made.line
    output.data({"path": str(path), "key": line, "key_id": made.key_id}, lambda: [line])
    output.say(f'the private key is in {path}; to trust it: policy.toml, [signing] keys = ["{line}"]')
    return 0


async def sign(arguments: argparse.Namespace, output: Output) -> int:
    """Sign what an artifact holds now, or every artifact of a directory."""
    key = str(_path(arguments.key))
    async with opened(arguments.door, arguments.artifact, records=True, files=[key]) as store:
        found = await store.engine.security.sign(store.path, key)
    signed: list[Json] = [{"path": path, "digest": digest} for path, digest in found.digests.items()]
    output.data(
        {"key": found.key, "key_id": found.key_id, "signed": signed},
        lambda: [f"signed {path}  {digest[:19]}" for path, digest in found.digests.items()],
    )
    return 0


async def verify(arguments: argparse.Namespace, output: Output) -> int:
    """Check that every artifact is signed; 1 when one is not."""
    async with opened(arguments.door, arguments.artifact, records=False, attach=False) as store:
        found = await store.engine.security.verify(store.path, tuple(arguments.key or ()))
    output.data([picked(one, *_KEYS) for one in found], lambda: columns(_HEADERS, [_row(one) for one in found]))
    wrong = sum(one.state != "signed" for one in found)
    if wrong:
        output.say(f"{wrong} of {len(found)} artifacts are not signed as they are")
    return OperationError.exit_code if wrong else 0


_KEYS = ("path", "digest", "state", "detail", "key_id", "who", "when")
_HEADERS = ("STATE", "PATH", "DIGEST", "KEY", "WHO", "WHEN", "WHY")


def _row(one: SignatureStatus) -> tuple[str, ...]:
    digest = (one.digest or "")[:19]
    return one.state, one.path, digest, one.key_id or "", one.who or "", one.when or "", one.detail


async def seal(arguments: argparse.Namespace, output: Output) -> int:
    """Write an artifact encrypted for its recipients."""
    out = str(_path(arguments.out)) if arguments.out else None
    async with opened(arguments.door, arguments.artifact, records=True, files=[out]) as store:
        before = [one for one in await store.engine.updates.history(store.artifact) if not one.current]
        made = await store.engine.security.encrypt(store.artifact, tuple(arguments.to), out, replace=arguments.replace)
        kept = await store.engine.security.history_directory(store.artifact)
    output.data(
        {"path": made.path, "digest": made.digest, "recipients": list(arguments.to)}, lambda: [f"sealed {made.path}"]
    )
    if not arguments.replace:
        output.say(f"{arguments.artifact} is still there, not sealed; --replace would have removed it")
    elif before:
        versions = f"{len(before)} older version{'s' if len(before) > 1 else ''}"
        lie = "lie" if len(before) > 1 else "lies"
        output.say(f"{versions} of it still {lie} open on the disk; to remove them: rm -rf {shlex.quote(kept)}")
    return 0


async def unseal(arguments: argparse.Namespace, output: Output) -> int:
    """Write what a sealed artifact holds to a file of the operator's own."""
    identity = str(_path(arguments.identity)) if arguments.identity else None
    out = str(_path(arguments.out))
    async with opened(arguments.door, arguments.artifact, records=True, files=[identity, out]) as store:
        size = await store.engine.security.decrypt(store.artifact, identity, out)
    output.data({"path": out, "size": size}, lambda: [f"written {out}, {size_words(size)}, not sealed"])
    return 0


def _path(named: str) -> Path:
    return Path(absolute(named) or named)
