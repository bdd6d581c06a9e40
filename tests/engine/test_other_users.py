"""Users who are attached to an engine that runs as another: what they may, and whose doing it is on record."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.engine.local import Engine
from console.engine.remote import RemoteEngine
from console.engine.server import EngineServer
from console.errors import AccessDeniedError, UnauthenticatedError
from tests.engine.serving import asking
from tests.warm import Opening

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
HOUSE = Path(__file__).parents[2]
NOBODY = 65534
OPERATING, INFERRING, MAY_CONNECT = sorted(grp.getgrall(), key=lambda group: group.gr_gid)[1:4]
POLICY = f"[roles]\noperate = ['{OPERATING.gr_name}']\ninfer = ['{INFERRING.gr_name}']\n"
LOAD = ("models.load", {"path": "a.joblib"})
LOOK = [("status", {}), ("artifacts.scan", {}), ("updates.history", {"path": "a.joblib"}), ("security.audit", {})]


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine that follows nothing."""
    opened = await opening(store, watch=False)
    yield opened
    await opened.close()


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name) / "engine.sock"


@pytest_asyncio.fixture(loop_scope="session")
async def server(quiet: Engine, path: Path) -> AsyncIterator[EngineServer]:
    """The engine where others may connect."""
    served = EngineServer(quiet, principals=quiet.tokens.of)
    await served.serve_unix(path, group=MAY_CONNECT.gr_gid)
    yield served
    await served.close()


@pytest_asyncio.fixture(loop_scope="session")
async def front(quiet: Engine, server: EngineServer) -> RemoteEngine:
    """The line that a front has to the engine."""
    ours, theirs = socket.socketpair()
    server.adopt(ours, front=True)
    await quiet.artifacts.scan()
    return RemoteEngine.on(theirs)


Call = tuple[str, dict[str, Any]]


async def asked(path: Path, groups: list[int], *calls: Call) -> list[list[str]]:
    """The answers to the user nobody, in these groups too."""
    among = json.dumps([MAY_CONNECT.gr_gid, *groups])
    command = [sys.executable, "-m", "tests.engine.other_user", str(path), str(NOBODY), among, json.dumps(calls)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=HOUSE)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


async def allow(engine: Engine, text: str = POLICY) -> None:
    (engine.root / ".model-console").mkdir(exist_ok=True)
    (engine.root / ".model-console" / "policy.toml").write_text(text)
    await engine.book.refresh()


async def test_where_no_groups_are_set_up_another_user_views_and_does_nothing(
    quiet: Engine, server: EngineServer, path: Path
) -> None:
    done: list[Call] = [
        LOAD,
        ("models.unload", {"path": "a.joblib"}),
        ("inference.predict", {"path": "a.joblib", "rows": [[1.0, 2.0, 3.0]]}),
        ("updates.rollback", {"path": "a.joblib"}),
        ("tokens.add", {"name": "mine", "role": "administer"}),
        ("data.read_as", {"path": "a.joblib", "options": {}}),
    ]
    told = await asked(path, [], *LOOK, *done)
    assert [kind for kind, _ in told[: len(LOOK)]] == ["StoreStatus", "tuple", "tuple", "tuple"]
    assert "role='view'" in told[0][1]
    for kind, words in told[len(LOOK) :]:
        assert kind == "AccessDeniedError"
        assert words.startswith("nobody may view only: ")
        assert words.endswith("(root, whose engine it is, and root alone have it)")
    assert quiet.models.views() == {}
    refused = [entry for entry in quiet.book.entries() if entry.result.startswith("refused")]
    assert {entry.action for entry in refused} == {"load", "unload", "predict", "rollback", "token"}
    assert {(entry.who["user"], entry.who["uid"]) for entry in refused} == {("nobody", NOBODY)}
    assert quiet.book.role == "administer"


async def test_a_member_of_the_operators_does_what_operators_do_and_it_is_their_doing(
    quiet: Engine, server: EngineServer, path: Path
) -> None:
    await allow(quiet)
    accepting = ("models.load", {"path": "review.pkl", "accept": "trust me"})
    calls = [("status", {}), LOAD, ("models.unload", {"path": "a.joblib"}), accepting]
    told = await asked(path, [OPERATING.gr_gid], *calls)
    assert [kind for kind, _ in told] == ["StoreStatus", "WorkerView", "NoneType", "AccessDeniedError"]
    assert "role='operate'" in told[0][1]
    assert "needs the role administer" in told[-1][1]
    told = await asked(path, [INFERRING.gr_gid], *calls[:2])
    assert [kind for kind, _ in told] == ["StoreStatus", "AccessDeniedError"]
    loads = [entry for entry in quiet.book.entries() if entry.action == "load" and entry.artifact == "a.joblib"]
    assert {str(entry.who["user"]) for entry in loads if not entry.result.startswith("refused")} == {"nobody"}


