from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.events import Bus
from console.monitor.series import Recorder
from console.monitor.traffic import Traffic
from console.records import Failure, RequestOutcome
from console.serving.failures import Failures
from tests.fetched import fetched

NOW = time.time()
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures() -> Failures:
    return Failures(Bus())


@pytest.fixture
def recorder(clock: Clock) -> Recorder:
    return Recorder(clock)


@pytest.fixture
def traffic(recorder: Recorder, failures: Failures) -> Traffic:
    return Traffic(lambda path: recorder, failures.add_request)


def outcome(**about: object) -> RequestOutcome:
    """A request that went well, but for what is said of it."""
    usual = {"model": "churn", "path": "churn.joblib", "version": "3", "when": NOW, "rows": 1, "batch": 1}
    times = {"queue_ms": 0.5, "model_ms": 2.0, "total_ms": 3.0, "bytes_in": 100, "bytes_out": 40}
    return RequestOutcome(**{**usual, **times, **about})  # type: ignore[arg-type]


def test_requests_are_counted_by_model_and_version(traffic: Traffic) -> None:
    for version in ("3", "3", "4"):
        traffic.record(outcome(version=version, rows=2, batch=2))
    traffic.record(outcome(model="other", path="other.pkl"))
    traffic.record(outcome(error="deadline", total_ms=500.0))
    three, four, other = traffic.statistics()
    assert (three.name, three.version, three.inferences, three.success.count) == ("churn", "3", 4, 2)
    assert (three.fail.count, three.fail.ns, three.errors) == (1, 500_000_000, {"deadline": 1})
    assert (three.compute.ns, three.queue.ns, three.success.ns) == (4_000_000, 1_000_000, 6_000_000)
    assert (four.version, four.success.count, other.name) == ("4", 1, "other")
    assert [one.name for one in traffic.statistics("other")] == ["other"]
    assert traffic.statistics("nobody") == ()


def test_requests_that_shared_a_call_of_the_model_are_one_execution(traffic: Traffic) -> None:
    for _ in range(4):
        traffic.record(outcome(rows=2, batch=8, model_ms=5.0))
    (counted,) = traffic.statistics()
    assert (counted.inferences, counted.executions) == (8, 1)
    assert counted.batches[8].count == 1
    assert counted.batches[8].ns == 5_000_000


def test_the_worst_are_the_slowest_of_an_hour_and_those_that_failed(traffic: Traffic) -> None:
    traffic.record(outcome(total_ms=9999.0, when=NOW - 7200, id="yesterday"))
    for number in range(100):
        traffic.record(outcome(total_ms=float(number), when=NOW - 100 + number / 10, id=str(number)))
    for number in range(60):
        traffic.record(outcome(error="raised", message="no", when=NOW + number, id=f"failed-{number}"))
    worst = traffic.worst("churn")
    assert [one.when for one in worst] == sorted((one.when for one in worst), reverse=True)
    assert {one.id for one in worst if not one.error} == {str(number) for number in range(80, 100)}
    assert [one.id for one in worst if one.error] == [f"failed-{number}" for number in range(59, 9, -1)]
    assert traffic.worst("nobody") == ()


def test_traffic_and_probes_are_told_apart_in_the_series(traffic: Traffic, recorder: Recorder, clock: Clock) -> None:
    recorder.call(1, 40.0, 50.0)
    traffic.record(outcome(total_ms=3.0, model_ms=2.0, rows=4, batch=16))
    traffic.record(outcome(error="bad-input"))
    traffic.record(outcome(error="died"))
    clock.now += 1.0
    series = fetched(recorder)
    assert series.bins("calls", 1, 1.0) == [1.0]
    assert series.bins("requests", 1, 1.0) == [1.0]
    assert series.bins("request_errors", 1, 1.0) == [2.0]
    assert series.bins("request_faults", 1, 1.0) == [1.0]
    assert series.bins("request_rows", 1, 1.0) == [4.0]
    assert series.bins("batch", 1, 1.0) == [16.0]
    assert series.bins("request.p99", 1, 1.0) == [pytest.approx(3.0, rel=0.01)]
    assert series.bins("request_worker.p50", 1, 1.0) == [pytest.approx(2.0, rel=0.01)]
    assert series.bins("worker.p50", 1, 1.0) == [pytest.approx(40.0, rel=0.01)]


def test_a_probe_without_requests_leaves_gaps_in_theirs(recorder: Recorder, clock: Clock) -> None:
    recorder.call(1, 1.0, 1.0)
    clock.now += 1.0
    assert fetched(recorder).bins("requests", 1, 1.0) == [None]
    assert fetched(recorder).latest("request.p99") is None


