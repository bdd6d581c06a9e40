"""The output of a model's process on its screen: as it comes, followed unless one reads, found, copied and saved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.config import Settings
from console.serving.worker_logs import LINES, WorkerLog
from console.ui import text
from console.ui.panes.output import OutputPane
from console.ui.screens.model import ModelScreen
from console.ui.widgets.filter_bar import FilterBar
from console.ui.widgets.log_pane import LogPane, _cut, _rows
from tests.ui.demo_records import NOW, demo
from tests.ui.driving import Driver, console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")

FOREST = "churn/rf.joblib"


@pytest.fixture(autouse=True)
def _other_signs_afterwards() -> Iterator[None]:
    yield
    text.use_ascii(False)


def written(feeder: Feeder, what: bytes = b"", pid: int = 4242) -> WorkerLog:
    """A log of the forest with a process that has written this to stdout."""
    log = feeder.logs[FOREST] = WorkerLog(lambda: NOW)
    log.begin(pid)
    log.take(pid, 1, what)
    return log


@asynccontextmanager
async def output(
    feeder: Feeder, size: tuple[int, int] = (80, 24), settings: Settings | None = None
) -> AsyncIterator[Driver]:
    async with console_on(feeder, size, settings) as driver:
        driver.app.push_screen(ModelScreen(FOREST, "output"))
        screen = await driver.on(ModelScreen)
        await driver.until(lambda: screen.query(OutputPane) and screen.query_one(OutputPane).display)
        yield driver


def rows_of(driver: Driver) -> list[str]:
    """The text of the log, without its scrollbar."""
    pane = driver.widget(LogPane)
    end = pane.scrollable_content_region.right - 1
    return [row[:end].rstrip() for row in driver.picture().splitlines()[pane.region.y : pane.region.bottom]]


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"row %d\n" % number for number in range(first, last))


async def test_nothing_yet_says_what_would_come_and_then_it_comes() -> None:
    feeder = demo()
    async with output(feeder) as driver:
        assert "nothing has been written yet" in driver.picture()
        assert "print, warnings, progress, last words" in driver.picture()
        assert not driver.app.screen.allowed("search")  # type: ignore[attr-defined]
        log = written(feeder, b"loading features\n")
        log.take(4242, 2, b"\x1b[31mwarned\x1b[0m \xff \xe2\x80\xae\n 10%\r 20%")
        feeder.say("worker.phase", FOREST)
        await driver.until(lambda: "20%" in driver.picture())
        seen = driver.picture()
        assert "14:13:20     worker 4242 started" in seen
        assert "14:13:20 out loading features" in seen
        assert "14:13:20 err warned \\xff \\u202e" in seen
        assert "10%" not in seen
        log.end(4242, "segmentation fault (SIGSEGV)", failed=True)
        await driver.until(lambda: "worker 4242 ended: segmentation fault (SIGSEGV)" in driver.picture())
        assert "following" in driver.picture()


async def test_the_end_is_followed_until_one_scrolls_up_and_again_with_the_last_line() -> None:
    feeder = demo()
    log = written(feeder, numbered(0, 100))
    async with output(feeder) as driver:
        await driver.until(lambda: "row 99" in driver.picture() and "following" in driver.picture())
        log.take(4242, 1, numbered(100, 110))
        await driver.until(lambda: "row 109" in driver.picture())
        await driver.press("k", "pageup")
        await driver.until(lambda: "scrolled up · G follows" in driver.picture())
        before = rows_of(driver)
        log.take(4242, 1, numbered(110, 160))
        await driver.until(lambda: "50 new" in driver.picture())
        assert rows_of(driver) == before
        await driver.press("G")
        await driver.until(lambda: "row 159" in driver.picture() and "following" in driver.picture())
        log.take(4242, 1, b"one more\n")
        await driver.until(lambda: "one more" in driver.picture())
        await driver.press("k")
        await driver.until(lambda: "scrolled up" in driver.picture())
        await driver.press("j")
        await driver.until(lambda: "following" in driver.picture())


@pytest.mark.slow
async def test_what_is_read_stays_while_older_lines_go() -> None:
    feeder = demo()
    log = written(feeder, numbered(0, LINES))
    async with output(feeder) as driver:
        await driver.until(lambda: f"row {LINES - 1}" in driver.picture())
        await driver.press("pageup")
        await driver.until(lambda: "scrolled up" in driver.picture())
        pane = driver.widget(LogPane)
        before = rows_of(driver)
        log.take(4242, 1, numbered(LINES, LINES + 500))
        await driver.until(lambda: "500 new" in driver.picture())
        assert pane.lines == LINES
        assert rows_of(driver) == before


async def test_a_pattern_is_found_and_one_goes_from_match_to_match() -> None:
    feeder = demo()
    log = written(feeder, numbered(0, 200))
    async with output(feeder) as driver:
        await driver.until(lambda: "row 199" in driver.picture())
        await driver.press("slash")
        await driver.write("row 1.$")
        await driver.until(lambda: "of 10" in driver.picture())
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen.focused is driver.widget(LogPane))
        pane = driver.widget(LogPane)
        await driver.press("n")
        first = pane.where
        await driver.press("n", "N")
        assert pane.where == first
        assert "row 1" in driver.picture()
        assert not pane.following
        log.take(4242, 1, b"row 1x\n")
        await driver.until(lambda: "of 11" in pane.where)
        assert pane.where.split()[0] == first.split()[0]
        await driver.press("escape")
        await driver.until(lambda: not driver.widget(FilterBar).has_class("open"))
        assert isinstance(driver.app.screen, ModelScreen)
        assert pane.where == ""


async def test_all_of_it_is_copied_and_saved_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("TMUX", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    feeder = demo()
    written(feeder, b"secret \x1b[2J\nsecond\n")
    async with output(feeder) as driver:
        await driver.until(lambda: "second" in driver.picture())
        await driver.press("c")
        await driver.until(lambda: "secret" in driver.app._clipboard)
        assert driver.app._clipboard.splitlines()[-1] == "2026-09-21 14:13:20 4242 out second"
        assert files(tmp_path) == {}
        await driver.press("W")
        await driver.until(lambda: list(files(tmp_path).values()) == [(0o600, driver.app._clipboard + "\n")])


def files(folder: Path) -> dict[str, tuple[int, str]]:
    """Permissions and content of each text in a folder."""
    return {file.name: (file.stat().st_mode & 0o777, file.read_text()) for file in folder.rglob("*.txt")}


@pytest.mark.slow
async def test_processes_side_by_side_are_told_apart() -> None:
    feeder = demo()
    log = written(feeder, b"alone\n")
    async with output(feeder) as driver:
        await driver.until(lambda: "14:13:20 out alone" in driver.picture())
        log.begin(4243)
        log.take(4243, 2, b"beside\n")
        await driver.until(lambda: "14:13:20 4243    err beside" in driver.picture())
        assert "14:13:20 4242    out alone" in driver.picture()


@pytest.mark.slow
async def test_it_stays_after_the_model_was_unloaded_and_another_log_begins_anew() -> None:
    feeder = demo()
    log = written(feeder, numbered(0, 30))
    async with output(feeder) as driver:
        log.end(4242, "was unloaded", failed=False)
        del feeder.views[FOREST]
        feeder.say("worker.ended", FOREST)
        await driver.until(lambda: "worker 4242 ended: was unloaded" in driver.picture())
        written(feeder, b"afresh\n", 5001)
        feeder.say("worker.ready", FOREST)
        await driver.until(lambda: "worker 5001 started" in driver.picture() and "afresh" in driver.picture())
        assert "row 29" not in driver.picture()


async def test_nothing_is_looked_for_while_another_tab_is_open_or_nothing_can_come() -> None:
    feeder = demo()
    log = written(feeder, b"first\n")

    def runs() -> bool:
        clock = driver.widget(OutputPane)._clock
        return bool(clock._active.is_set())

    async with output(feeder) as driver:
        await driver.until(lambda: "first" in driver.picture() and runs())
        await driver.press("1")
        await driver.until(lambda: not runs())
        log.take(4242, 1, b"meanwhile\n")
        await driver.press("6")
        await driver.until(lambda: "meanwhile" in driver.picture() and runs())
        log.end(4242, "was unloaded", failed=False)
        await driver.until(lambda: "was unloaded" in driver.picture() and not runs())


@pytest.mark.parametrize(
    "size", [(80, 24), *(pytest.param(size, marks=pytest.mark.slow) for size in ((40, 15), (160, 48)))]
)
async def test_long_lines_are_wrapped_under_their_text_and_none_reaches_the_scrollbar(size: tuple[int, int]) -> None:
    feeder = demo()
    written(feeder, b"a" * 190 + b"\n" + "幅".encode() * 90 + b"\n")
    async with output(feeder, size) as driver:
        await driver.until(lambda: "幅" in driver.picture())
        await driver.press("g")
        pane = driver.widget(LogPane)
        long = [pane.drawn(row).plain for row in range(pane._ends[0], pane._ends[1])]
        assert sum(row.count("a") for row in long) == 190
        assert all(row in rows_of(driver) for row in (" " + one.rstrip() for one in long[:5]))
        await driver.press("G")
        assert pane.lines == 3
        wide = [pane.drawn(row).plain for row in range(pane._ends[1], pane._ends[2])]
        assert sum(row.count("幅") for row in wide) == 90


@pytest.mark.slow
async def test_in_ascii_no_other_sign_is_shown() -> None:
    feeder = demo()
    log = written(feeder, "größe 幅 …\n".encode() + b"x" * 9_000 + b"\n")
    async with output(feeder, settings=Settings(ascii=True)) as driver:
        await driver.until(lambda: "gr??e" in driver.picture() or "gr" in driver.picture())
        log.end(4242, "segmentation fault (SIGSEGV)", failed=True)
        await driver.until(lambda: "SIGSEGV" in driver.picture())
        await driver.press("k")
        await driver.until(lambda: "scrolled up" in driver.picture())
        assert driver.picture().isascii()


@pytest.mark.parametrize("said", ["lorem ipsum dolor " * 20, "a" * 200, "模型 训练 " * 30, "模" * 90, " ", ""])
@pytest.mark.parametrize("width", [2, 24, 61])
def test_a_long_line_is_wrapped_between_words_and_loses_nothing(said: str, width: int) -> None:
    parts = _cut(said, width)
    assert "".join(parts) == said
    assert all(cell_len(part) <= width for part in parts)
    assert len(parts) == _rows(said, width)
    if "lorem" in said and width > 2:
        assert all(part.endswith(" ") for part in parts)


@given(said=st.text(st.sampled_from(["a", " ", "模", "🏻", "👍", "\u0301", "\u200d", "é"])), width=st.integers(1, 6))
def test_whatever_its_signs_a_line_fits_its_width_and_loses_nothing(said: str, width: int) -> None:
    parts = _cut(said, width)
    assert "".join(parts) == said
    assert all(parts) or not said
    assert all(cell_len(part) <= max(width, 2) for part in parts)
    assert len(parts) == _rows(said, width)


async def test_another_width_wraps_anew_and_every_row_is_drawn_meanwhile() -> None:
    feeder = demo()
    written(feeder, b"one and two " * 40 + b"\n" + numbered(0, 10))
    async with output(feeder, (40, 15)) as driver:
        pane = driver.widget(LogPane)
        for width in (120, 47, 41, 160):
            await driver.pilot.resize_terminal(width, 15)
            await driver.until(lambda width=width: pane.size.width > width - 6)  # type: ignore[misc]
            assert [pane.render_line(row).cell_length for row in range(pane.size.height)] == [pane.size.width] * (
                pane.size.height
            )
            await driver.until(lambda: "row 9" in driver.picture())
