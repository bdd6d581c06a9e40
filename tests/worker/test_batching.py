"""Small requests that share a call of the model: each gets its own answer, and a bad one fails alone."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from backends.estimators.row_wise import row_wise
from console.errors import ConsoleError
from console.worker.child.batching import BYTES_CAP, ROWS_CAP, UNKNOWN_ROWS, Batching, Cost
from console.worker.launcher import Launcher
from console.worker.model import Worker
from console.worker.wire import Head, Receiver, encode
from tests.estimators import fit_all_estimators
from tests.worker.payloads import OpenFile

RANDOM = numpy.random.default_rng(0)
X = RANDOM.normal(size=(200, 5))
Y = (X[:, 0] > 0).astype(int)


async def answered(worker: Worker, rows: Any, methods: tuple[str, ...]) -> dict[str, Any]:
    places, body, _spent = await worker.call_array(rows.dtype.str, rows.shape, rows.tobytes(), methods=methods)
    return {
        place.name: numpy.frombuffer(body, place.dtype, int(numpy.prod(place.shape)), place.offset).reshape(place.shape)
        for place in places
    }


CALLERS = st.lists(
    st.tuples(
        st.integers(0, 199),
        st.integers(1, 9),
        st.sampled_from(("<f8", "<f4", "<i4")),
        st.sampled_from(((), ("predict",), ("predict_proba",), ("predict", "decision_function"))),
        st.sampled_from((5, 5, 5, 5, 4)),
        st.sampled_from((False, False, False, True)),
    ),
    min_size=1,
    max_size=40,
)


async def test_every_caller_gets_its_own_answer_or_its_own_failure(launcher: Launcher, open_file: OpenFile) -> None:
    model = LogisticRegression().fit(X, Y)
    worker = await Worker.start(launcher, "lr")
    await worker.load(open_file(pickle.dumps(model), "lr.pkl"), "pickle")

    async def one(start: int, count: int, dtype: str, methods: tuple[str, ...], width: int, broken: bool) -> None:
        rows = numpy.resize(numpy.roll(X, -start, axis=0), (count, 5))[:, :width].astype(dtype)
        if broken and dtype != "<i4":
            rows[count // 2, 0] = numpy.nan
        if width == 4 or (broken and dtype != "<i4"):
            with pytest.raises(ConsoleError) as caught:
                await answered(worker, rows, methods)
            assert caught.value.failure is not None
            assert caught.value.failure.type == "ValueError"
            assert caught.value.failure.input == f"ndarray {rows.shape} {rows.dtype}"
            return
        found = await answered(worker, rows, methods)
        assert found.keys() == set(methods or ("predict",))
        for name, got in found.items():
            expected = getattr(model, name)(rows)
            assert got.dtype == expected.dtype
            numpy.testing.assert_allclose(got, expected, rtol=1e-5 if dtype == "<f4" else 1e-12)

    loop = asyncio.get_running_loop()

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CALLERS)
    def together(callers: list[Any]) -> None:
        async def run() -> None:
            await asyncio.gather(*(one(*caller) for caller in callers))

        asyncio.run_coroutine_threadsafe(run(), loop).result(60)

    await asyncio.to_thread(together)
    assert worker.child.busy == 0


async def test_callers_at_once_share_calls_of_the_model(launcher: Launcher, open_file: OpenFile) -> None:
    model = RandomForestClassifier(30, random_state=0).fit(X, Y)
    worker = await Worker.start(launcher, "rf")
    await worker.load(open_file(pickle.dumps(model), "rf.pkl"), "pickle")
    spent: list[float] = []

    async def one(index: int) -> None:
        _places, body, milliseconds = await worker.call_array("<f8", (1, 5), X[index].tobytes())
        assert int.from_bytes(body, "little") == model.predict(X[index : index + 1])[0]
        spent.append(milliseconds)

    await asyncio.gather(*(one(index) for index in range(40)))
    assert len(set(spent)) < 10


async def test_answers_without_a_row_each_are_never_shared_out(launcher: Launcher, open_file: OpenFile) -> None:
    """Two outputs of two rows: a list that is as long as the rows are many."""
    model = MultiOutputClassifier(LogisticRegression()).fit(X, numpy.column_stack([Y, 1 - Y]))
    worker = await Worker.start(launcher, "multi")
    await worker.load(open_file(pickle.dumps(model), "multi.pkl"), "pickle")
    for _ in range(2):
        found = await asyncio.gather(*(answered(worker, X[i : i + 1], ("predict_proba",)) for i in range(8)))
        for index, one in enumerate(found):
            assert one["predict_proba"].shape == (2, 1, 2)
            assert numpy.allclose(one["predict_proba"], model.predict_proba(X[index : index + 1]))


def test_what_is_row_wise_is_composed_of_nothing_else() -> None:
    scaled = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    assert row_wise(scaled) == {"predict"}
    assert not row_wise(DummyClassifier(strategy="uniform").fit(X, Y))
    assert not row_wise(make_pipeline(FunctionTransformer(lambda rows: rows - rows.mean()), Ridge()).fit(X, Y))
    assert not row_wise(type("Mine", (Ridge,), {})().fit(X, Y))
    assert not row_wise(object())


@pytest.mark.slow
def test_rows_answered_together_are_answered_as_alone() -> None:
    """Every estimator of scikit-learn that is called row-wise; sums of floats may differ in their last bits."""
    asked = 0
    for name, model, inputs in fit_all_estimators():
        if not isinstance(inputs, numpy.ndarray) or inputs.ndim != 2 or inputs.dtype.kind not in "fiu":
            continue
        for method in sorted(row_wise(model)):
            together = getattr(model, method)(inputs[:12])
            if isinstance(together, list):
                continue
            alone = numpy.concatenate([_dense(getattr(model, method)(inputs[i : i + 1])) for i in range(12)])
            assert alone.shape == together.shape, (name, method)
            if alone.dtype.kind == "f":
                assert numpy.allclose(alone, _dense(together), rtol=1e-9, atol=1e-12, equal_nan=True), (name, method)
            else:
                assert (alone == _dense(together)).all(), (name, method)
            asked += 1
    assert asked > 200


def _dense(found: Any) -> Any:
    return found.toarray() if hasattr(found, "toarray") else numpy.asarray(found)


def test_a_cost_is_fitted_and_bounds_follow_it() -> None:
    cost = Cost()
    assert cost.worthwhile_rows() == UNKNOWN_ROWS
    assert cost.worthwhile_wait() == 0.0
    for rows in (1, 2, 16, 5, 1, 9):
        cost.learn(rows, 0.02 + 0.001 * rows)
    assert cost.fitted == pytest.approx((0.02, 0.001))
    assert cost.worthwhile_rows() == pytest.approx(20, abs=1)
    assert cost.worthwhile_wait() == pytest.approx(0.002)
    for rows in (1, 4) * 400:
        cost.learn(rows, 1e-4 + 1e-9 * rows)
    assert cost.worthwhile_rows() == ROWS_CAP
    assert cost.worthwhile_wait() == 0.0


KEY = (("predict",), "<f8", (3,))


class Counting(Receiver):
    """Counts how often company was waited for, and lets something happen then."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.waits = 0
        self.meanwhile: list[Callable[[], None]] = []

    def wait(self, seconds: float) -> Head | None:
        if seconds:
            self.waits += 1
            for happens in self.meanwhile:
                happens()
        return super().wait(seconds)


