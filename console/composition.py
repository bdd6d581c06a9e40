"""Engines in this process, for the programs that need one: the one place that knows both sides of the door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console.config import Settings, load_settings

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.records import PublicKey
    from console.records.service import ServeOptions


class LocalDoor:
    """A Door to engines in this process. What it leads to is imported when it is gone through."""

    def root(self, path: str) -> Path:
        """The store that a path belongs to. Raises InputError."""
        from console.files.roots import place_of

        return place_of(path).root

    async def open(
        self,
        path: str,
        *,
        records: bool | None = None,
        watch: bool = False,
        alone: bool = False,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> tuple[EngineApi, str]:
        """The engine of the store that a path belongs to, and the place in it. Raises InputError, UsageError."""
        from console.files.roots import is_store, place_of

        place, settings = place_of(path, as_artifact=not watch), load_settings()
        attaches = settings.attach and not settings.read_only and not alone
        attached = await _attached(place.root) if attaches else None
        if attached is not None:
            return attached, place.path
        from console.engine.local import Engine

        kept = is_store(place.root) if records is None else records
        engine = await Engine.open(
            place.root, settings, read_only=settings.read_only, watch=watch, records=kept, on_failure=on_failure
        )
        return engine, place.path

    async def attach(self, path: str) -> EngineApi:
        """The engine that serves the store a path belongs to. Raises InputError, OperationError."""
        from console.files.roots import place_of
        from console.service.attach import require

        return await require(place_of(path).root)

    def serve(self, path: str, options: ServeOptions) -> int:
        """Serve the store until this process is told to end; the exit code. Raises ConsoleError."""
        from console.files.roots import place_of
        from console.service.service import serve

        return serve(place_of(path).root, load_settings(), options)

    def unit(self, path: str, options: ServeOptions) -> str:
        """The systemd unit that does the same. Raises InputError, UsageError."""
        from console.files.roots import place_of
        from console.service.runtime import group_id
        from console.service.unit import unit_text

        group_id(options.group)
        return unit_text(place_of(path).root, options, drain_s=load_settings().drain_s)

    def new_signing_key(self, file: Path) -> PublicKey:
        """Write a new private key for signing. Raises InputError, OperationError."""
        from console.records import PublicKey
        from console.trust.signing import generate, key_id

        line = generate(file)
        return PublicKey(line, key_id(line))

    def new_identity(self, file: Path) -> PublicKey:
        """Write a new identity of age; the recipient that belongs to it. Raises InputError, OperationError."""
        from console.records import PublicKey
        from console.trust.secret_files import generate_identity

        return PublicKey(generate_identity(file))


async def open_store(
    root: Path, settings: Settings, on_failure: Callable[[Exception], None] = lambda _: None
) -> EngineApi:
    """The engine for the screens: the one that serves the store, else one in this process, where what runs in the
    background is not begun yet. Raises InputError, AccessDeniedError, OperationError."""
    attached = await _attached(root) if settings.attach else None
    if attached is not None:
        return attached
    from console.engine.local import Engine

    return await Engine.open(root, settings, read_only=settings.read_only, begin=False, on_failure=on_failure)


async def attach_again(root: Path) -> EngineApi:
    """The engine that serves the store, for screens that have lost it. Raises ConsoleError while there is none."""
    from console.service.attach import require

    return await require(root)


async def _attached(root: Path) -> EngineApi | None:
    """The engine that serves the store; None where none does."""
    from console.service.runtime import running

    if await asyncio.to_thread(running, root) is None:
        return None
    from console.service.attach import attach

    return await attach(root)
