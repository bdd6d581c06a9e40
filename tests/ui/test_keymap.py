"""Other keys by the settings: checked as a whole, and told everywhere that keys are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input

from console.config import Settings, load_settings
from console.errors import UsageError
from console.ui import keys
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.keymap import FIXED, KEYS, checked
from console.ui.keys import ACTIONS, BY_ID, DIALOG, keys_of
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.palette import PaletteScreen
from console.ui.widgets.text_pane import TextPane
from tests.ui.demo_records import demo
from tests.ui.driving import console_on

UI = Path(keys.__file__).parent
FREE = "ö"
"""A key that no action has."""


@pytest.fixture(autouse=True)
def the_tables_own_keys_again() -> Iterator[None]:
    """Whatever a test has chosen."""
    yield
    keys.use_keys({})


def test_every_action_can_have_another_key_or_none() -> None:
    for action in BY_ID:
        assert checked({action: (FREE,)}) == {action: (FREE,)}
        if action != "back":
            assert checked({action: ()}) == {action: ()}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("L", "L"), ("!", "!"), (" ", "space"), ("Space", "space"), ("F5", "f5"), ("ctrl+X", "ctrl+x"),
        ("esc", "escape"), ("PgDn", "pagedown"), ("shift+l", "L"), ("ctrl+pgup", "ctrl+pageup"), (",", ","), ("é", "é"),
    ],
)  # fmt: skip
def test_keys_are_spelled_as_one_would(written: str, key: str) -> None:
    others = {action.id: () for action in ACTIONS if key in action.keys and action.id != "back"}
    given = "back" if key == "escape" else "pause"
    assert checked({**others, given: (written,)})[given] == (key,)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"lod": ("L",)}, "unknown action 'lod' in [keys]; did you mean 'load'?"),
        ({"tab_live": ("L",)}, "did you mean 'tab-live'?"),
        ({"load": ("ctl+x",)}, "keys.load: 'ctl+x' is no key; did you mean 'ctrl+x'?"),
        ({"load": ("gg",)}, "keys.load: 'gg' is no key"),
        ({"load": ("",)}, "keys.load: '' is no key"),
        ({"load": ("\x1b",)}, r"keys.load: '\x1b' is no key"),
        ({"load": ("ctrl+i",)}, "keys.load: terminals send tab for 'ctrl+i'"),
        ({"load": ("x",)}, "keys.load: 'x' is the key of unload on the home screen"),
        ({"load": ("j",)}, "keys.load: 'j' is the key of down"),
        ({"load": ("?",)}, "keys.load: '?' is the key of help"),
        ({"load": ("L",), "unload": ("L",)}, "'L' is the key of load on the home screen"),
        ({"pause": ("l",)}, "keys.pause: 'l' is the key of load on the model screen"),
        ({"suspend": ("y",)}, "keys.suspend: 'y' is a key of dialogs"),
        ({"back": ()}, "keys.back: nothing would lead back from a screen"),
        (
            {"quit": (), "command": ()},
            "keys.quit: quit and command have no key then, and the console could not be left",
        ),
        ({"help": (), "command": ()}, "keys.help: help and command have no key then"),
    ],
)
def test_what_would_not_do_is_refused_in_a_sentence(chosen: dict[str, tuple[str, ...]], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked(chosen)
    assert told in refused.value.message


def test_keys_can_change_places_and_the_same_key_may_serve_where_it_never_meets_the_other() -> None:
    assert checked({"load": ("x",), "unload": ("l",)})
    assert checked({"promote": ("l",)}), "load is not on the update screen"
    assert checked({"quit": ()}), "the palette still has it"


def test_the_file_and_line_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.config.config_dir", lambda: tmp_path)
    (tmp_path / "config.toml").write_text('fps = 30\n[keys]\nload = ["L"]\nunload = "L"\n')
    with pytest.raises(UsageError) as refused:
        checked(load_settings().keys)
    assert refused.value.message.startswith(f"{tmp_path / 'config.toml'}:4: keys.unload: 'L' is the key of load")


def test_every_named_key_is_one_that_terminals_send() -> None:
    sent = {event.key for code in range(32) for event in XTermParser().feed(chr(code)) if isinstance(event, Key)}
    assert {key for key in KEYS if re.fullmatch(r"ctrl\+[a-z]", key)} <= sent


def test_dialogs_have_no_fixed_key_of_the_table() -> None:
    assert not {key for action in ACTIONS if DIALOG in action.places for key in action.keys} & FIXED


def test_what_works_in_dialogs_gets_no_key_that_edits_a_line() -> None:
    edits = {key for binding in Input.BINDINGS for key in binding.key.split(",")} & KEYS  # type: ignore[union-attr]
    assert edits <= FIXED
    with pytest.raises(UsageError, match="ctrl\\+w' is a key of dialogs, where save screen must work as well"):
        checked({"save-screen": ("ctrl+w",)})
    assert checked({"load": ("ctrl+w",)})


CHOSEN: dict[str, str | tuple[str, ...]] = {
    "load": ("L",),
    "probe": ("f5", "ctrl+y"),
    "quit": ("Q",),
    "back": ("ctrl+b",),
    "open": ("o",),
    "errors": (),
    "tab-live": ("7",),
}


async def test_footer_help_palette_and_sentences_tell_the_keys_that_there_are() -> None:
    feeder = demo()
    async with console_on(feeder, settings=Settings(keys=CHOSEN)) as console:
        await console.until(lambda: "o open  f5 probe  x unload" in console.picture())
        await console.press("j", "l", "p")
        await console.until(lambda: "o open  L load  f5 probe" in console.picture())
        assert feeder.asked == []
        await console.press("question_mark")
        await console.on(HelpScreen)
        told = (r"L +load", r"f5 ctrl\+y +probe", r":errors +errors", r"Q +quit")
        await console.until(lambda: all(re.search(line, console.widget(TextPane).plain) for line in told))
        await console.press("escape")
        assert isinstance(console.app.screen, HelpScreen), "escape is no key any more"
        await console.press("ctrl+b")
        await console.on(HomeScreen)
        await console.press("colon")
        palette = await console.on(PaletteScreen)
        await console.write("load")
        await console.until(lambda: re.search(r"L +load", console.picture()))
        await console.press("escape")
        await console.until(lambda: console.app.screen is not palette)
        await console.press("o")
        await console.on(ModelScreen)
        await console.press("7")
        await console.until(lambda: "L loads it, f5" in console.picture() or "f5 drives it" in console.picture())
        await console.press("L")
        await console.until(lambda: feeder.asked)


async def test_dialogs_keep_their_keys() -> None:
    async with console_on(demo(), settings=Settings(keys=CHOSEN)) as console:
        console.app.push_screen(ConfirmScreen("Really?", "It goes.", yes="Go"))
        dialog = await console.on(ConfirmScreen)
        await console.press("escape")
        await console.until(lambda: console.app.screen is not dialog)


async def test_a_key_that_was_taken_away_does_nothing_and_the_palette_has_its_action() -> None:
    async with console_on(demo(), settings=Settings(keys={"errors": (), "help": ()})) as console:
        await console.press("e")
        assert isinstance(console.app.screen, HomeScreen)
        assert "? help" not in console.picture()
        await console.press("colon")
        await console.on(PaletteScreen)
        await console.write("what failed, with")
        await console.press("enter")
        await console.on(ErrorsScreen)


@pytest.mark.slow
async def test_another_console_has_the_tables_keys_again() -> None:
    async with console_on(demo(), settings=Settings(keys=CHOSEN)):
        assert keys_of(BY_ID["load"]) == ("L",)
    async with console_on(demo()) as console:
        assert keys_of(BY_ID["load"]) == ("l",)
        await console.until(lambda: "p probe" in console.picture())


WORDS = {"up", "down", "left", "right", "home", "end"}
KEY = "|".join(map(re.escape, sorted({key for action in ACTIONS for key in action.keys} - WORDS | {"esc"})))
SENTENCE = re.compile(
    rf": (?:{KEY})$|(?:^|[\s:;,(]|press )(?:{KEY}) "
    r"(?:to |on |loads|drives|says|tells|tries|asks|reloads|leaves|drops|opens|shows|stops|follows)"
    rf"|(?:with|press) (?:{KEY})(?=$|[ ,.;])"
)
FIXED_THERE = ("dialogs/", "keys.py", "keymap.py", "widgets/filter_bar.py", "widgets/footer.py")


def written_by_hand(path: Path) -> Iterator[str]:
    """Keys that stand in the text of a screen, or in its accent colour, and not in the action table."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield from (f"{path.name}:{node.lineno}: {node.value}" for _ in SENTENCE.findall(node.value))
        if (
            isinstance(node, ast.Tuple)
            and len(node.elts) == 2
            and all(isinstance(one, ast.Constant) for one in node.elts)
        ):
            first, second = (one.value for one in node.elts if isinstance(one, ast.Constant))
            if re.fullmatch(KEY, str(first)) and "accent" in str(second):
                yield f"{path.name}:{node.lineno}: {first!r}"
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[1], ast.Name):
            styled = node.elts[0]
            if isinstance(styled, ast.Constant) and re.fullmatch(KEY, str(styled.value)) and node.elts[1].id == "key":
                yield f"{path.name}:{node.lineno}: {styled.value!r}"


def test_no_sentence_names_a_key_by_hand() -> None:
    paths = (path for path in UI.rglob("*.py") if not str(path.relative_to(UI)).startswith(FIXED_THERE))
    assert [found for path in paths for found in written_by_hand(path)] == []


def dialogs(of: type[ModalScreen[Any]] = ModalScreen) -> Iterator[type[ModalScreen[Any]]]:
    """All of ours."""
    for kind in of.__subclasses__():
        yield from dialogs(kind)
        if kind.__module__.startswith("console."):
            yield kind


def test_ctrl_c_leaves_every_dialog() -> None:
    for path in (UI / "dialogs").glob("*.py"):
        import_module(f"console.ui.dialogs.{path.stem}")
    found = list(dialogs())
    assert {"SealScreen", "UseDataScreen", "DataFileScreen", "PaletteScreen"} <= {kind.__name__ for kind in found}
    assert [kind.__name__ for kind in found if "ctrl+c" not in kind._merge_bindings().key_to_bindings] == []
