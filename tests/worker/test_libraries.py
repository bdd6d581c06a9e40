"""Models of other libraries: their columns go by the names that they keep, and answers are those of the library."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy
import pandas
import pytest
import xgboost
from catboost import CatBoost, CatBoostClassifier, CatBoostRegressor
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core.errors import Refusal
from backends.core.source import Source
from backends.estimators.estimator import Estimator
from console.worker.child import calls
from console.worker.child.signatures import signature_of
from console.worker.child.tables import Table, read_table
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import OpenFile

_RANDOM = numpy.random.default_rng(0)
_ROWS = 120
F = pandas.DataFrame({"p": _RANDOM.normal(size=_ROWS), "q": _RANDOM.normal(size=_ROWS)})
T = 3 * F.p + F.q
LABELS = numpy.where(T > 0, "yes", "no")
TEXTS = pandas.Series(_RANDOM.choice(["b", "a", "NA"], _ROWS))
NUMBERS = pandas.Series(_RANDOM.choice([30, 10, 20], _ROWS))
G = F.assign(
    town=pandas.Categorical(TEXTS, categories=["NA", "b", "a"]),
    size=pandas.Categorical(NUMBERS),
    flag=pandas.Categorical(_RANDOM.choice([True, False], _ROWS)),
)
BOOSTING = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
CAT: dict[str, Any] = {"iterations": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
Ask = Callable[..., tuple[Any, str]]


def test_boosters_of_lightgbm_take_their_columns_by_name(ask: Ask) -> None:
    model = lightgbm.train(BOOSTING, lightgbm.Dataset(F, T), 3)
    answer, decided = ask(model, F[["q", "p"]])
    assert numpy.array_equal(answer, model.predict(F))
    assert not numpy.array_equal(answer, model.predict(F[["q", "p"]]))
    assert decided.endswith("columns by name")
    with pytest.raises(Refusal, match="missing: 'q'; surplus: 'r'"):
        ask(model, F.rename(columns={"q": "r"}))
    gaps = F.assign(p=F.p.mask(F.index % 7 == 0))
    assert numpy.array_equal(ask(model, gaps[["q", "p"]])[0], model.predict(gaps))
    assert numpy.array_equal(ask(model, F, header=False)[0], model.predict(F))


def test_names_as_lightgbm_writes_them_down_and_those_it_made_up(ask: Ask) -> None:
    blank = F.rename(columns={"p": "p x"})
    model = lightgbm.train(BOOSTING, lightgbm.Dataset(blank, T), 3)
    answer, decided = ask(model, blank[["q", "p x"]])
    assert numpy.array_equal(answer, model.predict(blank))
    assert "'p x' is 'p_x' in the model" in decided
    model = lightgbm.train(BOOSTING, lightgbm.Dataset(F.to_numpy(), T), 3)
    answer, decided = ask(model, F)
    assert numpy.array_equal(answer, model.predict(F.to_numpy()))
    assert "columns by position, since the model has no names" in decided
    made_up = F.set_axis(["Column_0", "Column_1"], axis="columns")
    assert numpy.array_equal(ask(model, made_up[["Column_1", "Column_0"]])[0], model.predict(F.to_numpy()))


def test_what_a_booster_predicts_is_told(ask: Ask) -> None:
    model = lightgbm.train({**BOOSTING, "objective": "binary"}, lightgbm.Dataset(F, T > 0), 3)
    answer, decided = ask(model, F)
    assert numpy.array_equal(answer, model.predict(F))
    assert "predict answers the probability of the second class" in decided


def test_categories_of_lightgbm_are_rebuilt_in_their_order(ask: Ask) -> None:
    model = lightgbm.train(BOOSTING, lightgbm.Dataset(G, T), 5)
    answer, decided = ask(model, G[["size", "town", "q", "flag", "p"]])
    assert numpy.array_equal(answer, model.predict(G))
    assert "categories as the model stores them: town, size, flag" in decided
    some = G.assign(town=["other"] * 3 + TEXTS.tolist()[3:])
    answer, decided = ask(model, some)
    assert numpy.array_equal(answer, model.predict(some.assign(town=pandas.Categorical(some.town))))
    assert "'town' has 3 values that the model does not know" in decided
    with pytest.raises(Refusal, match="'town' holds none of the categories"):
        ask(model, G.assign(town="other"))
    estimator = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(G, LABELS)
    assert list(ask(estimator, G[["town", "size", "flag", "q", "p"]])[0]) == list(estimator.predict(G))


def test_categories_of_lightgbm_that_are_not_stored_are_refused(ask: Ask) -> None:
    ordered = F.assign(town=pandas.Categorical(TEXTS, ordered=True))
    with pytest.raises(Refusal, match=r"1 category columns and does not tell which .* parquet"):
        ask(lightgbm.train(BOOSTING, lightgbm.Dataset(ordered, T), 3), ordered)
    coded = F.assign(town=TEXTS.map({"NA": 0, "b": 1, "a": 2}))
    model = lightgbm.train(BOOSTING, lightgbm.Dataset(coded, T, categorical_feature=["town"]), 3)
    assert numpy.array_equal(ask(model, coded[["town", "q", "p"]])[0], model.predict(coded))
    with pytest.raises(Refusal, match="wrong type: 'town'") as caught:
        ask(model, coded.assign(town=TEXTS))
    assert caught.value.details is not None
    assert "stores no texts" in caught.value.details["differences"][0]["expected"]


def test_boosters_of_xgboost_are_asked_with_a_matrix(ask: Ask) -> None:
    model = xgboost.train({"nthread": 1}, xgboost.DMatrix(F, T), 3)
    expected = model.predict(xgboost.DMatrix(F))
    assert numpy.array_equal(ask(model, F[["q", "p"]])[0], expected)
    assert numpy.array_equal(ask(model, F, header=False)[0], expected)
    with pytest.raises(Refusal, match="missing: 'q'; surplus: 'r'"):
        ask(model, F.rename(columns={"q": "r"}))
    model = xgboost.train({"nthread": 1}, xgboost.DMatrix(F.to_numpy(), T), 3)
    answer, decided = ask(model, F)
    assert numpy.array_equal(answer, model.predict(xgboost.DMatrix(F.to_numpy())))
    assert "columns by position, since the model has no names" in decided
    with pytest.raises(Refusal, match="2 columns expected, 3 columns found"):
        ask(model, F.assign(z=1.0))


def test_categories_of_xgboost_are_rebuilt(ask: Ask) -> None:
    frame = G.drop(columns="flag")
    model = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, T, enable_categorical=True), 5)
    expected = model.predict(xgboost.DMatrix(frame, enable_categorical=True))
    answer, decided = ask(model, frame[["size", "town", "q", "p"]])
    assert numpy.array_equal(answer, expected)
    assert "categories as the model stores them: town, size" in decided
    with pytest.raises(Refusal, match="wrong type: 'p'"):
        ask(model, frame.assign(p="a"))


def test_rounds_beyond_the_best_are_told(ask: Ask) -> None:
    wrong = xgboost.DMatrix(F, -T)
    model = xgboost.train(
        {"nthread": 1}, xgboost.DMatrix(F, T), 9, evals=[(wrong, "w")], early_stopping_rounds=4, verbose_eval=False
    )
    answer, decided = ask(model, F)
    assert numpy.array_equal(answer, model.predict(xgboost.DMatrix(F)))
    assert f"predict uses all {model.num_boosted_rounds()} rounds, of which round 1 was the best" in decided


def test_categories_and_texts_of_catboost_are_read_as_they_are_written(ask: Ask) -> None:
    frame = F.assign(town=TEXTS.replace("b", ""), size=NUMBERS)
    for places in (["town", "size"], [2, 3]):
        model = CatBoostRegressor(**CAT).fit(frame, T, cat_features=places)
        answer, decided = ask(model, frame[["size", "town", "q", "p"]])
        assert numpy.array_equal(answer, model.predict(frame))
        assert decided.endswith("columns by name")
    floats = frame.assign(size=NUMBERS.astype(float))
    assert "'size' is taken as written, where '10.0' is not '10'" in ask(model, floats[::-1].sort_values("size"))[1]
    with pytest.raises(Refusal, match="missing: 'size'; surplus: 'width'"):
        ask(model, frame.rename(columns={"size": "width"}))
    films = F.assign(film=TEXTS.map({"NA": "NA", "b": "a good film", "a": "a bad film"}))
    model = CatBoostRegressor(**CAT).fit(films, T, text_features=["film"])
    assert numpy.array_equal(ask(model, films[["film", "q", "p"]])[0], model.predict(films))


def test_catboost_answers_one_label_a_row_and_forgets_its_count(ask: Ask) -> None:
    labels = pandas.cut(T, 3, labels=["lo", "mid", "hi"]).astype(str)
    model = CatBoostClassifier(**CAT).fit(F.to_numpy(), labels)
    answer, _ = ask(model, F)
    assert answer.shape == (_ROWS,)
    assert list(answer) == model.predict(F.to_numpy())[:, 0].tolist()
    unpickled = pickle.loads(pickle.dumps(model))
    assert (unpickled.n_features_in_, signature_of(Estimator(unpickled))["n_features"]) == (0, 2)
    with pytest.raises(Refusal, match="2 columns expected, 3 columns found"):
        ask(model, F.assign(z=1.0))
    raw = CatBoost({**CAT, "loss_function": "Logloss"}).fit(F, T > 0)
    answer, decided = ask(raw, F[["q", "p"]])
    assert numpy.array_equal(answer, raw.predict(F))
    assert "raw values" in decided
    in_pipeline = make_pipeline(StandardScaler(), CatBoostClassifier(**CAT)).fit(F, labels)
    assert list(ask(in_pipeline, F[["q", "p"]])[0]) == in_pipeline.predict(F)[:, 0].tolist()


def test_names_are_found_inside_of_wrappers(ask: Ask) -> None:
    inner = CatBoostClassifier(**CAT)
    wrapped = [
        CalibratedClassifierCV(inner, cv=2),
        StackingClassifier([("a", inner)], cv=2),
        VotingClassifier([("a", inner)]),
        GridSearchCV(inner, {"depth": [2]}, cv=2),
        Pipeline([("nothing", "passthrough"), ("cat", inner)]),
    ]
    for model in wrapped:
        model.fit(F, LABELS)
        assert list(ask(model, F[["q", "p"]])[0]) == list(model.predict(F))
        with pytest.raises(Refusal, match="missing: 'q'; surplus: 'r'"):
            ask(model, F.rename(columns={"q": "r"}))
    target = TransformedTargetRegressor(CatBoostRegressor(**CAT)).fit(F, T)
    assert numpy.array_equal(ask(target, F[["q", "p"]])[0], target.predict(F))
    frame = G.drop(columns="flag")
    boosted = CalibratedClassifierCV(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1), cv=2)
    boosted.fit(frame, LABELS)
    answer, _ = ask(boosted, frame[["town", "q", "size", "p"]], method="predict_proba")
    assert numpy.array_equal(answer, boosted.predict_proba(frame))


def test_categories_of_boosting_by_histograms_are_texts(ask: Ask) -> None:
    frame = G.drop(columns="flag")
    model = HistGradientBoostingClassifier(max_iter=3).fit(frame, LABELS)
    answer, _ = ask(model, frame[["town", "q", "size", "p"]], method="predict_proba")
    assert numpy.array_equal(answer, model.predict_proba(frame))


class Picking(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A first step that takes its columns out of a data frame, and counts what it was given."""

    def fit(self, X: Any, y: Any = None) -> Picking:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return X[["p", "q"]]


