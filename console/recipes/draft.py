"""Lines that name a model's data in the recipe beside it: drafted and shown first, then written if nothing else is
changed by it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.closing import closing_fd
from console.durable import put_bytes, put_new, remove_unfinished
from console.errors import ConflictError, InputError, OperationError
from console.files import opening
from console.files.filename_rules import is_hidden, is_named_as_model
from console.os_errors import hint, why
from console.recipes.recipe import read_recipe, recipe_names, recipe_path, recipe_text
from console.records import Draft, Target
from console.sharing import Share

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DATA_TABLE = re.compile(r"[ \t]*\[[ \t]*data[ \t]*\][ \t]*(#.*)?")
_MOST_BESIDE = 2_000
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def drafted(root: Path, artifact: str, data: str, target: Target | None) -> Draft:
    """The recipe to write beside the artifact so that it names this data file; never raises.

    A file of training rows, by its name, becomes `train`, any other `holdout`: nobody is trained on it unasked.
    """
    whole = root / artifact
    there = recipe_path(whole)
    file = there or whole.with_name(recipe_names(whole.name)[-1])
    path = os.path.relpath(file, root)
    if there is None and os.path.lexists(file):
        return Draft(path, refusal=f"{path} is there already, and is no file that can be read as a recipe")
    key = "train" if "train" in os.path.basename(data).lower() else "holdout"
    named = os.path.relpath(data, file.parent) if _is_beneath(data, root) else data
    wanted: dict[str, Any] = {key: named}
    if target is not None:
        wanted["target"] = list(target) if isinstance(target, tuple) else target
    try:
        lines = tuple(f"{name} = {_in_toml(value)}" for name, value in wanted.items())
    except UnicodeEncodeError:
        return Draft(path, refusal="a recipe is UTF-8, and the name of the data file or the target is not")
    if there is None:
        after = "\n".join(("[data]", *lines)) + "\n"
        return _checked(Draft(path, ("[data]", *lines), None, after, shared=_shared(whole, file.name)), {}, wanted)
    return _added(Draft(path, lines), there, wanted)


def _added(draft: Draft, file: Path, wanted: Mapping[str, Any]) -> Draft:
    """The draft of lines that go into a recipe that is there."""
    try:
        before = recipe_text(file)
        read_recipe(file)
        told = tomllib.loads(before)
    except (InputError, tomllib.TOMLDecodeError) as error:
        return Draft(draft.path, refusal=error.message if isinstance(error, InputError) else str(error))
    section = told.get("data", {})
    if not isinstance(section, dict) or section.keys() & {"train", "holdout"}:
        return Draft(draft.path, refusal=f"{draft.path} names data already")
    if "target" in section and section["target"] != wanted.get("target"):
        return Draft(draft.path, refusal=f"{draft.path} names another target; change it there")
    fresh = {name: value for name, value in wanted.items() if name not in section}
    lines = [f"{name} = {_in_toml(value)}" for name, value in fresh.items()]
    if "data" not in told:
        gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
        lines = ["[data]", *lines]
        after = before + gap + "\n".join(lines) + "\n"
    else:
        kept = before.split("\n")
        heads = [at for at, line in enumerate(kept) if _DATA_TABLE.fullmatch(line.rstrip("\r"))]
        if len(heads) != 1:
            return Draft(draft.path, tuple(lines), refusal=f"{draft.path} sets [data] in another way; add this by hand")
        after = "\n".join([*kept[: heads[0] + 1], *lines, *kept[heads[0] + 1 :]])
    return _checked(Draft(draft.path, tuple(lines), before, after), told, fresh)


def _checked(draft: Draft, told: dict[str, Any], fresh: Mapping[str, Any]) -> Draft:
    """The draft, or a refusal where it would say something else than what was there and what is to be added."""
    expected = {**told, "data": {**told.get("data", {}), **fresh}}
    try:
        found = tomllib.loads(draft.after)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != expected:
        refusal = f"{draft.path} cannot be added to without changing it otherwise; add this by hand"
        return Draft(draft.path, draft.lines, refusal=refusal)
    return draft


def require_own(root: Path, artifact: str, draft: Draft, *, inside: bool) -> None:
    """Raise InputError for a draft that is of another file than the artifact's recipe, or that changes more of it than
    its data; with `inside` also for one that names data outside of the store."""
    names = [os.path.join(os.path.dirname(artifact), name) for name in recipe_names(os.path.basename(artifact))]
    if draft.path not in names:
        raise InputError(f"{draft.path} is no recipe of {artifact}", hint="choose the data again")
    told, wanted = (_tables(draft.path, text) for text in (draft.before or "", draft.after))
    data = wanted.pop("data", {})
    told.pop("data", None)
    if told != wanted or not isinstance(data, dict):
        raise InputError(f"{draft.path} would be changed in more than its data", hint="choose the data again")
    above = os.path.dirname(root / draft.path)
    files = (os.path.join(above, str(data[key])) for key in ("train", "holdout") if key in data)
    if inside and not all(_is_beneath(os.path.realpath(file), Path(os.path.realpath(root))) for file in files):
        raise InputError(
            f"{draft.path} would name data outside of the store", hint="copy it into the store, and choose that"
        )


def _tables(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise InputError(f"{path} would not be TOML", hint="choose the data again") from None


def write(root: Path, draft: Draft) -> None:
    """Write a draft: a new file over nothing, or the lines added to what is there still as it was. Raises InputError,
    ConflictError, OperationError."""
    base = opening.open_root(root)
    try:
        with closing_fd(opening.open_beneath(base, os.path.dirname(draft.path) or ".", _DIRECTORY)) as directory:
            name = os.path.basename(draft.path)
            remove_unfinished(directory, name)
            if draft.before is None:
                _write_new(directory, name, draft)
            else:
                _replace(directory, name, root / draft.path, draft)
    except OSError as error:
        raise OperationError(f"{draft.path} is not written: {why(error)}", hint=hint(error)) from None
    finally:
        os.close(base)


def _write_new(directory: int, name: str, draft: Draft) -> None:
    share = Share.of(directory)
    try:
        put_new(directory, name, draft.after.encode(), lambda fd: share.give(fd, share.file_mode))
    except FileExistsError:
        raise ConflictError(f"{draft.path} has come to be meanwhile, and is left as it is") from None


def _replace(directory: int, name: str, file: Path, draft: Draft) -> None:
    if recipe_text(file) != draft.before:
        raise ConflictError(f"{draft.path} was changed meanwhile, and is left as it is", hint="choose the data again")
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)

    def give(fd: int) -> None:
        with suppress(OSError):
            os.fchown(fd, status.st_uid if os.geteuid() == 0 else -1, status.st_gid)
        os.fchmod(fd, status.st_mode & 0o777)

    put_bytes(directory, name, draft.after.encode(), give)


def _shared(artifact: Path, recipe: str) -> tuple[str, ...]:
    """Other models that this recipe would be of as well, by their names."""
    with suppress(OSError), os.scandir(artifact.parent) as entries:
        names = sorted(entry.name for _, entry in zip(range(_MOST_BESIDE), entries, strict=False))
        return tuple(
            name
            for name in names
            if name != artifact.name
            and not is_hidden(name)
            and recipe in recipe_names(name)
            and is_named_as_model(name)
        )
    return ()


def _is_beneath(path: str, root: Path) -> bool:
    return path.startswith(os.path.join(root, ""))


def _in_toml(value: str | list[str]) -> str:
    """A string or a list of them as TOML writes it. Raises UnicodeEncodeError for what is no text."""
    if isinstance(value, list):
        return f"[{', '.join(map(_in_toml, value))}]"
    value.encode()
    signs = (_ESCAPES.get(sign) or (sign if sign.isprintable() else _escaped(sign)) for sign in value)
    return f'"{"".join(signs)}"'


def _escaped(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
