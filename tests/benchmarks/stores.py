"""Large stores to measure on, with an index that knows every file, made once and kept."""

from __future__ import annotations

import asyncio
import os
import pickle
from dataclasses import replace
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from console.catalog.catalog import Catalog
from console.catalog.index import Index
from console.config import Settings
from console.engine.local import Engine
from console.records import Verdict

MODEL_CLASS = "sklearn.linear_model._logistic.LogisticRegression"


def model_bytes() -> bytes:
    """A small fitted model."""
    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]], [0, 1, 0, 1])
    data: bytes = pickle.dumps(model, 5)
    return data


def build(root: Path, artifacts: int, directories: int) -> Path:
    """A store of so many artifacts in so many directories; one that is there already is taken as it is."""
    done = root / ".built"
    if done.exists():
        return root
    data = model_bytes()
    for number in range(directories):
        (root / place(number * artifacts // directories, artifacts, directories)).parent.mkdir(
            parents=True, exist_ok=True
        )
    for number in range(artifacts):
        (root / place(number, artifacts, directories)).write_bytes(data)
    done.touch()
    return root


def place(number: int, artifacts: int, directories: int) -> str:
    """Where the artifact of this number lies."""
    directory = number * directories // artifacts
    return f"team-{directory // 50:03}/Project-{directory:04}/model-{number:06}.pkl"


def remember(root: Path, cache: Path) -> None:
    """Write the index a console would have after inspecting everything; `cache` is what XDG_CACHE_HOME will be."""
    os.environ["XDG_CACHE_HOME"] = str(cache)
    catalog = Catalog(root)
    catalog.scan_all()
    rows = [
        replace(row, format="pickle", model_class=MODEL_CLASS, verdict=Verdict.SAFE) for row in catalog.rows().values()
    ]
    index = Index(root)
    index.save(rows, catalog.marks(), policy=asyncio.run(_fingerprint(root)))
    index.close()


async def _fingerprint(root: Path) -> str:
    """The fingerprint that a console holds against the index: all is inspected anew where it differs."""
    engine = await Engine.open(root, Settings(), watch=False, records=False)
    try:
        return engine._facts.fingerprint()
    finally:
        await engine.close()