class Stage:
    """A batching with a socket to put requests into; every request of the same width goes together."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.theirs = theirs
        self.receiver = Counting(theirs)
        self.batching = Batching(lambda head: None if "x" in head else (("predict",), "<f8", tuple(head["shape"][1:])))

    def ask(self, *heads: Head) -> None:
        self.ours.sendall(b"".join(encode({"op": "call_array", "id": 1, "shape": (1, 3), **head}) for head in heads))

    def taken(self) -> int:
        return len(self.batching.gather(self.receiver))


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.ours.close()
    made.theirs.close()


def test_what_waits_goes_together_and_order_is_kept(stage: Stage) -> None:
    stage.ask({}, {}, {}, {"shape": (1, 4)}, {}, {"x": 1}, {}, {})
    assert [stage.taken() for _ in range(5)] == [3, 1, 1, 1, 2]


def test_no_more_goes_together_than_is_worthwhile(stage: Stage) -> None:
    many = UNKNOWN_ROWS // 2
    stage.ask({"shape": (many, 3)}, {"shape": (many, 3)}, {"shape": (1, 3)}, {"shape": (10 * many, 3)}, {})
    assert [stage.taken() for _ in range(4)] == [2, 1, 1, 1]
    wide = BYTES_CAP // 8 // 3
    stage.ask({"shape": (3, wide)}, {"shape": (1, wide)})
    assert [stage.taken() for _ in range(2)] == [1, 1]


def test_a_single_caller_never_waits_for_company(stage: Stage) -> None:
    stage.batching.cost(KEY).learn(1, 10.0)
    for _ in range(200):
        stage.ask({})
        assert stage.taken() == 1
    assert stage.receiver.waits == 0


def test_those_who_were_just_answered_are_waited_for_ever_more_rarely(stage: Stage) -> None:
    stage.batching.cost(KEY).learn(1, 10.0)
    for _ in range(300):
        stage.ask({}, {}, {})
        assert stage.taken() == 3
        stage.ask({})
        assert stage.taken() == 1
    assert 3 < stage.receiver.waits < 20


def test_those_who_come_back_in_time_are_answered_together(stage: Stage) -> None:
    stage.batching.cost(KEY).learn(1, 10.0)
    stage.ask({}, {}, {})
    assert stage.taken() == 3
    stage.ask({})
    stage.receiver.meanwhile.append(lambda: stage.ask({}, {}, {}))
    assert stage.taken() == 4
    assert stage.receiver.waits == 1