def test_a_table_with_a_header_stays_a_frame_for_a_step_that_picks(ask: Ask) -> None:
    model = make_pipeline(Picking(), lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1)).fit(F, T)
    assert numpy.array_equal(ask(model, F[["q", "p"]])[0], model.predict(F))


def test_names_that_look_made_up_are_names_for_scikit_learn(ask: Ask) -> None:
    frame = F.set_axis(["x0", "x1"], axis="columns")
    model = LinearRegression().fit(frame, T)
    assert numpy.array_equal(ask(model, frame[["x1", "x0"]])[0], model.predict(frame))


@pytest.mark.slow
def test_designs_of_statsmodels_get_their_constant(ask: Ask) -> None:
    import statsmodels.api as sm

    with_constant = sm.add_constant(F)
    for design in (with_constant, sm.add_constant(F, prepend=False)):
        result = sm.OLS(T, design).fit()
        answer, decided = ask(result, F[["q", "p"]])
        assert numpy.array_equal(answer, result.predict(design))
        assert "constant column 'const' added" in decided
        answer, decided = ask(result, with_constant[["q", "const", "p"]])
        assert numpy.array_equal(answer, result.predict(design))
        assert "added" not in decided
        assert numpy.array_equal(ask(result, F, header=False)[0], result.predict(design))
        with pytest.raises(Refusal, match="missing: 'q'; surplus: 'r'"):
            ask(result, F.rename(columns={"q": "r"}))
        typed = calls.typed_rows([{"q": 2.0, "p": 1.0}, {"q": 0.0, "p": 0.0}], None, Estimator(result).inputs)
        assert numpy.allclose(result.predict(typed), [5.0, 0.0])
    plain = sm.OLS(T, F).fit()
    assert numpy.array_equal(ask(plain, F[["q", "p"]])[0], plain.predict(F))
    family = sm.GLM(_RANDOM.integers(0, 2, _ROWS), with_constant, family=sm.families.Binomial()).fit()
    answer, decided = ask(family, F[["q", "p"]])
    assert numpy.array_equal(answer, family.predict(with_constant))
    assert "probability of the second class" in decided


