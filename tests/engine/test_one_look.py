"""One look at a store, as `ls` takes it."""

from __future__ import annotations

import pickle
from pathlib import Path

from console.config import Settings
from console.engine.local import Engine
from console.records import Verdict
from tests.engine.conftest import until


def indexes(top: Path) -> list[Path]:
    """The index files in any store's cache beneath `top`."""
    return list(top.rglob("index.sqlite"))


async def test_it_inspects_only_what_an_earlier_session_did_not(store: Path, isolated: Path) -> None:
    first = await Engine.open(store, Settings(warm=False))
    await until(first, lambda: len(first.artifacts.rows()) == 3 and all(row.verdict for row in first.artifacts.rows()))
    await first.close()
    assert indexes(isolated)
    (store / "b.pkl").unlink()
    (store / "new.pkl").write_bytes(pickle.dumps([1.0]))
    look = await Engine.open(store, Settings(warm=False), watch=False, records=False)
    inspected: list[str] = []
    look.bus.subscribe(lambda event: inspected.append(event.subject) if event.kind == "artifact.inspected" else None)
    try:
        found = {row.path: row.verdict for row in await look.artifacts.scan()}
    finally:
        await look.close()
    assert inspected == ["new.pkl"]
    assert found.keys() == {"a.joblib", "new.pkl", "review.pkl"}
    assert found["review.pkl"] is Verdict.REVIEW
    assert None not in found.values()


async def test_where_no_session_was_it_leaves_no_index(store: Path, isolated: Path) -> None:
    look = await Engine.open(store, Settings(warm=False), watch=False, records=False)
    try:
        assert len(await look.artifacts.scan()) == 3
    finally:
        await look.close()
    assert not indexes(isolated)
