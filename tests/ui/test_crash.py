"""A defect of the console itself: one sentence on the terminal, the account in a file, no values in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.config import state_dir
from console.ui.crash import write_crash
from console.ui.screens.home import HomeScreen
from console.ui.screens.palette import PaletteScreen
from tests.ui.demo_records import demo
from tests.ui.driving import console_on


def test_the_account_has_frames_but_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(__file__).parent))
    secret = "s3cret"
    try:
        len(int(secret[0:0] or "7"))  # type: ignore[arg-type]
    except TypeError:
        path = write_crash()
    assert path is not None
    account = path.read_text()
    assert "test_the_account_has_frames" in account
    assert "TypeError" in account
    assert secret not in account.replace('secret = "s3cret"', "")
    assert str(Path(__file__).parent) not in account
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_defect_ends_the_console_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    feeder = demo()

    def broken() -> None:
        raise RuntimeError("cannot be done")

    async def run() -> None:
        async with console_on(feeder) as console:
            console.app.call_later(broken)
            await console.until(lambda: not console.app.is_running)

    with pytest.raises(RuntimeError, match="cannot be done"):
        await run()
    shown = capsys.readouterr().err
    assert "this is a defect of model-console itself" in shown
    assert "Traceback" not in shown
    assert "broken" not in shown
    (path,) = state_dir().glob("crash-*.txt")
    assert "RuntimeError: cannot be done" in path.read_text()
    assert feeder.closed


async def test_an_end_asked_for_while_a_screen_is_being_built_is_no_defect() -> None:
    async with console_on(demo()) as console:
        app = console.app
        home = await console.on(HomeScreen)
        palette = PaletteScreen()
        palette.begin(home)
        app.push_screen(palette)
        app.exit(None, 143)
        await console.ended()
    assert app.return_code == 143
    assert list(state_dir().glob("crash-*.txt")) == []