@pytest.mark.slow
def test_results_of_statsmodels_on_arrays_and_without_their_data(ask: Ask) -> None:
    import statsmodels.api as sm

    design = sm.add_constant(F.to_numpy())
    result = sm.OLS(T.to_numpy(), design).fit()
    answer, decided = ask(result, F)
    assert numpy.allclose(answer, result.predict(design), rtol=1e-12)
    assert "constant column added as column 0" in decided
    named = F.set_axis(["x1", "x2"], axis="columns")[["x2", "x1"]]
    assert numpy.allclose(ask(result, named)[0], result.predict(design), rtol=1e-12)
    removed = sm.OLS(T, sm.add_constant(F)).fit()
    expected = removed.predict(sm.add_constant(F))
    removed.remove_data()
    answer, decided = ask(removed, F)
    assert numpy.allclose(answer, expected, rtol=1e-12)
    assert "columns by position, since the model has no names" in decided
    with pytest.raises(Refusal, match="3 columns expected, 4 columns found"):
        ask(removed, F.assign(y=1.0, z=1.0))


@pytest.mark.slow
def test_a_formula_takes_its_columns_by_itself(ask: Ask) -> None:
    import statsmodels.formula.api as smf

    frame = F.assign(t=T, town=TEXTS)
    result = smf.ols("t ~ p * q + C(town) + numpy.log(numpy.abs(p))", frame).fit()
    answer, decided = ask(result, frame[["town", "q", "p"]].assign(more=1))
    assert numpy.array_equal(answer, result.predict(frame))
    assert "not used by the model: more" in decided
    with pytest.raises(Refusal, match="missing: 'q'"):
        ask(result, frame.rename(columns={"q": "r"}))


