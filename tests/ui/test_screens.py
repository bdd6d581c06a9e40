"""Errors, events, history, update, help and the palette."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from console.config import state_dir
from console.errors import InputError, UsageError
from console.files.data_files import as_typed
from console.records import Difference, Failure, GateResult, Unchanged, UpdatePlan, UpdateProgress, Verdict
from console.trust.roles import Permission, Role
from console.ui.data_files import completed
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.screens.errors import ErrorsScreen
from console.ui.screens.events import EventsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.history import HistoryScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.model import ModelScreen
from console.ui.screens.palette import PaletteScreen
from console.ui.screens.update import UpdateScreen
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import TextPane
from tests.ui.demo_records import COMPARED, NOW, RAISED, artifact, demo
from tests.ui.driving import console_on
from tests.ui.feeder import Feeder

pytestmark = pytest.mark.usefixtures("still_clock")


async def test_an_account_has_cause_hint_chain_and_surroundings_in_this_order() -> None:
    async with console_on(demo()) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.press("j")
        text = console.widget(TextPane).plain
    parts = [
        "predict failed  ValueError: could not convert string to float",
        "pip install scikit-learn==1.2.2",
        "KeyError: 'age'",
        "/opt/models/features.py:18  in ratio",
        "return row['age'] / row['tenure']",
        "which was the direct cause of:",
        "ValueError: could not convert",
        "column 3 of the batch",
        "DataFrame 10 x 30",
        "InconsistentVersionWarning",
        "ratio failed for row 17",
    ]
    place = 0
    for part in parts:
        place = text.index(part, place)


async def test_a_traceback_is_searched_forth_and_back() -> None:
    async with console_on(demo()) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.press("j", "enter", "slash")
        await console.write("float")
        await console.press("enter")
        pane = console.widget(TextPane)
        assert pane.has_focus
        assert pane.where == "1 of 4"
        await console.press("n", "n")
        assert pane.where == "3 of 4"
        await console.press("N")
        assert pane.where == "2 of 4"
        await console.press("escape")
        assert pane.where == ""
        assert isinstance(console.app.screen, ErrorsScreen)


async def test_a_new_failure_comes_on_top_and_what_is_read_stays() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.press("j")
        feeder.failed.append(type(RAISED)(3, NOW, "late.pkl", "load", "raised", "late", type="OSError"))
        feeder.say("failure.added", "late.pkl", "late.pkl: load failed", "failure")
        await console.until(lambda: "late.pkl" in console.picture())
        assert console.widget(LineList).key == RAISED.id
        assert "could not convert" in console.widget(TextPane).plain


async def test_a_traceback_is_copied_and_saved() -> None:
    async with console_on(demo()) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        await console.press("j", "c", "w")
        await console.until(lambda: list((state_dir() / "errors").glob("*.txt")))
        (path,) = (state_dir() / "errors").glob("*.txt")
        assert console.app.clipboard == console.widget(TextPane).plain
        assert path.read_text() == console.app.clipboard + "\n"
        assert path.stat().st_mode & 0o777 == 0o600


async def test_no_failure_is_a_screen_too() -> None:
    async with console_on(Feeder()) as console:
        await console.press("e")
        await console.on(ErrorsScreen)
        assert "nothing has failed" in console.picture()
        await console.press("n", "N", "c", "w", "slash", "enter", "escape")
        await console.on(HomeScreen)


async def test_events_newest_first_lead_to_what_they_are_about() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("v")
        await console.on(EventsScreen)
        picture = console.picture()
        assert (
            picture.index("predict failed")
            < picture.index("is ready after 412 ms")
            < picture.index("12 artifacts found")
        )
        feeder.say("worker.ended", "iris/svm.pkl", "iris/svm.pkl was unloaded")
        await console.until(lambda: "was unloaded" in console.picture())
        await console.press("enter")
        screen = await console.on(ModelScreen)
        assert screen.subject == "iris/svm.pkl"
        await console.press("escape", "j", "enter")
        await console.on(ErrorsScreen)


async def test_history_rolls_back_only_after_a_yes() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("h")
        await console.on(HistoryScreen)
        await console.until(lambda: "tomek" in console.picture())
        await console.press("B")
        assert isinstance(console.app.screen, HistoryScreen)
        await console.press("j", "B")
        await console.on(ConfirmScreen)
        assert "Put version 2 of churn/rf.joblib back in place?" in console.picture()
        await console.press("enter")
        await console.on(HistoryScreen)
        assert feeder.asked == []
        await console.press("B")
        await console.on(ConfirmScreen)
        await console.press("right", "enter")
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("rollback", "churn/rf.joblib", "2")]


async def test_an_update_without_a_recipe_asks_for_data() -> None:
    feeder = demo()
    feeder.plans["churn/rf.joblib"] = UsageError("there is nothing to train churn/rf.joblib on", hint="name a file")
    async with console_on(feeder) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        await console.until(lambda: "there is nothing to train" in console.picture())
        feeder.plans["churn/rf.joblib"] = UpdatePlan("churn/rf.joblib", "/data/new.csv", None)
        await console.write("new.csv")
        await console.press("enter")
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("update", "churn/rf.joblib", "/data/new.csv", "")]


async def test_an_update_shows_how_far_it_is_and_can_be_left_and_stopped() -> None:
    feeder = demo()
    feeder.progresses["churn/rf.joblib"] = UpdateProgress("churn/rf.joblib", "training", NOW - 75, 30, 120, "fold 2")
    async with console_on(feeder) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        picture = console.picture()
        assert "training   1m" in picture
        assert "30 of 120" in picture
        await console.press("escape")
        await console.on(HomeScreen)
        await console.press("u")
        await console.on(UpdateScreen)
        await console.press("X")
        await console.on(ConfirmScreen)
        await console.press("y")
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("cancel", "churn/rf.joblib")]


async def test_a_comparison_shows_the_gate_and_promotes_after_a_yes() -> None:
    feeder = demo()
    feeder.compared["churn/rf.joblib"] = COMPARED
    async with console_on(feeder) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        picture = console.picture()
        for words in (
            "does not meet the gate",
            "0.9377",
            "+0.0065",
            "✖ latency at most 1.5",
            "200 → 300",
            "600 held-out",
        ):
            assert words in picture
        await console.press("P")
        await console.on(ConfirmScreen)
        assert "The gate is not met." in console.picture()
        await console.press("escape")
        await console.on(UpdateScreen)
        assert feeder.asked == []
        await console.press("P")
        await console.on(ConfirmScreen)
        await console.press("tab", "enter")
        await console.until(lambda: feeder.asked)
        del feeder.compared["churn/rf.joblib"]
        feeder.say("update.promoted", "churn/rf.joblib", "churn/rf.joblib is now version 4", "ok")
        await console.on(HomeScreen)
    assert feeder.asked == [("promote", "churn/rf.joblib")]


async def test_what_was_not_measured_is_said_and_promoted_by_the_operators_word_alone() -> None:
    feeder, flaw = demo(), "the hold-out is the training file"
    gate = (GateResult("roc_auc at least 0.9", None, f"not measured: {flaw}"),)
    feeder.compared["churn/rf.joblib"] = replace(
        COMPARED, gate=gate, unmeasured=flaw, warnings=("ConvergenceWarning: it did not converge",)
    )
    async with console_on(feeder) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        text = console.widget(TextPane).plain
        assert f"Nothing was measured: {flaw}." in text
        assert f"not measured: {flaw}" in text
        assert "not measured not measured" not in text.replace("  ", " ")
        assert "ConvergenceWarning: it did not converge" in text
        await console.press("P")
        await console.on(ConfirmScreen)
        assert f"Nothing was measured: {flaw}" in " ".join(console.picture().split())
        await console.press("y")
        await console.until(lambda: feeder.asked)
    assert feeder.asked == [("promote", "churn/rf.joblib")]


async def test_a_candidate_that_is_no_other_and_a_model_without_figures_are_said() -> None:
    feeder = demo()
    feeder.compared["churn/rf.joblib"] = replace(COMPARED, unchanged=Unchanged.ANSWERS, problem="it is not fitted yet")
    async with console_on(feeder) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        text = console.widget(TextPane).plain
        assert "Unchanged: it answers every row measured exactly as the current model does." in text
        assert "The current model could not be measured: it is not fitted yet" in text


async def test_help_lists_the_table_and_closes_with_its_own_key() -> None:
    async with console_on(demo(), size=(160, 48)) as console:
        await console.press("question_mark")
        await console.on(HelpScreen)
        picture = console.picture()
        for words in ("Load the model, or all marked, each", "asks first", "RUN"):
            assert words in picture
        assert "(update)" in console.widget(TextPane).plain
        await console.press("question_mark")
        await console.on(HomeScreen)


async def test_help_offers_the_next_match_once_something_was_searched_for() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await console.press("question_mark")
        await console.on(HelpScreen)
        await console.until(lambda: "/ search  esc back" in console.picture())
        await console.press("n")
        assert [one.message for one in console.app._notifications] == ["next match: search first, with /"]
        await console.rush(*"/mark", "enter")
        await console.until(lambda: "/ search  n next match  esc back" in console.picture())


async def test_where_nothing_is_left_to_do_the_footer_tells_the_way_back() -> None:
    feeder = demo()
    feeder.permission = Permission(Role.VIEW, "ada", {"operate": ("ml-oncall",)}, "the policy")
    async with console_on(feeder, size=(80, 24)) as console:
        await console.press("j", "enter")
        await console.on(ModelScreen)
        await console.press("2")
        await console.until(lambda: console.picture().splitlines()[-1].startswith(" esc back  "))


async def test_what_stays_built_begins_anew_each_time_it_is_opened() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        await console.press("colon")
        palette = await console.on(PaletteScreen)
        await console.write("kmeans")
        await console.press("escape", "v")
        events = await console.on(EventsScreen)
        await console.press("G", "colon")
        assert await console.on(PaletteScreen) is palette
        assert palette.query_one(Input).value == ""
        await console.until(lambda: "Show all keys" in console.picture())
        await console.press("escape", "question_mark")
        helped = await console.on(HelpScreen)
        await console.until(lambda: "keys of the events screen" in console.picture())
        await console.press("G", "escape", "escape", "v")
        assert await console.on(EventsScreen) is events
        assert events.query_one(LineList).at_top
        await console.press("escape", "question_mark")
        assert await console.on(HelpScreen) is helped
        await console.until(lambda: "keys of the home screen" in console.picture())
        assert helped.query_one(TextPane).scroll_offset.y == 0


async def test_a_screen_that_stays_built_can_be_opened_above_itself() -> None:
    async with console_on(demo()) as console:
        await console.press("v")
        events = await console.on(EventsScreen)
        await console.press("j", "enter")
        await console.until(lambda: console.app.screen is not events)
        await console.press("v")
        assert await console.on(EventsScreen) is not events
        await console.press("escape", "escape")
        assert await console.on(EventsScreen) is events


async def test_a_line_that_is_cut_says_so_before_the_scrollbar() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await console.press("colon")
        await console.on(PaletteScreen)
        await console.until(lambda: "unload" in console.picture())
        line = next(line for line in console.picture().splitlines() if "End the worker of the model" in line)
        assert "…" in line


async def test_help_wraps_beside_the_keys() -> None:
    async with console_on(demo(), size=(80, 24)) as console:
        await console.press("question_mark")
        await console.on(HelpScreen)
        await console.until(lambda: "none the filter" in console.picture())
        lines = console.picture().splitlines()
        number = next(number for number, line in enumerate(lines) if "Go back; on the first screen" in line)
        assert lines[number + 1].index("none the filter") == lines[number].index("Go back")


async def test_the_palette_finds_actions_models_and_themes() -> None:
    async with console_on(demo()) as console:
        await console.press("colon")
        await console.on(PaletteScreen)
        await console.write("light con")
        await console.press("enter")
        await console.until(lambda: console.app.theme == "console-light")
        await console.press("colon")
        await console.on(PaletteScreen)
        await console.write("what happened")
        await console.press("enter")
        await console.on(EventsScreen)
        await console.press("colon")
        await console.on(PaletteScreen)
        await console.write("kmeans")
        await console.press("enter")
        screen = await console.on(ModelScreen)
        assert screen.subject == "segments/kmeans.h5"


async def test_the_palette_runs_what_was_typed_also_while_a_large_store_is_searched() -> None:
    feeder = demo()
    for number in range(60_000):
        path = f"zoo/{number // 100:03}/model-of-a-directory-with-a-long-name-{number:05}.joblib"
        feeder.rows[path] = artifact(path, 1, 1, "joblib", None, Verdict.SAFE)
    async with console_on(feeder) as console:
        await console.press("colon")
        palette = await console.on(PaletteScreen)
        palette.query_one(Input).value = "long-name-59999"
        console.app.simulate_key("enter")
        screen = await console.on(ModelScreen)
        assert screen.subject.endswith("59999.joblib")


async def test_data_files_are_completed_from_the_store(tmp_path: Path) -> None:
    def complete(typed: str) -> str | None:
        return completed(as_typed(tmp_path, typed))

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "churn.csv").touch()
    (tmp_path / "data" / "churn.txt").touch()
    (tmp_path / "data" / "ev\x1bil.csv").touch()
    assert complete("da") == "data/"
    assert complete("data/ch") == "data/churn.csv"
    assert complete("data/ev") is None
    assert complete("none/x") is None


async def test_training_data_that_does_not_fit_is_shown_column_by_column() -> None:
    feeder = demo()
    differences = tuple(Difference(f"column_{number}", "missing", "number", None) for number in range(9))
    failure = Failure(7, 0.0, "a", "read", "columns", "it does not fit", differences=differences, differing=9)
    feeder.plans["churn/rf.joblib"] = InputError("it does not fit", hint="name another file", failure=failure)
    async with console_on(feeder, (80, 24)) as console:
        await console.press("u")
        await console.on(UpdateScreen)
        await console.until(lambda: "and 7 more" in console.picture())
        assert "expected" in console.picture()
        assert "Retrain" in console.picture()
