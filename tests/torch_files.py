"""Files as PyTorch writes them, put together without PyTorch: torch/serialization.py, `_save` and `_legacy_save`."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile

from tests.hostile import call, integer, name, old_name, text

__all__ = ["archive", "exported", "legacy", "package", "pid", "script", "state_dict", "tensor"]

MAGIC = 0x1950A86A20F9469CFC6C


def pid(
    key: str = "0", count: int = 6, kind: bytes | None = None, *, view: bool = False, tag: str = "storage"
) -> bytes:
    """A storage by its persistent id; with `view` as PyTorch before 1.6 wrote it."""
    inside = text(tag) + (kind or old_name("torch", "FloatStorage")) + text(key) + text("cpu") + integer(count)
    return b"(" + inside + (b"N" if view else b"") + b"tQ"


def tensor(
    storage: bytes,
    offset: bytes = b"K\x00",
    shape: bytes = b"K\x02K\x03\x86",
    strides: bytes = b"K\x03K\x01\x86",
) -> bytes:
    """A float tensor on that storage, of shape 2 × 3 where nothing else is said."""
    hooks = call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, b"\x89", hooks)


def state_dict(storage: bytes, extra: bytes = b"") -> bytes:
    """A pickle of an ordered dict with one tensor; `extra` is a further key and value."""
    return b"\x80\x02" + call("collections", "OrderedDict") + b"(" + text("weight") + tensor(storage) + extra + b"u."


def archive(data: bytes, numbers: bytes = bytes(24), **members: bytes) -> bytes:
    """The zip archive around that pickle; `members` are further ones, under `archive/`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        whole.writestr("archive/data.pkl", data)
        whole.writestr("archive/byteorder", b"little")
        whole.writestr("archive/data/0", numbers)
        whole.writestr("archive/version", b"3\n")
        for member, content in members.items():
            whole.writestr(f"archive/{member}", content)
    return file.getvalue()


def script(
    forward: str = "x: Tensor) -> Tensor",
    *,
    module: str = "Net",
    package: str = "",
    extra: bytes = b"",
    constants: bytes = b"\x80\x02).",
    members: dict[str, bytes] | None = None,
) -> bytes:
    """A TorchScript archive of a class whose `forward` begins so, with one tensor."""
    place = f"__torch__.{package}".rstrip(".")
    main = name(place, module)
    data = b"\x80\x02" + main + b")\x81}(" + text("weight") + tensor(pid()) + extra + b"ub."
    code = f"class {module}(Module):\n  def forward(self: __torch__.{module},\n    {forward}:\n    return x\n"
    source = f"code/{place.replace('.', '/')}.py"
    return archive(data, **{"constants.pkl": constants, source: code.encode(), **(members or {})})


def package(data: bytes) -> bytes:
    """A package of torch.package with one module and one pickle, which holds a model of it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        whole.writestr("net/.data/0.storage", bytes(24))
        whole.writestr("net/model/model.pkl", data)
        whole.writestr("net/models/net.py", "class Net: pass\n")
        whole.writestr("net/.data/extern_modules", "torch")
        whole.writestr("net/.data/python_version", "3.11")
        whole.writestr("net/.data/version", "6\n")
    return file.getvalue()


def exported(**changes: object) -> bytes:
    """A program of torch.export: one linear layer of 4 inputs and 3 outputs; `changes` replace parts of its JSON."""
    sides = [{"as_expr": {"expr_str": "Symbol('s1', integer=True)", "hint": {"as_int": 2}}}, {"as_int": 4}]
    values = {"x": {"dtype": 7, "sizes": sides}, "linear": {"dtype": 7, "sizes": [sides[0], {"as_int": 3}]}}
    graph = {"nodes": [{"target": "torch.ops.aten.linear.default"}], "tensor_values": values}
    signature = {
        "input_specs": [{"parameter": {"arg": {"name": "p"}}}, {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}],
        "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "linear"}}}}],
    }
    root = {"graph_module": {"graph": {**graph, **changes}, "signature": signature}, "torch_version": "2.13.0"}
    meta = {"dtype": 7, "sizes": [{"as_int": 3}, {"as_int": 4}]}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        whole.writestr("m/archive_format", b"pt2")
        whole.writestr("m/data/weights/weight_0", bytes(48))
        whole.writestr(
            "m/data/weights/c.json", json.dumps({"config": {"w": {"path_name": "weight_0", "tensor_meta": meta}}})
        )
        whole.writestr("m/models/m.json", json.dumps(root))
    return file.getvalue()


def legacy(data: bytes, count: int = 6, numbers: bytes = bytes(24), keys: object = ("0",)) -> bytes:
    """Five pickles and the numbers."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(MAGIC, 2), pickle.dumps(1001, 2), pickle.dumps(system, 2), data]
    parts.append(pickle.dumps(list(keys) if isinstance(keys, tuple) else keys, 2))
    return b"".join(parts) + struct.pack("<q", count) + numbers


EVIL = text("hook") + name("os", "system")
