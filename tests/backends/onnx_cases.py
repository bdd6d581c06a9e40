"""The backend cases of onnx 1.17.0: the console's runnable and ONNX Runtime by itself asked the same.

`python -m tests.backends.onnx_cases [WHEEL]` prints how many of them pass, side by side. The wheel is fetched where it
is not named, and only unpacked.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends.core import registry
from backends.core.source import Source

RELEASE = "onnx==1.17.0"
DATA = "onnx/backend/test/data/"
RTOL, ATOL = 1e-3, 1e-5
Run = Callable[[Path, list[Any]], list[Any]]


class Case(NamedTuple):
    """One case: its folder, and a set of inputs with expected outputs."""

    name: str
    model: Path
    given: list[Any]
    expected: list[Any]


def fetched_wheel(directory: Path) -> Path:
    """The wheel of the release, downloaded without its dependencies. Raises CalledProcessError."""
    wanted = ["--no-deps", "--only-binary=:all:", "--dest", str(directory), RELEASE]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *wanted]
    subprocess.run(command, check=True, capture_output=True)
    return next(directory.glob("onnx-*.whl"))


def unpacked(wheel: Path, directory: Path) -> Path:
    """The folder of the cases; nothing else of the wheel is unpacked."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory, [name for name in archive.namelist() if name.startswith(DATA)])
    return directory / DATA


def cases(data: Path) -> Iterator[Case]:
    """Each case whose model is in the wheel and whose values onnx itself can read."""
    for model in sorted(data.glob("*/*/model.onnx")):
        graph = _onnx().load(str(model), load_external_data=False).graph
        for folder in sorted(model.parent.glob("test_data_set_*")):
            given = _values(folder, "input", [one.type for one in graph.input])
            expected = _values(folder, "output", [one.type for one in graph.output])
            yield Case(f"{model.parent.parent.name}/{model.parent.name}", model, given, expected)


def _onnx() -> Any:
    importlib.import_module("onnx.numpy_helper")
    return importlib.import_module("onnx")


def _values(folder: Path, kind: str, types: list[Any]) -> list[Any]:
    return [_value(folder / f"{kind}_{number}.pb", one) for number, one in enumerate(types)]


def _value(file: Path, kind: Any) -> Any:
    """The value that a file holds: a tensor, a sequence or an optional, as its type in the graph says."""
    onnx = _onnx()
    if not file.exists():
        return None
    data = file.read_bytes()
    if kind.HasField("sequence_type"):
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind.HasField("optional_type"):
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data))


def by_console(model: Path, given: list[Any]) -> list[Any]:
    """The answers of the console's own runnable."""
    with open(model, "rb") as file:
        runnable: Any = registry.load(Source(file.fileno(), model.name), "onnx").model
    names = [one.name for one in runnable.signature.takes]
    return list(runnable.run({name: one for name, one in zip(names, given, strict=False) if one is not None}).values())


def by_runtime(model: Path, given: list[Any]) -> list[Any]:
    """The answers of ONNX Runtime by itself, as it is set up where nothing is said."""
    session = session_of(model)
    names = [one.name for one in session.get_inputs()]
    found: list[Any] = session.run(
        None, {name: one for name, one in zip(names, given, strict=False) if one is not None}
    )
    return found


def session_of(model: Path) -> Any:
    """A session of ONNX Runtime with nothing set but that it is silent."""
    runtime: Any = importlib.import_module("onnxruntime")
    runtime.set_default_logger_severity(4)
    return runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])


def passes(run: Run, case: Case) -> str:
    """Empty where the answers are the expected ones, else why not."""
    try:
        _compare(run(case.model, case.given), case.expected)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def _compare(found: Any, expected: Any) -> None:
    if expected is None:
        assert found is None
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{len(found)} values for {len(expected)}"
        for one, wanted in zip(found, expected, strict=True):
            _compare(one, wanted)
    elif np.asarray(expected).dtype.kind in "OUS":
        assert np.asarray(found).astype(str).tolist() == np.asarray(expected).astype(str).tolist()
    else:
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(found, expected, rtol=RTOL, atol=ATOL)


def results(data: Path) -> dict[str, tuple[str, str]]:
    """Of each case, why the console and the runtime by itself do not pass it; empty = it passes."""
    return {case.name: (passes(by_console, case), passes(by_runtime, case)) for case in cases(data)}


def main(arguments: list[str]) -> int:
    """Print the counts and each case in which the two differ."""
    with tempfile.TemporaryDirectory() as place:
        wheel = Path(arguments[0]) if arguments else fetched_wheel(Path(place))
        found = results(unpacked(wheel, Path(place)))
    print(f"{'folder':<22}{'cases':>7}{'console':>9}{'runtime':>9}")
    for folder in [*sorted({name.partition("/")[0] for name in found}), ""]:
        rows = [pair for name, pair in found.items() if name.startswith(f"{folder}/" if folder else "")]
        console, runtime = (sum(not pair[side] for pair in rows) for side in (0, 1))
        print(f"{folder or 'all':<22}{len(rows):>7}{console:>9}{runtime:>9}")
    different = {name: pair for name, pair in found.items() if bool(pair[0]) != bool(pair[1])}
    for name, (console_says, runtime_says) in different.items():
        print(f"{name}: console {console_says or 'passes'}; runtime {runtime_says or 'passes'}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