@pytest.mark.slow
async def test_the_history_names_who_promoted_and_who_rolled_back(
    quiet: Engine, server: EngineServer, path: Path, store: Path
) -> None:
    import numpy as np

    rows = np.random.default_rng(3).normal(size=(60, 3))
    table = [",".join("abcy"), *(f"{a},{b},{c},{int(a > 0)}" for a, b, c in rows)]
    (store / "rows.csv").write_text("\n".join(table) + "\n")
    (store / "a.recipe.toml").write_text('[data]\ntrain = "rows.csv"\ntarget = "y"\n')
    await allow(quiet)
    await quiet.updates.run(await quiet.updates.plan("a.joblib"))
    calls = [("updates.promote", {"path": "a.joblib", "why": "newer"}), ("updates.rollback", {"path": "a.joblib"})]
    assert [kind for kind, _ in await asked(path, [OPERATING.gr_gid], *calls)] == ["Version", "Version"]
    promoted, back = [entry for entry in quiet.book.entries() if entry.result == "done"]
    assert [promoted.who["user"], back.who["user"]] == ["nobody", "nobody"]
    assert "nobody" in {version.who for version in await quiet.updates.history("a.joblib")}


async def test_who_has_no_role_is_shown_nothing(quiet: Engine, server: EngineServer, path: Path) -> None:
    await allow(quiet, f"[roles]\nview = ['{OPERATING.gr_name}']\n")
    for kind, words in await asked(path, [], *LOOK, LOAD):
        assert kind == "AccessDeniedError"
        assert words == f"nobody may not use this store: looking needs the role view (group {OPERATING.gr_name})"
    assert [kind for kind, _ in await asked(path, [OPERATING.gr_gid], LOOK[0])] == ["StoreStatus"]


async def test_what_another_user_names_lies_in_the_store(
    quiet: Engine, server: EngineServer, path: Path, store: Path, isolated: Path
) -> None:
    await allow(quiet)
    secret = isolated / "secret.csv"
    secret.write_text("a,b,c\n1,2,3\n")
    (isolated / "secret.recipe.toml").write_text("[data]\ntrain = 'hush'\nnonsense = 'hush'\n")
    (store / "link.csv").symlink_to(secret)
    (store / "link").symlink_to(isolated)
    outside = [str(secret), str(store / "link.csv"), str(store / "link" / "secret.csv"), "/etc/shadow", "rows.npy"]
    outside += [str(store / ".model-console" / "policy.toml"), f"{store}/../secret.csv", "/proc/self/environ"]
    calls: list[Call] = [LOAD]
    calls += [("data.columns", {"path": "a.joblib", "data": data}) for data in outside]
    for out in (str(isolated / "out.pkl"), str(store / ".model-console" / "policy.bak"), "out.pkl"):
        calls.append(("updates.convert", {"path": "a.joblib", "to": "pickle", "out": out}))
    calls += [
        ("inference.predict", {"path": "a.joblib", "data": str(secret)}),
        ("inference.alias", {"name": "-", "file": "/proc/self/fd/0"}),
        ("security.sign", {"beneath": "", "key": str(isolated / "key")}),
        ("monitor.start", {"path": "a.joblib", "plan": {"data": str(secret), "rate": 1.0, "batch": 1}}),
        ("data.recipe", {"path": "../secret"}),
        ("artifacts.scan", {"path": ".."}),
        ("artifacts.inspect", {"path": str(secret)}),
        ("security.verify", {"beneath": "a/../../"}),
    ]
    (loaded, *told) = await asked(path, [OPERATING.gr_gid], *calls)
    assert loaded[0] == "WorkerView"
    for (name, _), (kind, words) in zip(calls[1:], told, strict=True):
        assert (kind, "is not in the store" in words) == ("AccessDeniedError", True), (name, kind, words)
        assert "hush" not in words
    inside = ("data.columns", {"path": "a.joblib", "data": str(store / "rows.npy")})
    typed = [("data.typed", {"typed": one}) for one in ("row", f"{isolated}/", "~root/", "link/")]
    told = await asked(path, [OPERATING.gr_gid], inside, *typed)
    assert told[0][0] == "DataColumns"
    assert "rows.npy" in told[1][1]
    assert all("secret" not in words for _, words in told[2:])
    assert [name for name in os.listdir(isolated) if "out" in name] == []


