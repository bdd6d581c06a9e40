"""Keras models in a worker: built by Keras 3 from a checked configuration, filled with their weights, and asked."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any, Callable, Optional

from backends.core.errors import Damaged, NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection, Signature, TensorSpec
from backends.core.source import Source
from backends.core.table_signature import signature_of
from backends.core.tensor_model import TensorModel
from backends.core.zip_rules import open_zip, read_member
from backends.formats.hdf5.tree import open_tree, text_of
from backends.formats.keras.building import buildable, refuse_what_runs
from backends.formats.keras.json_text import MAX_TEXT, parsed

EXTRA = "running it needs Keras 3 and a backend of it: install the keras extra"
_BACKENDS = (("numpy", "jax"), ("torch", "torch"), ("tensorflow", "tensorflow"))
"""Backends of Keras, the one that is taken first, and the package that each needs beside numpy."""
_BATCH = 32
"""Rows that are asked at once, as `Model.predict` does."""
_MAX_WEIGHTS = 16 << 30
_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class _Output(io.StringIO):
    """Warnings and progress of Keras, thrown away."""


def load_h5(source: Source, found: Inspection, at: str) -> LoadedModel:
    """The model of a legacy HDF5 file. Raises Damaged, NotLoadable, and what Keras raises."""
    with open_tree(source) as tree:
        config = parsed(text_of(tree.attribute(tree.file, "model_config")), "the attribute model_config")

        def fill(model: Any) -> None:
            legacy = importlib.import_module("keras.src.legacy.saving.legacy_h5_format")
            legacy.load_weights_from_hdf5_group(tree.file["model_weights"], model)

        return _loaded(found, at, config, _legacy, fill)


def load_archive(source: Source, found: Inspection, at: str) -> LoadedModel:
    """The model of a `.keras` archive. Raises Damaged, NotLoadable, and what Keras raises."""
    with open_zip(source) as archive:
        config = parsed(read_member(archive, archive.getinfo("config.json"), MAX_TEXT).decode(), "config.json")

        def fill(model: Any) -> None:
            _fill_from_archive(archive, model)

        return _loaded(found, at, config, _current, fill)


def _loaded(
    found: Inspection, at: str, config: Any, build: Callable[[Any], Any], fill: Callable[[Any], None]
) -> LoadedModel:
    if at:
        raise NotLoadable("a Keras file holds one model: leave out the place")
    refuse_what_runs(found.findings)
    if not found.complete:
        raise NotLoadable("not every byte of it could be accounted for, so Keras is not asked to read it")
    config, row_wise = buildable(config), not _keeps_state(config)
    begun = time.perf_counter()
    keras = keras_library()
    imported = time.perf_counter()
    with contextlib.redirect_stderr(_Output()), contextlib.redirect_stdout(_Output()):
        model = _built(build, config, keras.__version__, found.library_versions.get("keras", ""))
        fill(model)
    phases = {"import": imported - begun, "build": time.perf_counter() - imported}
    return LoadedModel(KerasModel(keras, model, found.signature, row_wise=row_wise), found.format, at, phases)


def _built(build: Callable[[Any], Any], config: Any, here: str, wrote: str) -> Any:
    """The model of a configuration. Raises NotLoadable with what Keras says where it cannot build it."""
    try:
        return build(config)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        said = str(error).rpartition("Exception encountered: ")[2].strip() or type(error).__name__
        newer = f" (older than the {wrote} that wrote it)" if _numbers(wrote) > _numbers(here) else ""
        raise NotLoadable(f"Keras {here}{newer} cannot build it: {said.splitlines()[0][:300]}") from None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def keras_library() -> Any:
    """Keras 3 on the backend that is told or there, in one thread. Raises NotLoadable."""
    name = os.environ.get("KERAS_BACKEND") or next((one for one, needs in _BACKENDS if _is_there(needs)), None)
    if name is None or not _is_there("keras"):
        raise NotLoadable(EXTRA)
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("XLA_FLAGS", _ONE_THREAD)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        keras: Any = importlib.import_module("keras")
    except ImportError:
        raise NotLoadable(f"{EXTRA} (Keras could not be imported with its backend {name})") from None
    if not str(keras.__version__).startswith("3."):
        raise NotLoadable(f"running it needs Keras 3, and Keras {keras.__version__} is installed")
    if name == "torch":
        sys.modules["torch"].set_num_threads(1)
    return keras


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _legacy(config: Any) -> Any:
    """The model of a configuration as Keras 1 and 2 write it, and Keras 3 in legacy files."""
    saving = importlib.import_module("keras.src.legacy.saving.saving_utils")
    options = importlib.import_module("keras.src.legacy.saving.saving_options")
    safe = importlib.import_module("keras.src.saving.serialization_lib").SafeModeScope
    with options.keras_option_scope(use_legacy_config=True), safe(True):
        return saving.model_from_config(config)


def _current(config: Any) -> Any:
    return importlib.import_module("keras.src.saving.serialization_lib").deserialize_keras_object(
        config, safe_mode=True
    )


def _fill_from_archive(archive: zipfile.ZipFile, model: Any) -> None:
    """Give a model the weights in its archive. Raises Damaged where they are not those of its layers."""
    saving = importlib.import_module("keras.src.saving.saving_lib")
    names = archive.namelist()
    if "model.weights.h5" in names:
        data = read_member(archive, archive.getinfo("model.weights.h5"), _MAX_WEIGHTS)
        store = saving.H5IOStore(io.BytesIO(data), mode="r")
    else:
        store = saving.NpzIOStore("model.weights.npz", archive, mode="r")
    failed: dict[Any, Any] = {}
    try:
        saving._load_state(
            model,
            weights_store=store,
            assets_store=None,
            inner_path="",
            visited_saveables=set(),
            failed_saveables=set(),
            error_msgs=failed,
        )
    finally:
        store.close()
    for layer, error in failed.values():
        raise Damaged(f"the weights of {getattr(layer, 'name', layer)} do not fit: {str(error).splitlines()[0][:300]}")


class KerasModel(TensorModel):
    """A Keras model asked for inference, in batches as its own `predict` does."""

    def __init__(self, keras: Any, model: Any, told: Signature, *, row_wise: bool = True) -> None:
        self._keras, self._model = keras, model
        takes = _specs(keras.tree.flatten(model.inputs), told.takes)
        gives = _specs(keras.tree.flatten(model.outputs), told.gives)
        self._most = (takes[0].shape or (None,))[0] or _BATCH
        given = [{"name": one.name, "shape": list(one.shape or ())} for one in takes]
        known = signature_of(given)
        signature = Signature(known.n_features, known.feature_names, takes=takes, gives=gives)
        super().__init__(signature, row_wise=row_wise)

    def answers(self, tensors: list[Any]) -> list[Any]:
        """The outputs for one array for each input, batch by batch."""
        numpy = importlib.import_module("numpy")
        count = len(tensors[0])
        most = self._most
        parts = [self._batch([one[at : at + most] for one in tensors]) for at in range(0, max(count, 1), most)]
        return [numpy.concatenate(pieces) if len(pieces) > 1 else pieces[0] for pieces in zip(*parts)]

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _batch(self, tensors: list[Any]) -> list[Any]:
        with _no_gradients(), contextlib.redirect_stderr(_Output()):
            shaped = self._keras.tree.pack_sequence_as(self._model.inputs, tensors)
            answer = self._model(shaped if len(tensors) > 1 else tensors[0], training=False)
        return [self._keras.ops.convert_to_numpy(one) for one in self._keras.tree.flatten(answer)]


@contextlib.contextmanager
def _no_gradients() -> Iterator[None]:
    torch: Optional[Any] = sys.modules.get("torch")
    if torch is None:
        yield
    else:
        with torch.no_grad():
            yield


def _specs(tensors: list[Any], told: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """The tensors of a model, by the names that the file gives them: Keras numbers those of a Sequential anew."""
    names = [one.name for one in (told if len(told) == len(tensors) else tensors)]
    dtypes = [str(one.dtype).rpartition(".")[2] for one in tensors]
    return tuple(TensorSpec(name, dtype, tuple(one.shape)) for name, dtype, one in zip(names, dtypes, tensors))


def _keeps_state(config: Any) -> bool:
    """Whether a layer remembers what it was asked before."""
    waiting = [config]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if here.get("stateful") is True:
                return True
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return False
