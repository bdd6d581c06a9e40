"""Code is made in memory by models that name a library which may need it, and by no others."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from backends.core.inspection import GlobalRef
from console.engine.local import Engine
from console.inspection.libraries import may_compile
from console.records import Inspection
from tests.engine.conftest import model


@pytest.mark.parametrize(
    ("modules", "may"),
    [
        ((), False),
        (("sklearn.ensemble._forest", "numpy._core.multiarray", "builtins", "collections", "_codecs"), False),
        (("sklearn.pipeline", "numba.core"), True),
        (("torch._utils",), True),
        (("sklearnex.linear_model",), True),
        (("our.own.features",), True),
    ],
)
def test_what_a_file_names_decides(modules: tuple[str, ...], may: bool) -> None:
    names = tuple(GlobalRef(module, "Thing", 0) for module in modules)
    assert may_compile(Inspection("pickle", names=names)) == may


async def test_a_loaded_model_tells_whether_it_may(engine: Engine, store: Path) -> None:
    plain = await engine.models.load("a.joblib")
    assert "code made in memory" in plain.layers["seccomp"].evidence
    (store / "c.pkl").write_bytes(pickle.dumps((model(), Named())))
    unknown = await engine.models.load("c.pkl", at="[0]", accept="a test")
    assert "code made in memory" not in unknown.layers["seccomp"].evidence
    assert "libraries that the model names" in unknown.selftest["code"].evidence


class Named:
    """Something of a package that is not known."""

    def __reduce__(self) -> str | tuple[object, ...]:
        import psutil

        return psutil.cpu_count, ()
