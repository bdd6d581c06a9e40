"""TorchScript and exported programs, run by PyTorch in a worker."""

from __future__ import annotations

import importlib
import io
import time
from collections.abc import Sequence
from typing import Any, Callable

from backends.core.errors import NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import Inspection, Signature, TensorSpec
from backends.core.source import Source
from backends.core.tensor_model import TensorModel


class TorchModel(TensorModel):
    """A callable of PyTorch with the inputs and outputs of a signature; inputs without sides are `numbers` to it."""

    def __init__(self, torch: Any, program: Any, signature: Signature, *, numbers: bool) -> None:
        laid_out = [list(one.shape) if one.shape else [None, None] for one in signature.takes]
        super().__init__(signature, row_wise=False, laid_out=laid_out)
        self._torch = torch
        self._program = program
        self._numbers = [numbers and one.shape == () for one in signature.takes]

    def answers(self, tensors: list[Any]) -> list[Any]:
        """The outputs in the order of the signature. Raises what PyTorch raises."""
        with self._torch.inference_mode():
            found = self._program(*map(self._argument, tensors, self._numbers))
        parts = [found] if self._torch.is_tensor(found) else found
        if isinstance(parts, dict):
            parts = list(parts.values())
        answers = [part.detach().cpu().numpy() for part in parts if self._torch.is_tensor(part)]
        if len(answers) != len(self.signature.gives):
            raise ValueError(f"the program gave {len(answers)} tensors, and {len(self.signature.gives)} are known")
        return answers

    def _argument(self, given: Any, number: bool) -> Any:
        return given.item() if number else self._torch.from_numpy(given.copy())

    def close(self) -> None:
        """Let go of the program."""
        self._program = None


def load_script(source: Source, inspection: Inspection) -> LoadedModel:
    """A TorchScript program. Raises NotLoadable, and what PyTorch raises."""

    def opened(torch: Any, data: io.BytesIO) -> Any:
        return torch.jit.load(data, map_location="cpu").eval()

    return _loaded(source, inspection, opened, numbers=True)


def load_exported(source: Source, inspection: Inspection) -> LoadedModel:
    """A program of torch.export. Raises NotLoadable, and what PyTorch raises."""

    def opened(torch: Any, data: io.BytesIO) -> Any:
        return importlib.import_module("torch.export").load(data).module()

    return _loaded(source, inspection, opened, numbers=False)


def _loaded(
    source: Source, inspection: Inspection, opened: Callable[[Any, io.BytesIO], Any], *, numbers: bool
) -> LoadedModel:
    begun = time.perf_counter()
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        raise NotLoadable("running it needs the Python package torch: install the torch extra") from None
    torch.set_num_threads(1)
    program = opened(torch, io.BytesIO(source.read(0, source.size)))
    model = TorchModel(torch, program, inspection.signature, numbers=numbers)
    return LoadedModel(model, inspection.format, phases={"program": time.perf_counter() - begun})


def signature_of(takes: Sequence[TensorSpec], gives: Sequence[TensorSpec]) -> Signature:
    """A signature of these tensors; its width where a row of each input is a known number of values."""
    widths = [one.shape[1] if one.shape is not None and len(one.shape) == 2 else None for one in takes]
    known = [one for one in widths if one is not None]
    width = sum(known) if known and len(known) == len(takes) else None
    return Signature(n_features=width, takes=tuple(takes), gives=tuple(gives))