def test_the_state_has_what_is_asked_now(traffic: Traffic, clock: Clock) -> None:
    assert traffic.state("churn.joblib") is None
    for _ in range(60):
        traffic.record(outcome(when=time.time()))
        clock.now += 0.1
    state = traffic.state("churn.joblib")
    assert state is not None
    assert state.whole is not None
    assert (state.name, state.requests, state.failing) == ("churn", 60, False)
    assert state.rate == pytest.approx(10.0)
    assert state.whole.p99 == pytest.approx(3.0, rel=0.01)
    clock.now += 120
    later = traffic.state("churn.joblib")
    assert later is not None
    assert (later.rate, later.whole, later.requests) == (0.0, None, 60)


def test_a_model_fails_by_its_own_fault_alone(traffic: Traffic, clock: Clock) -> None:
    traffic.record(outcome(error="columns", message="x is missing", when=time.time()))
    state = traffic.state("churn.joblib")
    assert state is not None
    assert not state.failing
    traffic.record(outcome(error="raised", message="it raised", when=time.time()))
    state = traffic.state("churn.joblib")
    assert state is not None
    assert (state.failing, state.last_error) == (True, "it raised")
    traffic.record(outcome(when=time.time()))
    clock.now += 10.0
    state = traffic.state("churn.joblib")
    assert state is not None
    assert not state.failing
    traffic.record(outcome(error="raised", when=time.time() - 100.0))
    traffic.record(outcome(error="columns", when=time.time()))
    clock.now += 10.0
    state = traffic.state("churn.joblib")
    assert state is not None
    assert not state.failing


def test_names_that_nobody_serves_make_no_model(traffic: Traffic) -> None:
    for number in range(1000):
        traffic.record(outcome(model=f"x{number}", path="", error="not-served"))
    assert traffic.statistics() == ()
    assert traffic.strangers == {"not-served": 1000}


def test_versions_are_bounded(traffic: Traffic) -> None:
    for number in range(100):
        traffic.record(outcome(version=str(number), when=NOW + number))
    versions = [one.version for one in traffic.statistics()]
    assert len(versions) == 32
    assert versions[-1] == "99"
    traffic.record(outcome(version="99"))
    assert traffic.statistics()[-1].success.count == 2


def test_a_failure_names_its_request(traffic: Traffic, failures: Failures) -> None:
    traffic.record(outcome(error="deadline", message="too late", id="r1", trace=TRACE))
    traffic.record(outcome(error="deadline", message="too late", id="r2", trace=TRACE))
    (failure,) = failures.all()
    assert (failure.artifact, failure.code, failure.count) == ("churn.joblib", "deadline", 2)
    assert (failure.request, failure.trace) == ("r2", TRACE)
    traffic.record(outcome(error="bad-input", message="no such column", id="r3"))
    assert failures.all() == (failure,)


def test_a_failure_that_a_worker_told_of_is_not_told_twice(traffic: Traffic, failures: Failures) -> None:
    failures.add(Failure(0, NOW, "churn.joblib", "predict", "raised", "version 3: it raised", request="r1"))
    traffic.record(outcome(error="raised", message="it raised", id="r2", trace=TRACE))
    (failure,) = failures.all()
    assert (failure.phase, failure.count, failure.request, failure.trace) == ("predict", 1, "r2", TRACE)
    assert failures.since(1) == (failure,)


def test_the_event_of_a_failed_request_names_it(failures: Failures) -> None:
    told: list[tuple[str, str]] = []
    failures._bus.subscribe(lambda event: told.append((event.data.request, event.data.trace)))
    Traffic(lambda path: Recorder(), failures.add_request).record(
        outcome(error="overloaded", message="full", id="r9", trace=TRACE)
    )
    assert told == [("r9", TRACE)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("123"), st.integers(1, 9), st.sampled_from(["", "died"])),
        max_size=60,
    )
)
def test_nothing_is_lost_in_any_order(requests: list[tuple[str, str, int, str]]) -> None:
    make: Callable[[str], Recorder] = lambda path: Recorder(Clock())  # noqa: E731
    traffic = Traffic(make, lambda failed: None)
    for model, version, rows, error in requests:
        traffic.record(outcome(model=model, path=model, version=version, rows=rows, batch=rows, error=error))
    counted = {(one.name, one.version): one for one in traffic.statistics()}
    assert set(counted) == {(model, version) for model, version, _rows, _error in requests}
    assert sum(one.inferences for one in counted.values()) == sum(rows for *_one, rows, error in requests if not error)
    assert sum(one.fail.count for one in counted.values()) == sum(bool(error) for *_one, error in requests)
