"""Sort, filter and columns: kept for the next session, whatever stands in the file."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from console.config import state_dir, store_key
from console.start import Start
from console.ui import kept_order
from console.ui.app import ConsoleApp
from console.ui.kept_order import KeptOrder, order_of
from console.ui.rows import Filter, Order
from console.ui.screens.home import HomeScreen
from tests.ui.demo_records import demo
from tests.ui.driving import Driver, console_on
from tests.ui.fed_engine import fed
from tests.ui.feeder import Feeder

ROOT = Path("/srv/models")


@pytest.fixture(autouse=True)
def _patient_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the disk, all is written when a session has ended."""
    monkeypatch.setattr(kept_order, "_LAST_SECONDS", 60.0)


def place() -> Path:
    return state_dir() / store_key(ROOT) / "table.json"


def quiet(_why: str) -> None:
    raise AssertionError(_why)


def written(order: Order, given: str | None = None) -> None:
    kept = KeptOrder(ROOT, given, quiet)
    kept.read()
    kept.keep(order)
    kept.close()


def same(order: Order) -> tuple[object, ...]:
    return (order.sort, order.reverse, order.wanted.pattern, order.columns)


def put(content: bytes) -> None:
    place().parent.mkdir(parents=True, exist_ok=True)
    place().write_bytes(content)


def test_what_was_kept_is_read_again() -> None:
    order = Order("size", True, Filter("a\ud800[\n"), ("-format",))
    written(order)
    assert same(KeptOrder(ROOT, None, quiet).read()) == same(order)
    assert [one.name for one in place().parent.iterdir()] == ["table.json"]
    assert place().stat().st_mode & 0o077 == 0


def test_nothing_is_written_where_nothing_was_changed() -> None:
    written(Order())
    assert not place().exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"null",
        b"[1]",
        b'"x"',
        b"{",
        b"[" * 30_000,
        b'{"sort": "size"' + b" " * 70_000 + b"}",
        b"\xff",
    ],
)
def test_a_damaged_or_alien_file_is_the_default_and_replaced(content: bytes) -> None:
    put(content)
    assert same(KeptOrder(ROOT, None, quiet).read()) == same(Order())
    written(Order("trust"))
    assert json.loads(place().read_text())["sort"] == "trust"


def test_of_another_version_each_part_that_is_known_counts() -> None:
    record = {
        "version": 9,
        "sort": "wonder",
        "reverse": 1,
        "filter": 7,
        "columns": ["size", "-new", 3, "-rss"],
        "x": [],
    }
    assert same(order_of(record)) == ("model", False, "", ("size", "-rss"))
    assert same(order_of({"filter": "a", "sort": ["size"]})) == ("model", False, "a", ())
    assert same(order_of({"filter": "a" * 5000, "columns": "size"})) == same(Order())


@pytest.mark.parametrize("kind", ["directory", "pipe", "link"])
def test_what_is_no_file_of_its_own_is_not_read(kind: str, tmp_path: Path) -> None:
    place().parent.mkdir(parents=True)
    if kind == "directory":
        place().mkdir()
    elif kind == "pipe":
        os.mkfifo(place())
    else:
        (tmp_path / "other").write_text('{"sort": "size"}')
        place().symlink_to(tmp_path / "other")
    assert same(KeptOrder(ROOT, None, quiet).read()) == same(Order())
    if kind != "directory":
        written(Order("trust"))
        assert place().is_file()
        assert not place().is_symlink()
        assert kind != "link" or (tmp_path / "other").read_text() == '{"sort": "size"}'


def test_where_nothing_can_be_kept_that_is_told_once() -> None:
    state_dir().parent.mkdir(parents=True)
    state_dir().write_text("")
    told: list[str] = []
    heard = threading.Event()

    def hear(why: str) -> None:
        told.append(why)
        heard.set()

    kept = KeptOrder(ROOT, None, hear)
    assert same(kept.read()) == same(Order())
    kept.keep(Order("size"))
    assert heard.wait(30)
    kept.keep(Order("trust"))
    kept.close()
    assert len(told) == 1


def test_the_last_of_two_consoles_counts() -> None:
    first, second = KeptOrder(ROOT, None, quiet), KeptOrder(ROOT, None, quiet)
    for one in (first, second):
        one.read()
    first.keep(Order("size", wanted=Filter("one")))
    first.close()
    second.keep(Order("trust"))
    second.close()
    assert same(KeptOrder(ROOT, None, quiet).read()) == same(Order("trust"))


def test_a_given_filter_leaves_the_kept_one_kept() -> None:
    written(Order("size", wanted=Filter("mine")))
    kept = KeptOrder(ROOT, "other", quiet)
    order = kept.read()
    assert order.wanted.pattern == "other"
    kept.keep(order._replace(sort="trust"))
    kept.close()
    assert same(KeptOrder(ROOT, None, quiet).read()) == ("trust", False, "mine", ())
    kept = KeptOrder(ROOT, "other", quiet)
    kept.keep(kept.read()._replace(wanted=Filter("typed")))
    kept.close()
    assert KeptOrder(ROOT, None, quiet).read().wanted.pattern == "typed"


async def test_the_next_session_begins_as_the_last_ended_and_says_so() -> None:
    async with console_on(demo(), (80, 24)) as console:
        await console.press("slash")
        await console.write("trouble")
        await console.press("enter", "s", "S")
        await console.until(lambda: "CLASS↓" in console.picture())
    async with console_on(demo(), (80, 24)) as console:
        told = ("filter trouble: 2 of 12 · kept from last time, esc drops it", "CLASS↓")
        await console.until(lambda: all(words in console.picture() for words in told))
        await console.press("escape")
        await console.until(lambda: "churn/rf" in console.picture() and "kept" not in console.picture())
        await console.press("slash", "up")
        await console.until(lambda: " 2 of 12" in console.picture())
        await console.press("escape")
    async with console_on(demo(), (80, 24)) as console:
        await console.until(lambda: "churn/rf" in console.picture() and "CLASS↓" in console.picture())


async def test_a_kept_filter_that_matches_nothing_says_how_many_it_hides() -> None:
    written(Order(wanted=Filter("nowhere")))
    async with console_on(demo(), (80, 24)) as console:
        told = ("filter nowhere: 0 of 12", "nothing matches")
        await console.until(lambda: all(words in console.picture() for words in told))
    async with console_on(Feeder(), (80, 24)) as console:
        await console.until(lambda: "no models here" in console.picture())


async def test_a_filter_of_the_command_line_is_no_kept_one() -> None:
    written(Order(wanted=Filter("trouble")))
    feeder = demo()

    app = ConsoleApp(feeder.root, fed(feeder), None, Start(filter="churn"))
    async with app.run_test(size=(80, 24)) as pilot:
        console = Driver(app, pilot)
        await console.on(HomeScreen)
        await console.until(lambda: "filter churn: 1 of 12" in console.picture() and "kept" not in console.picture())
    assert KeptOrder(ROOT, None, quiet).read().wanted.pattern == "trouble"
