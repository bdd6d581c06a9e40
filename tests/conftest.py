"""Fixtures of every test: directories of its own, the demo store built once, and the markers' meaning."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import sample_models

for _library in ("OMP", "OPENBLAS", "MKL"):  # before numpy comes in; threads that spin over toy data cost most of it
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of commands are started, each of which would compile anew
sys.dont_write_bytecode = False
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so in a shell's background, and then in every child
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.warm", "tests.matrix.summary"]

ROOT = Path(__file__).parents[1]
REAL = "MODEL_CONSOLE_REAL_ARTIFACTS"

TOY_MODELS = (
    "Stochastic Optimizer:UserWarning:sklearn",
    "The max_iter was reached:UserWarning:sklearn",
    "The `probability` parameter was deprecated:FutureWarning:sklearn",
    "Attribute `prob[AB]_` was deprecated:FutureWarning:sklearn",
    "Class PassiveAggressive:FutureWarning:sklearn",
    "Field onnx.AttributeProto.ints.*Expected an int, got a boolean:DeprecationWarning:onnx",
)
"""What libraries warn of when models are fitted in no time, or are of a kind that has been renamed meanwhile."""

hypothesis.settings.register_profile("everyday", derandomize=True, deadline=None)
hypothesis.settings.load_profile("everyday")


def pytest_configure(config: pytest.Config) -> None:
    """Say nothing about toy models."""
    for warning in TOY_MODELS:
        config.addinivalue_line("filterwarnings", f"ignore:{warning}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Short names for tests of long texts, since every process is told all of them."""
    return f"{argname} of {len(val)}" if isinstance(val, (str, bytes)) and len(val) > 200 else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out `slow` tests unless -m asks for them, and `real` ones where their files are not at hand; those that may
    take long begin first, so that none of them is the last."""
    left_out = [] if config.option.markexpr else [item for item in items if item.get_closest_marker("slow")]
    if not os.environ.get(REAL):
        left_out += [item for item in items if item.get_closest_marker("real") and item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=_limit, reverse=True)


def _limit(item: pytest.Item) -> float:
    """The seconds that a test asks for where the usual ones are too few."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def pytest_report_header() -> str:
    """Say whether the model files of others are tested."""
    return f"real artifacts: {os.environ.get(REAL) or f'left out, {REAL} is not set'}"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home directory for each test, made when it is written to."""
    above = tmp_path_factory.mktemp("homes")
    return (above / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_directories(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, caches and state of the user who runs the tests are neither read nor written."""
    home = next(homes)
    for name in ("CONFIG", "CACHE", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    if "MODEL_CONSOLE_RUNTIME_DIR" not in os.environ:  # a module may have one for all its tests
        monkeypatch.setenv("MODEL_CONSOLE_RUNTIME_DIR", str(home / "run"))


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store, built once for all workers of a run. Read only: who changes it takes `demo_copy`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with (shared / "demo-store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = shared / "demo-store"
        if not sample_models.is_current(store):
            subprocess.run([sys.executable, "-m", "sample_models", str(store)], check=True, cwd=ROOT, timeout=120)
    return store


@pytest.fixture
def demo_copy(demo_store: Path, tmp_path: Path) -> Path:
    """A copy of the demo store for one test alone."""
    return Path(shutil.copytree(demo_store, tmp_path / "demo"))
