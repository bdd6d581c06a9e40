"""GGUF: facts from the header, what is damaged, and templates that reach out."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from backends.core.chat_template import reaches_out
from backends.core.directories import inspect as inspect_members
from backends.core.directories import members_of
from backends.core.errors import Damaged
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.gguf.cursor import MOST_KEPT
from backends.formats.gguf.files import inspect as inspect_source
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.gguf_files import LLAMA, TENSORS, header, text, whole
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
    "a tensor at no multiple of the alignment": _tensor((4,), 0, 8),
    "more texts than any header has": b"GGUF" + struct.pack("<IQQ", 3, 0, 100)
    + b"".join(text(f"k{one}") + struct.pack("<I", 8) + text("x" * (1 << 18)) for one in range(100)),
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
        r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
        r"{{ ''['\137\137class'] }}",
        "{{ '%}' ~ x.__class__ }}",
        "{{ '}}', cycler.next }}",
        "{{ x['_'~'_class_'~'_'] }}",
        "{{ ''['__cla'+'ss__'] }}",
        "{{ x[['_', 'class'] | join] }}",
        "{{ x['%c%cclass'|format(95, 95)] }}",
        "{% set a = x | map('attr', 'y') %}",
        "{% from 'x' import y %}",
        "{{ {'a': {'b': 1}}.__class__ }}",
        "{{ (x)\n. __class__ }}",
        "{# no tag {{ #}{{ x.__class__ }}",
        "{{ x.__class__",
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
        "{# {{ x.__class__ }} #}{%- for tool in tools %}{{ tool['function'].name ~ ':' ~ tool | tojson }}{% endfor %}",
        "{%- if messages[-1]['role'] == 'tool_call' %}{{ messages[loop.index0 + 1].content | trim }}{% endif %}",
        "You are an assistant of os.example. {{ messages[0].content.split('</think>')[-1].lstrip('\\n') }}",
    ],
)
def test_usual_templates_are_no_alarm(template: str) -> None:
    assert reaches_out(template) is None


@pytest.mark.parametrize("part", ["\\", "{{ ", "a.", "[", "'a", "a[", "-}", "'\\"])
def test_a_template_of_any_shape_is_read_at_once(part: str) -> None:
    began = time.process_time()
    reaches_out("{{ '" + part * (MOST_KEPT // 4 // len(part)))
    reaches_out("{{ " + part * (MOST_KEPT // 4 // len(part)))
    assert time.process_time() - began < 5, "it grows with the square of the length"


def test_a_template_longer_than_any_waits_for_a_person() -> None:
    found = look(whole(entries={**LLAMA, "tokenizer.chat_template": ("text", "x" * MOST_KEPT + EVIL)}))
    assert [one.code for one in found.findings] == ["chat-template"]
    assert found.details["vocabulary"] == 32


def test_a_type_of_tensor_that_is_new_is_told_and_stays_within_the_file() -> None:
    found = look(_tensor((64,), 77))
    assert [(one.dtype, one.bytes) for one in found.arrays] == [("type 77", 8)]
    assert (found.complete, [one.code for one in found.findings]) == (False, ["limit"])
    with pytest.raises(Damaged):
        look(_tensor((1 << 40,), 77))


def test_the_cache_is_reckoned_by_the_length_of_keys_and_values() -> None:
    lengths = {"llama.attention.key_length": ("u32", 128), "llama.attention.value_length": ("u32", 256)}
    found = look(whole(entries={**LLAMA, **lengths}))
    assert found.details["cache_bytes"] == 2 * 22 * 2048 * 4 * (128 + 256)


def part_of(number: int, count: int, tensors: Any = ()) -> bytes:
    split = {"split.no": ("u32", number), "split.count": ("u32", count), "split.tensors.count": ("u32", 2)}
    entries = {**LLAMA, **split} if number == 0 else split
    return whole(entries=entries, tensors=tensors)


def split_model(path: Path, *parts: bytes) -> None:
    path.mkdir()
    for number, data in enumerate(parts, 1):
        (path / f"tiny-{number:05}-of-00003.gguf").write_bytes(data)


def read_directory(path: Path) -> Inspection:
    with contextlib.ExitStack() as stack:
        members = {}
        for name in sorted(os.listdir(path)):
            fd = os.open(path / name, os.O_RDONLY)
            stack.callback(os.close, fd)
            members[name] = Source(fd, name)
        return inspect_members(members)


def test_a_split_model_is_one(tmp_path: Path) -> None:
    split_model(tmp_path / "m", part_of(0, 3), part_of(1, 3, TENSORS[:1]), part_of(2, 3, TENSORS[1:]))
    found = read_directory(tmp_path / "m")
    assert (found.summary, found.details["parts"], found.complete) == ("Llama 8.45k · Q4_K_M", 3, True)
    (tmp_path / "m" / "tiny-00002-of-00003.gguf").unlink()
    found = read_directory(tmp_path / "m")
    assert [one.detail for one in found.findings] == ["part 2 of 3 is missing"]
    assert judge(found, Policy()).verdict is Verdict.DAMAGED


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((part_of(0, 3), part_of(1, 3, TENSORS), part_of(1, 3)), "is part 2, as another file is"),
        ((part_of(0, 2), part_of(1, 2, TENSORS), part_of(2, 2)), "3 parts are there, and the header says 2"),
        ((part_of(0, 3), part_of(1, 3, TENSORS), part_of(2, 3, TENSORS[1:])), "a tensor is in two parts"),
        ((part_of(0, 3), part_of(1, 3, TENSORS[:1]), part_of(2, 3)), "1 tensors are in the parts, and 2"),
        ((part_of(0, 3), part_of(1, 3, TENSORS)[:-1], part_of(2, 3)), "tiny-00002-of-00003.gguf: cut off"),
    ],
)
def test_parts_that_contradict_each_other_are_damaged(parts: tuple[bytes, ...], why: str, tmp_path: Path) -> None:
    split_model(tmp_path / "m", *parts)
    with pytest.raises(Damaged) as refused:
        read_directory(tmp_path / "m")
    assert why in str(refused.value)


def test_models_beside_each_other_are_rows_of_their_own() -> None:
    parts = ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf")
    assert members_of((*parts, "README.md")) == parts
    assert members_of((*parts, "b.gguf")) == ()
    assert members_of((*parts, "b-00001-of-00002.gguf")) == ()


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
