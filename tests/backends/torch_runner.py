"""Ten models of PyTorch, traced, scripted and exported, asked directly and as this console runs them; prints JSON."""

from __future__ import annotations

import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from backends.core import registry
from backends.core.source import MemorySource


class Two(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        left = self.left(x)
        return left + self.right(y), left


class Recurrent(nn.Module):  # type: ignore[misc]
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.inner = kind(4, 5, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)[0][:, -1]


class Attention(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.query(x) @ self.key(x).transpose(1, 2), dim=-1) @ x


class Counted(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor, times: int, share: float, flip: bool) -> torch.Tensor:
        made = x.repeat(1, times) * share
        return -made if flip else made


def with_numbers() -> bool:
    """Whether a program that takes numbers beside a tensor answers alike."""
    file, x = io.BytesIO(), torch.randn(3, 4)
    torch.jit.save(torch.jit.script(Counted()), file)
    model = registry.load(MemorySource(file.getvalue()), "torch").model
    given = {"x": x.numpy(), "times": numpy.array(2), "share": numpy.array(0.5), "flip": numpy.array(True)}
    return bool(numpy.array_equal(model.run(given)["output"], Counted()(x, 2, 0.5, True).numpy()))


def models() -> dict[str, tuple[nn.Module, tuple[torch.Tensor, ...]]]:
    """Models by name, with inputs."""
    torch.manual_seed(0)
    flat, images, series = torch.randn(3, 4), torch.randn(2, 1, 8, 8), torch.randn(2, 6, 4)
    convolutions = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)]
    codes = torch.randint(0, 9, (3, 5))
    return {
        "layers": (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), (flat,)),
        "softmax": (nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)), (flat,)),
        "convolutions": (nn.Sequential(*convolutions), (images,)),
        "normalised": (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GELU()), (flat,)),
        "two inputs": (Two(), (flat, torch.randn(3, 2))),
        "lstm": (Recurrent(nn.LSTM), (series,)),
        "gru": (Recurrent(nn.GRU), (series,)),
        "attention": (Attention(), (series,)),
        "embedding": (nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2)), (codes,)),
        "pooled": (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 2), nn.Sigmoid()), (images,)),
    }


def saved(model: nn.Module, inputs: tuple[torch.Tensor, ...], how: str) -> bytes:
    """The bytes of a program."""
    file = io.BytesIO()
    if how == "exported":
        torch.export.save(torch.export.export(model, inputs), file)
    else:
        torch.jit.save(torch.jit.script(model) if how == "scripted" else torch.jit.trace(model, inputs), file)
    return file.getvalue()


def same(data: bytes, inputs: tuple[torch.Tensor, ...], expected: list[Any]) -> bool:
    """Whether the console's Runnable gives these arrays, to the last bit."""
    kind = registry.inspect(MemorySource(data, "m.pt")).format
    model = registry.load(MemorySource(data), kind).model
    takes = model.signature.takes
    found = model.run({one.name: tensor.numpy() for one, tensor in zip(takes, inputs, strict=True)})
    return all(numpy.array_equal(one, other) for one, other in zip(found.values(), expected, strict=True))


def main() -> None:
    """Ask all of them."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    told = {}
    for name, (model, inputs) in models().items():
        model.eval()
        with torch.inference_mode():
            answer = model(*inputs)
        expected = [one.numpy() for one in (answer if isinstance(answer, tuple) else (answer,))]
        for how in ("traced", "scripted", "exported"):
            told[f"{name}, {how}"] = same(saved(model, inputs, how), inputs, expected)
    told["with numbers"] = with_numbers()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