async def test_another_user_changes_nothing_of_a_recipe_but_its_data(
    quiet: Engine, server: EngineServer, path: Path, store: Path
) -> None:
    await allow(quiet)
    before = (store / "a.recipe.toml").read_text()
    policy = store / ".model-console" / "policy.toml"
    drafts = [
        {"path": ".model-console/policy.toml", "before": policy.read_text(), "after": "trusted = ['evil.Thing']\n"},
        {"path": ".model-console/config.toml", "after": "[data]\n"},
        {"path": "b.recipe.toml", "after": "[retrain]\ncommand = ['sh', '-c', 'id']\n"},
        {"path": "b.recipe.toml", "after": "[data]\ntrain = '/etc/passwd'\n"},
        {"path": "b.recipe.toml", "after": "[data]\nholdout = '../secret.csv'\n"},
        {"path": "b.recipe.toml", "after": "data = 3\n"},
        {"path": "b.recipe.toml", "after": "= ["},
    ]
    write: list[Call] = [("data.write_recipe", {"path": "b.pkl", "draft": draft}) for draft in drafts]
    grown = {"path": "a.recipe.toml", "before": before, "after": before + "[environment]\npython = '/bin/sh'\n"}
    write.append(("data.write_recipe", {"path": "a.joblib", "draft": grown}))
    drafting = ("data.draft", {"path": "b.pkl", "data": str(store / "rows.npy"), "target": None})
    fine = {"path": "b.recipe.toml", "after": '[data]\nholdout = "rows.npy"\n'}
    (*refused, drafted, written) = await asked(
        path, [OPERATING.gr_gid], *write, drafting, ("data.write_recipe", {"path": "b.pkl", "draft": fine})
    )
    assert {kind for kind, _ in refused} == {"InputError"}, refused
    assert (drafted[0], written[0]) == ("Draft", "NoneType")
    assert policy.read_text() == POLICY
    assert (store / "a.recipe.toml").read_text() == before
    assert (store / "b.recipe.toml").read_text() == fine["after"]
    assert quiet.book.entries()[-1].who["user"] == "nobody"


async def test_the_front_acts_for_bearers_and_for_nobody_else(quiet: Engine, front: RemoteEngine) -> None:
    infer = await quiet.tokens.add("ci", models=("churn/*",))
    operate = await quiet.tokens.add("night", role="operate")
    with pytest.raises(UnauthenticatedError):
        await front.tokens.principal("mc_" + "a" * 43, "192.0.2.1:9")
    handles = [(await front.tokens.principal(one.secret)).handle for one in (infer, operate)]
    anonymous = await front.tokens.principal("")
    for handle, role in (("", "infer"), (anonymous.handle, "infer"), (handles[0], "infer"), (handles[1], "operate")):
        engine = front.acting_for(handle)
        assert (await engine.status()).permissions.role == role
        if role == "infer":
            with pytest.raises(AccessDeniedError, match=r"may view and ask models in service: loading needs"):
                await engine.serving.load("a")
    assert (await front.acting_for(handles[1]).serving.load("a")).ready
    loads = [entry for entry in quiet.book.entries() if (entry.action, entry.result) == ("load", "loaded")]
    assert [entry.who["user"] for entry in loads] == ["token night"]
    for wrong in ("night", "\0", operate.secret):
        with pytest.raises(UnauthenticatedError):
            await front.acting_for(wrong).status()
    await quiet.tokens.revoke("night")
    with pytest.raises(UnauthenticatedError, match="may not ask any more"):
        await front.acting_for(handles[1]).status()


async def test_the_front_may_call_what_it_needs_and_nothing_else(quiet: Engine, front: RemoteEngine) -> None:
    root = await quiet.tokens.add("root", role="administer")
    bearer = front.acting_for((await front.tokens.principal(root.secret)).handle)
    assert await bearer.monitor.exposition()
    assert [one.name for one in await bearer.serving.models()] == ["a", "b", "review"]
    await bearer.tokens.refused("load", "a", "no", "somebody")
    calls = (
        lambda: bearer.tokens.add("more"),
        lambda: bearer.models.load("a.joblib"),
        lambda: bearer.jobs.list(),
        lambda: bearer.changes(wait=False),
        lambda: bearer.security.audit(),
        lambda: bearer.monitor.series("a.joblib"),
    )
    for call in calls:
        with pytest.raises(AccessDeniedError, match="is not for callers over HTTP"):
            await call()
    assert quiet.models.view("a.joblib") is None


async def test_a_bearer_may_do_nothing_to_models_that_are_not_theirs(quiet: Engine, front: RemoteEngine) -> None:
    mine = await quiet.tokens.add("a", role="operate", models=("a*",))
    bearer = front.acting_for((await front.tokens.principal(mine.secret)).handle)
    await bearer.serving.load("a")
    await quiet.serving.load("b")
    settings = (await quiet.serving.model("b")).settings
    refused = (
        lambda: bearer.serving.unload("b"),
        lambda: bearer.serving.load("b"),
        lambda: bearer.serving.model("b"),
        lambda: bearer.serving.worst("b"),
        lambda: bearer.serving.statistics("b"),
        lambda: bearer.serving.configure("b", replace(settings, queue=1)),
    )
    for call in refused:
        with pytest.raises(AccessDeniedError, match="token a may not ask for b"):
            await call()
    assert (await quiet.serving.model("b")).ready
    assert [one.name for one in await bearer.serving.models()] == ["a"]
    assert not (await bearer.serving.unload("a")).ready
    reads = await quiet.tokens.add("reader", role="view")
    reader = front.acting_for((await front.tokens.principal(reads.secret)).handle)
    assert "model_console_model_ready" in await reader.monitor.exposition()
    with pytest.raises(AccessDeniedError, match="may view only"):
        await reader.serving.worst("a")
    with pytest.raises(AccessDeniedError, match="may view only"):
        await reader.serving.infer(asking([[0.0] * 3]))