@pytest.mark.slow
def test_time_series_take_no_rows(ask: Ask) -> None:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with pytest.raises(Refusal, match="has predict, which takes a range of time and no rows"):
        ask(ExponentialSmoothing(T).fit(), F)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["booster", "matrix", "cat", "formula"])
async def test_a_worker_answers_what_the_library_answers(launcher: Launcher, open_file: OpenFile, kind: str) -> None:
    model, expected = answering(kind)
    worker = await Worker.start(launcher, "model.pkl", sandbox=replace(launcher.sandbox, compiles=True))
    told = await worker.load(open_file(pickle.dumps(model), "model.pkl"), "pickle")
    assert told.methods[0] == "predict"
    data = open_file(G[["town", "q", "p"]].to_csv(index=False).encode(), "d.csv")
    handle, table = await worker.open_data(data, "d.csv")
    assert "columns by name" in table.decided
    outcome = await worker.call(handle)
    answers = outcome.outputs["predict"]
    assert isinstance(answers, list)
    assert numpy.allclose(numpy.asarray(answers, dtype=float), expected, rtol=1e-12)
    rows, _ = await worker.sample_rows(handle, 0, 3)
    typed = await worker.call_rows(rows)
    assert typed.outputs["predict"] == answers[:3]


def answering(kind: str) -> tuple[Any, Any]:
    """A model of numbers and a category, and its library's own answers."""
    import statsmodels.formula.api as smf

    frame = G[["p", "q", "town"]]
    if kind == "booster":
        booster = lightgbm.train(BOOSTING, lightgbm.Dataset(frame, T), 5)
        return booster, booster.predict(frame)
    if kind == "matrix":
        matrix = xgboost.DMatrix(frame, T, enable_categorical=True)
        model = xgboost.train({}, matrix, 5)
        return model, model.predict(matrix)
    if kind == "cat":
        texts = frame.assign(town=TEXTS)
        model = CatBoostRegressor(**CAT).fit(texts, T, cat_features=["town"])
        return model, model.predict(texts)
    result = smf.ols("t ~ p * q + C(town)", F.assign(t=T, town=TEXTS)).fit()
    return result, result.predict(F.assign(town=TEXTS))


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """The answer of an unpickled model to a csv file, and what was decided about the file."""
    fds = []

    def asked(model: Any, frame: pandas.DataFrame, method: str = "predict", header: bool = True) -> tuple[Any, str]:
        path = tmp_path / "d.csv"
        path.write_text(frame.to_csv(index=False, header=header))
        fds.append(os.open(path, os.O_RDONLY))
        model = pickle.loads(pickle.dumps(model))
        table: Table = read_table(Source(fds[-1], "d.csv"), None, Estimator(model))
        return numpy.asarray(Estimator(model).method(method)(table.X)), table.decided

    yield asked
    for fd in fds:
        os.close(fd)


def test_vectorizers_of_dictionaries_get_one_for_each_row(ask: Ask) -> None:
    rows = F.assign(town=TEXTS)
    model = make_pipeline(DictVectorizer(), LinearRegression()).fit(rows.to_dict("records"), T)
    answer, decided = ask(model, rows[["town", "q", "p"]].assign(other=1))
    assert numpy.allclose(answer, model.predict(rows.to_dict("records")), rtol=1e-12)
    assert "not used by the model: other" in decided
    with pytest.raises(Refusal, match="missing: 'q'"):
        ask(model, rows[["town", "p"]])


@pytest.mark.slow
def test_parameters_of_statsmodels_are_no_columns(ask: Ask) -> None:
    import statsmodels.api as sm

    counts = numpy.random.default_rng(2).poisson(2, _ROWS)
    model = sm.NegativeBinomial(counts, sm.add_constant(F)).fit(disp=0)
    answer, _decided = ask(model, F[["q", "p"]])
    assert numpy.allclose(answer, model.predict(sm.add_constant(F)), rtol=1e-12)
