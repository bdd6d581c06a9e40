"""Every room asks the book for leave: who may only view has nothing done, a read-only console changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from console.engine.local import Engine
from console.errors import AccessDeniedError
from console.records import Draft, ReadOptions, UpdatePlan
from console.trust.roles import NEEDS, Permission, Role
from tests.warm import Opening

PATH = "a.joblib"
ASKED: dict[str, tuple[Callable[[Engine, Path], Awaitable[object]], ...]] = {
    "load": (lambda of, out: of.models.load(PATH), lambda of, out: of.models.set_copies(PATH, 2)),
    "reload": (lambda of, out: of.models.reload(PATH),),
    "unload": (lambda of, out: of.models.unload(PATH),),
    "predict": (
        lambda of, out: of.inference.predict(PATH, rows=[[1.0]]),
        lambda of, out: of.inference.alias("-", str(out)),
        lambda of, out: of.data.read_as(PATH, ReadOptions()),
    ),
    "evaluate": (lambda of, out: of.inference.evaluate(PATH),),
    "probe": (
        lambda of, out: of.monitor.start(PATH),
        lambda of, out: of.monitor.set(PATH, rate=1.0),
        lambda of, out: of.data.choose(PATH, "rows.npy", None),
    ),
    "convert": (lambda of, out: of.updates.convert(PATH, "hdf5", out),),
    "recipe": (lambda of, out: of.data.write_recipe(PATH, Draft(f"{out}.toml")),),
    "discard": (lambda of, out: of.updates.discard(PATH),),
    "update": (
        lambda of, out: of.updates.run(UpdatePlan(PATH, "rows.npy", None)),
        lambda of, out: of.updates.cancel(PATH),
    ),
    "promote": (lambda of, out: of.updates.promote(PATH, "why not"),),
    "rollback": (lambda of, out: of.updates.rollback(PATH),),
    "accelerate": (
        lambda of, out: of.acceleration.export(PATH),
        lambda of, out: of.acceleration.write(PATH),
    ),
    "sign": (lambda of, out: of.signing.sign(PATH, out),),
    "seal": (lambda of, out: of.at_rest.seal(PATH, (), out),),
    "unseal": (lambda of, out: of.at_rest.unseal(PATH, None, out),),
    "tokens": (lambda of, out: of.tokens.list(),),
    "token": (lambda of, out: of.tokens.add("ci"), lambda of, out: of.tokens.revoke("ci")),
}
"""Everything that takes more than a look, by the action that the roles are about; `out` is no file yet."""
CHANGES = [
    one for name in ("recipe", "promote", "rollback", "accelerate", "sign", "seal", "unseal") for one in ASKED[name]
]


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine that follows nothing."""
    opened = await opening(store, watch=False)
    yield opened
    await opened.close()


async def test_who_may_only_view_has_nothing_done(quiet: Engine, tmp_path: Path) -> None:
    assert ASKED.keys() == NEEDS.keys() - {"look", "accept", "infer"}
    quiet.book._permissions[None] = Permission(Role.VIEW, "ada", {}, "the policy")
    for name, calls in ASKED.items():
        for call in calls:
            with pytest.raises(AccessDeniedError, match="ada may view only"):
                await call(quiet, tmp_path / "out")
        refused = [entry for entry in quiet.book.entries() if entry.action == name]
        assert [entry.result.startswith("refused: ada") for entry in refused] == [True] * len(calls), name
    assert not quiet._launcher.children
    assert (await quiet.artifacts.report(PATH)).inspection is not None


async def test_a_console_that_is_read_only_changes_nothing(quiet: Engine, tmp_path: Path) -> None:
    quiet.book.why_read_only = "it was asked for"
    for call in (*CHANGES, ASKED["update"][0]):
        with pytest.raises(AccessDeniedError, match="this console is read-only: it was asked for"):
            await call(quiet, tmp_path / "out")
    assert not quiet._launcher.children
