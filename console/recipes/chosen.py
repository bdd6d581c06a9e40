"""Memory of which data file and target an operator chose for an artifact, over restarts: a file of each store's in
the user's state directory. It is for the screens; no command follows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from console.closing import closing_fd
from console.config import state_dir, store_key
from console.durable import own_directory, put_bytes
from console.errors import ConsoleError, OperationError
from console.files.data_files import identity_at, is_same_file
from console.locks import LOCK_TRY_S, locked, retried
from console.os_errors import hint, why
from console.records import FileIdentity, Target
from console.sharing import PRIVATE, open_shared

_LOCK, _LOCK_WAIT = "lock", 3.0
_MOST_BYTES, _MOST_CHOICES = 8 << 20, 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: the data file as an absolute path, the target, and both files as they were then."""

    data: str
    target: Target | None
    file: FileIdentity | None = None
    artifact: FileIdentity | None = None


class Chosen:
    """Choices by artifact path, for the store at `root`. What is asked without `await` looks at no disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._choices: dict[str, Choice] = {}
        self._unsaved: dict[str, Choice] = {}

    def of(self, path: str) -> Choice | None:
        """The choice for an artifact, as it was read last."""
        return self._choices.get(path)

    def load(self) -> None:
        """Read the choices; what cannot be read counts for nothing."""
        found: dict[str, Choice] = {}
        with suppress(ConsoleError, OSError):
            found = self._read(_file_of(self.root).read_bytes())
        self._choices = {**found, **self._unsaved}

    def follow(self, path: str) -> Choice | None:
        """The choice for an artifact, read again; one that was renamed takes its choice along."""
        self.load()
        found = self._choices.get(path)
        if found is not None or not self._choices:
            return found
        now = identity_at(os.path.join(self.root, path))
        for old, choice in self._choices.items():
            if now is not None and choice.artifact is not None and is_same_file(choice.artifact, now):
                return None if os.path.lexists(self.root / old) else choice
        return None

    async def keep(self, path: str, data: str, target: Target | None) -> None:
        """Remember a choice, in place of the one before. Raises OperationError where only this process will remember
        it."""
        await retried(partial(self._keep, path, data, target), wait=_LOCK_WAIT)

    def _keep(self, path: str, data: str, target: Target | None) -> None:
        choice = Choice(data, target, identity_at(data), identity_at(os.path.join(self.root, path)))
        self._unsaved[path] = self._choices[path] = choice
        try:
            with _locked() as directory:
                self.load()
                file = _file_of(self.root)
                put_bytes(directory, file.name, self._written(), lambda fd: os.fchmod(fd, 0o600))
        except OSError as error:
            what = f"the data of {path} is remembered until you leave, since it cannot be written down: {why(error)}"
            raise OperationError(what, hint=hint(error)) from None
        self._unsaved.clear()

    def _written(self) -> bytes:
        """The choices, the newest last; of more than are kept the oldest are left out."""
        prefix = os.path.join(self.root, "")
        kept = {path: choice for path, choice in self._choices.items() if path not in self._unsaved}
        newest = list({**kept, **self._unsaved}.items())[-_MOST_CHOICES:]
        told = {
            path: {
                "data": choice.data.removeprefix(prefix),
                "target": list(choice.target) if isinstance(choice.target, tuple) else choice.target,
                "file": choice.file,
                "artifact": choice.artifact,
            }
            for path, choice in newest
        }
        return json.dumps({"store": os.fspath(self.root), "chosen": told}, indent=1).encode("ascii")

    def _read(self, raw: bytes) -> dict[str, Choice]:
        try:
            told = json.loads(raw[:_MOST_BYTES])["chosen"]
            return {path: self._choice(one) for path, one in told.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def _choice(self, told: Any) -> Choice:
        data, target = told["data"], told["target"]
        names = target if isinstance(target, list) else [target or ""]
        if not isinstance(data, str) or not data or "\0" in data or not all(isinstance(name, str) for name in names):
            raise ValueError("this is no choice")
        return Choice(
            os.path.join(self.root, data),
            tuple(target) if isinstance(target, list) else target,
            _identity(told.get("file")),
            _identity(told.get("artifact")),
        )


def _identity(told: Any) -> FileIdentity | None:
    return FileIdentity(*map(int, told)) if isinstance(told, list) else None


def _file_of(root: Path) -> Path:
    return state_dir() / "data" / f"{store_key(root)}.json"


@contextmanager
def _locked() -> Iterator[int]:
    """The directory of all choices, open, while nobody else writes there. Raises OSError, OperationError, BusyError."""
    with (
        own_directory(state_dir() / "data") as directory,
        closing_fd(open_shared(directory, _LOCK, os.O_RDWR, PRIVATE, mode=0o600)) as fd,
        locked(fd, "what data was chosen", wait=LOCK_TRY_S),
    ):
        yield directory
