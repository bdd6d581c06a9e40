from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from console.errors import OperationError
from console.monitor.probe import Prober
from console.monitor.series import Recorder
from console.records import Memory, Prediction, ProbePlan, ProbeState
from console.records.words import growth_words
from tests.fetched import fetched


class Stage:
    """A clock that only sleeping and answering move, and a model that takes `cost` seconds for a call."""

    def __init__(self, cost: float = 0.0) -> None:
        self.now = 100.0
        self.cost = cost
        self.sent: list[tuple[float, int, int]] = []
        self.alive = True
        self.fails: Callable[[int], bool] = lambda number: False
        self.after: Callable[[int], None] = lambda number: None
        self.score: dict[str, float] | None = None
        self.recorder = Recorder(self.clock)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def call(self, start: int, batch: int) -> Prediction:
        self.sent.append((self.now, start, batch))
        self.now += self.cost
        number = len(self.sent)
        self.after(number)
        if self.fails(number):
            raise OperationError("the model raised")
        milliseconds = 1000 * self.cost
        return Prediction(batch, {}, milliseconds, milliseconds, score=self.score)

    def prober(self, *, rate: float = 10.0, batch: int = 1, rows: int = 100) -> Prober:
        plan = ProbePlan("data.csv", rate=rate, batch=batch)
        return Prober(
            plan,
            rows,
            self.call,
            self.recorder,
            alive=lambda: self.alive,
            clock=self.clock,
            sleep=self.sleep,
        )


def run(prober: Prober, seconds: float | None) -> ProbeState:
    return asyncio.run(prober.run(seconds))


def test_requests_go_out_at_their_intended_times_without_drift() -> None:
    stage = Stage(cost=0.003)
    state = run(stage.prober(rate=10.0), 60.0)
    assert [when for when, _, _ in stage.sent] == pytest.approx([100.0 + number / 10 for number in range(600)])
    assert (state.calls, state.rows, state.errors) == (600, 600, 0)
    assert state.rate == pytest.approx(10.0, rel=0.01)
    assert state.stopped_why == "60 s are over"
    assert not state.running


def test_rate_zero_keeps_one_request_in_flight_as_fast_as_it_goes() -> None:
    stage = Stage(cost=0.004)
    state = run(stage.prober(rate=0.0), 1.0)
    assert state.calls == 250
    assert state.rate == pytest.approx(250, rel=0.01)
    assert state.round_trip == state.worker


def test_the_wait_behind_a_slow_answer_counts_in_the_round_trip_only() -> None:
    stage = Stage(cost=0.01)

    def one_slow(number: int) -> None:
        stage.cost = 0.5 if number == 9 else 0.01

    stage.after = one_slow
    state = run(stage.prober(rate=10.0), 5.0)
    assert state.worker is not None
    assert state.round_trip is not None
    assert state.worker.max == pytest.approx(500)
    assert state.worker.p90 == pytest.approx(10, rel=0.02)
    assert state.round_trip.p90 > 50
    assert state.calls == 50


def test_a_rate_the_model_cannot_hold_starts_anew_instead_of_queueing_for_ever() -> None:
    stage = Stage(cost=0.5)
    state = run(stage.prober(rate=100.0), 60.0)
    assert state.round_trip is not None
    assert state.round_trip.max <= 1000 * (0.5 + 1.5)
    assert state.calls == pytest.approx(120, abs=2)


def test_rows_are_taken_in_turn_and_a_short_rest_is_left_out() -> None:
    stage = Stage()
    run(stage.prober(rate=10.0, batch=4, rows=10), 0.55)
    assert [start for _, start, _ in stage.sent] == [0, 4, 0, 4, 0, 4]
    assert {batch for _, _, batch in stage.sent} == {4}


def test_a_batch_is_never_larger_than_the_data() -> None:
    stage = Stage()
    state = run(stage.prober(batch=64, rows=10), 0.25)
    assert state.plan.batch == 10
    assert {batch for _, _, batch in stage.sent} == {10}


def test_rate_and_batch_change_while_it_runs() -> None:
    stage = Stage()
    prober = stage.prober(rate=1.0)

    def change(number: int) -> None:
        if number == 3:
            prober.set(rate=20.0, batch=8)

    stage.after = change
    run(prober, 4.0)
    times = [when for when, _, _ in stage.sent]
    assert times[:3] == pytest.approx([100.0, 101.0, 102.0])
    assert times[4] - times[3] == pytest.approx(0.05)
    assert stage.sent[3][2] == 8


