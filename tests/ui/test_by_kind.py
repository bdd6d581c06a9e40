"""The overview shows what matters of each kind: a graph's operators, a booster's features, the modules of a network."""

from __future__ import annotations

import pytest

from backends.core.inspection import ArrayInfo, Inspection, Json, Signature, TensorSpec
from console.records import Judgement, Report, Verdict
from console.ui import text
from console.ui.panes.facts import file_lines
from console.ui.widgets.bars import bar_lines
from console.ui.widgets.module_tree import module_lines
from tests.ui.demo_records import demo


def plain(found: Inspection, width: int = 76) -> str:
    report = Report(demo().rows["churn/rf.joblib"], found, Judgement(Verdict.SAFE))
    return "\n".join(line.plain for line in file_lines(report, width))


def network(layers: int) -> tuple[ArrayInfo, ...]:
    names = (f"model.layers.{at}.{part}.weight" for at in range(layers) for part in ("attn.q", "attn.k", "mlp.up"))
    return (ArrayInfo("head.bias", (10,), "float32", 40), *(ArrayInfo(name, (4, 5), "float16", 40) for name in names))


def test_numbers_are_bars_in_columns_and_the_largest_is_first() -> None:
    lines = [line.plain.rstrip() for line in bar_lines({"Relu": 10, "Conv": 1200, "Add": 600}, 76)]
    assert lines == [
        f"Conv         1,200  {'━' * 20}",
        f"Add            600  {'━' * 10}",
        "Relu            10  ━",
    ]


def test_bars_of_fractions_share_their_digits() -> None:
    lines = [line.plain.rstrip() for line in bar_lines({"age": 2.0, "plan": 0.5, "none": 0.0}, 76)]
    assert lines == [f"age          2.0000  {'━' * 20}", "plan         0.5000  ━━━━━", "none         0.0000"]


def test_bars_end_and_say_how_many_more_there_are() -> None:
    lines = bar_lines({f"f{number}": number for number in range(1000)}, 76)
    assert len(lines) == 41
    assert lines[-1].plain == "and 960 more"


def test_bars_of_a_plain_terminal_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "is_ascii", lambda: True)
    assert all(line.plain.isascii() for line in bar_lines({"Conv": 3}, 76))


@pytest.mark.parametrize(
    "value", [{}, {"a": "b"}, {"a": True}, {"a": float("nan")}, {"a": float("inf")}, [1], "x", None]
)
def test_what_is_no_numbers_by_name_stays_a_detail(value: Json) -> None:
    assert bar_lines(value, 76) == []
    shown = plain(Inspection("onnx", details={"operators": value, "nodes": 7}))
    assert "nodes" in shown
    assert "operators\n" not in shown


def test_operators_and_gains_have_sections_of_their_own() -> None:
    shown = plain(Inspection("onnx", details={"operators": {"Conv": 3}, "feature_gain": {"age": 2}, "nodes": 7}))
    assert "operators\nConv         3" in shown
    assert "features by gain\nage          2" in shown
    assert "details\nnodes        7" in shown


def test_modules_are_a_tree_and_those_alike_one_line() -> None:
    lines = [" ".join(line.plain.split()) for line in module_lines(network(1000), 76)]
    assert lines == [
        "head 1 tensor 10 40B",
        "model.layers 3,000 tensors 60k 117K",
        "0…999, 1,000 alike 3 tensors 60 120B",
        "attn 2 tensors 40 80B",
        "q 1 tensor 20 40B",
        "k 1 tensor 20 40B",
        "mlp.up 1 tensor 20 40B",
    ]


def test_a_tree_is_as_deep_as_there_is_room_for() -> None:
    arrays = tuple(
        ArrayInfo(f"block{one}.part{other}.weight", (one + 1, other + 1), "float32", 4)
        for one in range(20)
        for other in range(20)
    )
    lines = module_lines(arrays, 76)
    assert len(lines) == 20
    assert all(line.plain.startswith("block") for line in lines)


def test_names_without_modules_are_no_tree() -> None:
    assert module_lines(tuple(ArrayInfo(f"x{at}", (3,), "float32", 12) for at in range(9)), 76) == []
    assert module_lines(network(1)[:2], 76) == []


def test_a_name_of_a_thousand_dots_is_as_good_as_any() -> None:
    arrays = tuple(ArrayInfo(f"{'.' * 1000}a{at}.weight", (3,), "float32", 12) for at in range(9))
    assert len(module_lines(arrays, 76)) <= 32


def test_what_a_file_names_reaches_the_terminal_harmless() -> None:
    name = "a\x1b[2J"
    arrays = tuple(ArrayInfo(f"{name}{at}.b{at}.weight", (at,), "float32", 4) for at in range(9))
    details: dict[str, Json] = {"operators": {name: 1}, "chat_template": f"x\n{name}"}
    assert "\x1b" not in plain(Inspection("gguf", arrays=arrays, details=details))


def test_a_chat_template_is_the_text_that_it_is() -> None:
    shown = plain(Inspection("gguf", details={"chat_template": "{% for m in messages %}\n  {{ m }}\n{% endfor %}"}))
    assert "chat template\n{% for m in messages %}\n" in shown
    assert "\\n" not in shown


def test_a_language_model_has_a_card_whichever_format_it_is_in() -> None:
    details: dict[str, Json] = {
        "version": 3, "architecture": "llama", "context": 2048, "cache_bytes": 46_137_344, "heads": 32,
        "bytes_by_type": {"F32": 1000, "Q4_K": 5000}, "vocabulary": 32_000, "name": "a\nb",
    }  # fmt: skip
    shown = plain(Inspection("gguf", details=details, summary="Llama 1.1B · Q4_K_M"))
    card = shown[shown.index("language model") : shown.index("details")]
    assert "context       2,048 tokens" in card
    assert "by type       Q4_K" in card
    assert "in half precision" in card
    assert "llama" not in shown[shown.index("details") :]
    assert "class        Llama 1.1B · Q4_K_M" in shown
    assert "language model" not in plain(Inspection("keras", details={"architecture": "Sequential", "layers": 3}))


def test_tensors_that_go_in_and_come_out_are_told_with_their_shapes() -> None:
    takes = (TensorSpec("image", "float32", (None, 3, 8)), TensorSpec("n", "int64", ()), TensorSpec("x"))
    shown = plain(Inspection("onnx", signature=Signature(takes=takes, gives=(TensorSpec("y", "float32", (1,)),))))
    assert "takes image  float32  ? x 3 x 8" in shown
    assert "takes n      int64  a number" in shown
    assert "takes x      any type  any shape" in shown
    assert "gives y      float32  1" in shown
