"""Settings and options out of bounds, of another type or unknown: one sentence with file, key, value and range."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from console.config import Sealing, Settings, load_settings
from console.errors import InputError, UsageError
from console.recipes.recipe import Tables, read_recipe
from console.trust.policy_file import Tables as PolicyTables
from console.validation import Record, number_from, record_from

HUGE = 2**70
KEYS = dict[str, str | tuple[str, ...]]


def keys(cls: type[Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Meta]]:
    """Every key of a file: its dotted name, its type and its bounds."""
    plain = get_type_hints(cls)
    for name, kind in get_type_hints(cls, include_extras=True).items():
        option = next((one for one in get_args(kind) if one is not NoneType), kind)
        if isinstance(option, type) and issubclass(option, Record):
            yield from keys(option, (*place, name))
        else:
            yield ".".join((*place, name)), plain[name], getattr(kind, "__metadata__", (Meta(),))[0]


README = Path(__file__).resolve().parents[1] / "README.md"
SETTINGS = list(keys(Settings))
NUMBERS = [(name, kind, meta) for name, kind, meta in SETTINGS if kind in (int, float)]


def refused(tmp_path: Path, line: str) -> str:
    """The error about a settings file with this line."""
    path = tmp_path / "config.toml"
    path.write_text(f"\n{line}\n")
    with pytest.raises(UsageError) as caught:
        load_settings(path)
    assert caught.value.message.startswith(f"{path}:2: ")
    return caught.value.message


@pytest.mark.parametrize(("name", "kind", "meta"), NUMBERS, ids=[name for name, _, _ in NUMBERS])
def test_every_number_among_the_settings_has_bounds(name: str, kind: type, meta: Any, tmp_path: Path) -> None:
    low, high = meta.ge, meta.le
    beyond: list[object] = [low - 1, -HUGE, high + 1, HUGE]
    beyond += ["nan", "inf", "-inf", low - 0.01] if kind is float else []
    for value in beyond:
        said = refused(tmp_path, f"{name} = {value}")
        assert f"{name} must be from {low} to {high}, not " in said
        assert said.endswith((f"not {value}", f"not {float(str(value))}", "bits"))
    for value in (low, high):
        (tmp_path / "config.toml").write_text(f"{name} = {value}\n")
        found: Any = load_settings(tmp_path / "config.toml")
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value
        assert type(found) is kind


@pytest.mark.parametrize(("name", "kind", "meta"), SETTINGS, ids=[name for name, _, _ in SETTINGS])
def test_every_setting_stands_in_the_readme_with_its_range(name: str, kind: Any, meta: Any) -> None:
    table = README.read_text("utf-8").partition("## Configuration")[2].partition("\n## ")[0]
    (row,) = (line for line in table.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1])
    wanted = [f"{meta.ge} to {meta.le}"] if kind in (int, float) else get_args(kind)[1:]
    assert all(word in row.split("|")[3] for word in wanted if kind not in (bool, str, tuple[str, ...], KEYS))


@pytest.mark.parametrize(("name", "kind", "meta"), SETTINGS, ids=[name for name, _, _ in SETTINGS])
def test_every_setting_of_another_type_is_named(name: str, kind: Any, meta: Any, tmp_path: Path) -> None:
    wrong = {bool: ("1", '"yes"'), int: ("1.5", "true", '"1"'), float: ("true", '"1"')}.get(kind, ("3", "true", "[1]"))
    for value in wrong:
        assert re.search(rf"{name}(: each)? must be ", refused(tmp_path, f"{name} = {value}"))
    if kind != KEYS:
        assert f"{name} must be " in refused(tmp_path, f"[{name}]\nx = 1")
    assert f"did you mean '{name.rpartition('.')[2]}'?" in refused(tmp_path, f"{name}x = 1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "theme = 'consol-dark'",
            "theme must be one of console-dark, .*, not 'consol-dark'; did you mean 'console-dark'",
        ),
        ("theme = 'nord'", "must be one of console-dark, console-light, ansi-dark, ansi-light, not 'nord'"),
        ("keys.load = [1]", r"keys\.load: each must be a string, not 1"),
        ("keys.load = 1", r"keys\.load must be a string or a list of strings, not 1"),
        ("sealing = 3", "sealing must be a table, not 3"),
        ("[sealng]", "unknown key 'sealng' at the top; did you mean 'sealing'"),
        ("sealing.identity = ''", "must name a file"),
        ("sealing.recipients = 'age1'", "must be a list of strings"),
    ],
)
def test_what_else_is_wrong_is_named(line: str, words: str, tmp_path: Path) -> None:
    assert re.search(words, refused(tmp_path, line))


@pytest.mark.parametrize("text", ["fps = ", "fps = " + "9" * 5000, "x = " + "[" * 100_000])
def test_what_is_no_toml_is_refused_with_the_file(text: str, tmp_path: Path) -> None:
    for name, read in (("config.toml", load_settings), ("m.recipe.toml", read_recipe)):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises((UsageError, InputError), match=str(path)):
            read(path)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbffps = 30\n")
    assert load_settings(path).fps == 30
    path.write_bytes(b'\xef\xbb\xbf[gate]\nmetric = "r2"\n')
    assert read_recipe(path).gate.metric == "r2"


def test_settings_are_read_without_waiting_and_without_end(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is a pipe"):
        load_settings(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="too long for settings"):
        load_settings(path)


@pytest.mark.parametrize("key", ["data.target", "data.ignore"])
def test_no_item_of_a_list_of_a_recipe_is_empty(key: str, tmp_path: Path) -> None:
    path = tmp_path / "m.recipe.toml"
    path.write_text(f'{key} = ["a", ""]\n')
    with pytest.raises(InputError, match=f"{key}: each must not be empty"):
        read_recipe(path)
    path.write_text('data.read.missing = [""]\n')
    assert read_recipe(path).data.read.missing == ("",)


def test_an_identity_is_named_from_the_settings_or_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    for named, found in (("id.txt", f"{tmp_path}/id.txt"), ("~/id.txt", "/home/ada/id.txt"), ("/id.txt", "/id.txt")):
        (tmp_path / "config.toml").write_text(f'[sealing]\nidentity = "{named}"\nrecipients = ["age1x"]\n')
        assert load_settings(tmp_path / "config.toml").sealing == Sealing(found, ("age1x",))


RECIPE = list(keys(Tables))


@pytest.mark.parametrize("name", [name for name, kind, _ in RECIPE if float in (kind, *getattr(kind, "__args__", ()))])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", 10**400, "'1'", "true"])
def test_no_number_of_a_recipe_is_none(name: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "m.recipe.toml"
    path.write_text(f"{name} = {value}\n")
    with pytest.raises(InputError, match=rf"{path}:1: {name} must be "):
        read_recipe(path)


@pytest.mark.parametrize("name", [name for name, kind, _ in RECIPE if str in (kind, *getattr(kind, "__args__", ()))])
def test_no_text_of_a_recipe_is_empty(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.recipe.toml"
    path.write_text(f"{name} = ''\n")
    with pytest.raises(InputError, match=rf"{path}:1: {name} must "):
        read_recipe(path)


def tables_of(kind: Any) -> st.SearchStrategy[Any]:
    """Tables with keys of this record, or of those in it, and any value there."""
    inner = (
        {name: tables_of(hint) for name, hint in get_type_hints(kind).items()}
        if hasattr(kind, "__struct_fields__")
        else {}
    )
    some = st.fixed_dictionaries({}, optional=inner) if inner else VALUES
    return st.one_of(some, some, VALUES)


LEAVES = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates(), st.just(HUGE))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)


@pytest.mark.parametrize("record", [Settings, Tables, PolicyTables])
@given(data=st.data())
@settings(max_examples=100)
def test_whatever_stands_in_a_file_is_the_record_or_told_in_a_sentence(record: Any, data: st.DataObject) -> None:
    tables = {key: data.draw(tables_of(hint)) for key, hint in get_type_hints(record).items()}
    only = data.draw(st.sampled_from([*tables]))
    message = "x.toml:1: it must be right"
    try:
        record_from(Path("x.toml"), "", {only: tables[only]}, record)
    except InputError as error:
        message = error.message
    assert re.match(r"x\.toml:1: (unknown key|[a-z_.]+.*(must|is missing|holds))", message, re.DOTALL)


def test_ranges_are_said_in_words() -> None:
    said = {}
    for meta in (Meta(gt=0, le=1), Meta(le=1), Meta(ge=0), Meta(gt=0), Meta(ge=0, le=1)):
        with pytest.raises(ValueError, match="a number") as caught:
            number_from("x", Annotated[float, meta])
        said[str(caught.value)] = meta
    assert [*said] == [
        "a number, more than 0 and at most 1",
        "a number, 1 or less",
        "a number, 0 or more",
        "a number, more than 0",
        "a number from 0 to 1",
    ]