def test_errors_are_counted_and_it_goes_on() -> None:
    stage = Stage()
    stage.fails = lambda number: number % 4 == 0
    state = run(stage.prober(rate=10.0), 2.0)
    assert (state.calls, state.errors) == (15, 5)
    stage.now += 1.0
    failed = fetched(stage.recorder).bins("errors", 60, 0.1)
    assert sum(value or 0.0 for value in failed) * 0.1 == pytest.approx(5)


def test_no_request_goes_to_a_dead_worker_and_the_probe_takes_up_again() -> None:
    stage = Stage()

    def die(number: int) -> None:
        if number == 5:
            stage.alive = False

    stage.after = die
    prober = stage.prober(rate=10.0)
    looks: list[float] = []

    def alive() -> bool:
        looks.append(stage.now)
        if stage.now > 103.0:
            stage.alive = True
        return stage.alive

    prober._alive = alive
    state = run(prober, 6.0)
    silent = [when for when, _, _ in stage.sent if 100.5 <= when <= 103.0]
    assert silent == []
    assert len([look for look in looks if 100.5 < look < 103.0]) < 10
    assert state.calls > 5
    assert state.round_trip is not None
    assert state.round_trip.max < 1


def test_stop_ends_it_and_says_why() -> None:
    stage = Stage()
    prober = stage.prober(rate=10.0)

    def enough(number: int) -> None:
        if number == 7:
            prober.stop("enough")

    stage.after = enough
    state = run(prober, None)
    assert state.calls == 7
    assert state.stopped_why == "enough"
    assert prober.state().running is False


async def test_stop_wakes_a_probe_that_waits_for_a_distant_request() -> None:
    answered = asyncio.Event()

    async def call(start: int, batch: int) -> Prediction:
        answered.set()
        return Prediction(batch, {}, 1.0, 1.0)

    prober = Prober(ProbePlan("x", rate=0.001), 5, call, Recorder())
    task = asyncio.create_task(prober.run())
    await answered.wait()
    prober.stop()
    state = await asyncio.wait_for(task, 60)
    assert state.stopped_why == "stopped by the operator"


async def test_a_cancelled_probe_is_not_left_running() -> None:
    stage = Stage()
    prober = stage.prober()
    task = asyncio.create_task(prober.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert prober.state().stopped_why == "cancelled"
    assert not prober.state().running


def test_the_score_is_a_running_mean_over_rows() -> None:
    stage = Stage()

    def change(number: int) -> None:
        stage.score = {"rows": 1.0, "correct": 0.0 if number >= 3 else 1.0}

    stage.after = change
    state = run(stage.prober(rate=10.0), 0.35)
    assert state.calls == 4
    assert state.score is not None
    assert state.score["accuracy"] == pytest.approx(0.5)
    assert fetched(stage.recorder).latest("score") == pytest.approx(0.5)


def test_the_state_has_warnings_once_the_last_error_and_the_growth_of_one_process() -> None:
    stage = Stage(0.001)
    prober = stage.prober(rate=0)
    stage.fails = lambda number: number == 3

    def after(number: int) -> None:
        prober.reading(Memory((100 << 20) + (number << 20)), 200 << 20)
        if number == 50:
            prober.renewed()
        if number == 120:
            prober.stop()

    stage.after = after
    state = run(prober, None)
    assert state.last_error == "the model raised"
    assert state.errors == 1
    assert state.growth is not None
    assert state.growth.grows
    assert state.growth.readings == 70 - int(70 * 0.25)
    assert state.growth.per_call == pytest.approx(1 << 20, rel=0.01)
    assert state.growth.limit == 200 << 20
    assert state.growth.seconds_left == 0
    assert growth_words(state.growth).endswith("reaches the limit of 200 MiB now at this rate")


def test_a_probe_whose_requests_fail_is_failing_until_they_are_answered_again() -> None:
    stage = Stage()
    told: list[tuple[bool, float]] = []
    prober = stage.prober(rate=10.0)
    stage.fails = lambda number: number <= 200

    def note(number: int) -> None:
        if number in (1, 2, 150, 202, 300):
            told.append((prober.state().failing, round(prober.state().error_rate)))

    stage.after = note
    state = run(prober, 30.0)
    assert told == [(False, 0), (True, told[1][1]), (True, 10), (True, told[3][1]), (False, 0)]
    assert state.errors == 200
    assert not state.failing


def test_a_probe_without_a_worker_waits() -> None:
    stage = Stage()
    prober = stage.prober()
    stage.alive = False
    assert not prober.state().waits
    seen: list[bool] = []

    async def sleep(seconds: float) -> None:
        seen.append(prober.state().waits)
        await stage.sleep(seconds)

    prober._sleep = sleep
    assert not run(prober, 3.0).waits
    assert all(seen)
