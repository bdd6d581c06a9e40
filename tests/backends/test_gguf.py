"""GGUF: facts from the header, what is damaged, and templates that reach out."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from backends.core.chat_template import reaches_out
from backends.core.errors import Damaged
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.gguf.files import inspect as inspect_source
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.gguf_files import LLAMA, header, text, whole
from tests.inspecting import inspect_bytes


def look(data: bytes) -> Inspection:
    return inspect_bytes(data, "m.gguf")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [2, 3])
def test_the_facts(order: str, version: int) -> None:
    found = look(whole(order=order, version=version))
    assert (found.format, found.complete, found.loadable) == ("gguf", True, False)
    assert found.summary == "Llama 8.45k · Q4_K_M"
    assert [(one.name, one.shape, one.dtype, one.bytes) for one in found.arrays] == [
        ("token_embd.weight", (32, 256), "Q4_K", 4608), ("output_norm.weight", (256,), "F32", 1024),
    ]  # fmt: skip
    told = found.details
    assert (told["context"], told["layers"], told["heads"], told["key_value_heads"]) == (2048, 22, 32, 4)
    assert (told["vocabulary"], told["special_tokens"]) == (32, {"bos": 1})
    assert told["cache_bytes"] == 2 * 22 * 2048 * 4 * 64 * 2
    assert judge(found, Policy()).verdict is Verdict.SAFE


def test_a_part_of_a_split_model_says_so() -> None:
    found = look(whole(entries={**LLAMA, "split.no": ("u32", 1), "split.count": ("u32", 3)}))
    assert found.summary == "Llama 8.45k · Q4_K_M · part 2 of 3"


def _tensor(shape: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    data = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t")
    return data + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset) + bytes(4096)


HOSTILE = {
    "more tensors than bytes": whole(counts=(1 << 60, 3)),
    "more entries than bytes": whole(counts=(2, 1 << 62)),
    "a shape that says more than the file holds": _tensor((1 << 20, 1 << 20), 0),
    "a shape that overflows": _tensor((1 << 32, 1 << 32, 1 << 32, 16), 0),
    "rows that are no whole blocks": _tensor((33,), 2),
    "a tensor behind the file": _tensor((4,), 0, 1 << 62),
    "five dimensions": _tensor((1, 1, 1, 1, 1), 0),
    "an alignment of nothing": whole(entries={**LLAMA, "general.alignment": ("u32", 0)}),
    "an alignment that is no power of two": whole(entries={**LLAMA, "general.alignment": ("u32", 33)}),
    "a key twice": b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + (text("k") + struct.pack("<II", 4, 1)) * 2,
    "a text longer than the file": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 62) + bytes(64),
    "an array of arrays": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1) + bytes(64),
    "an array longer than the file": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k")
    + struct.pack("<IIQ", 9, 10, 1 << 61) + bytes(64),
    "a type that is none": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99) + bytes(64),
    "version 1": b"GGUF" + struct.pack("<IQQ", 1, 0, 0) + bytes(64),
    "two tensors in one place": header(tensors=(("a", (256,), 0), ("b", (256,), 0)))[0].replace(
        text("b") + struct.pack("<IQIQ", 1, 256, 0, 1024), text("b") + struct.pack("<IQIQ", 1, 256, 0, 512)
    ) + bytes(2048),
    "cut off": whole()[:-1],
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_damaged_is_told(what: str) -> None:
    with pytest.raises(Damaged):
        look(HOSTILE[what])


EVIL = "{{ cycler.__init__.__globals__.os.popen('touch marker').read() }}"


def test_a_template_that_reaches_out_waits_for_a_person() -> None:
    found = look(whole(entries={**LLAMA, "tokenizer.chat_template": ("text", EVIL)}))
    assert [one.code for one in found.findings] == ["chat-template"]
    assert judge(found, Policy()).verdict is not Verdict.SAFE
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages | attr('x') }}",
        "{% include '/etc/passwd' %}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
    ],
)
def test_ways_out_are_seen(template: str) -> None:
    assert reaches_out(template) is not None


@pytest.mark.parametrize(
    "template",
    [
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate!') }}{% endif %}{{ message['content'].strip() }}{% endfor %}",
        "{%- set ns = namespace(found=false) -%}{%- if tools is not none -%}{{ tools | tojson }}{%- endif -%}",
        "You are an assistant of os.example. {{ messages[0].content.split('</think>')[-1].lstrip('\\n') }}",
    ],
)
def test_usual_templates_are_no_alarm(template: str) -> None:
    assert reaches_out(template) is None


def test_60_gigabytes_are_read_in_their_header_alone(tmp_path: Path) -> None:
    tokens: dict[str, tuple[str, Any]] = {"tokenizer.ggml.tokens": ("texts", [f"token{one}" for one in range(32_000)])}
    tensors = [(f"blk.{layer}.ffn.weight", (8192, 28672), 12) for layer in range(480)]
    head, size = header({**LLAMA, **tokens}, tensors)
    path = tmp_path / "large.gguf"
    path.write_bytes(head)
    os.truncate(path, len(head) + size)
    assert path.stat().st_size > 60e9
    fd = os.open(path, os.O_RDONLY)
    try:
        source = Source(fd, path.name)
        found = inspect_source(source)
    finally:
        os.close(fd)
    assert found.summary == "Llama 113B · Q4_K_M"
    assert found.details["vocabulary"] == 32_000
    assert source.bytes_read < 5_000_000
