"""Files as people write them, asked of models that scikit-learn fitted: its own answer, or a refusal with the cause."""

from __future__ import annotations

import datetime
import io
import tempfile
from typing import Any

import numpy
import pandas
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from backends.core.errors import Refusal
from backends.core.source import Source
from backends.estimators.estimator import Estimator
from console.worker.child.data.options import ReadOptions
from console.worker.child.tables import Table, Target, read_table

ROWS = 24
NUMBERS = pandas.DataFrame(numpy.random.default_rng(0).normal(size=(ROWS, 3)).round(3), columns=list("abc"))
TRUTH = NUMBERS["a"] * 3 + NUMBERS["b"] ** 2 - NUMBERS["c"]
NAMED = LinearRegression().fit(NUMBERS, TRUTH)
ARRAY = LinearRegression().fit(NUMBERS.to_numpy(), TRUTH)
GAPS = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(NUMBERS, TRUTH)
GAPS_ARRAY = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(NUMBERS.to_numpy(), TRUTH)
HEAD = NUMBERS.head(4)
TEXTS = ["NA", "01", "None", "1.0", "1", "", "true", "#a"]
MIXED = pandas.DataFrame({"k": pandas.Series([TEXTS[at % 8] for at in range(ROWS)], dtype=object), "x": NUMBERS["a"]})
MIXED_TRUTH = numpy.arange(ROWS) % 8 + NUMBERS["a"]


def read(data: str | bytes, model: Any, target: Target = None, **said: Any) -> Table:
    with tempfile.TemporaryFile() as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        return read_table(
            Source(file.fileno(), "data.csv"), target, None if model is None else Estimator(model), ReadOptions(**said)
        )


def csv(frame: pandas.DataFrame, **how: Any) -> str:
    return str(frame.to_csv(**{"index": False, **how}))


def parquet(frame: pandas.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def same(model: Any, data: str | bytes, X: Any, target: Target = None, **said: Any) -> Table:
    """The file's answers are the library's own for these rows."""
    table = read(data, model, target, **said)
    answers, right = model.predict(table.X), model.predict(X)
    if right.dtype.kind == "f":
        numpy.testing.assert_allclose(answers, right, rtol=1e-12)
    else:
        numpy.testing.assert_array_equal(answers, right)
    return table


def short(value: Any) -> str:
    """The name of a case: files are too long for one."""
    return repr(value[:24]) if isinstance(value, str) else type(value).__name__


def encoded(columns: Any, frame: Any = MIXED) -> Any:
    encoder = ColumnTransformer([("k", OneHotEncoder(), columns)], remainder="passthrough", sparse_threshold=0)
    return make_pipeline(encoder, LinearRegression()).fit(frame, MIXED_TRUTH)


def counted(frame: pandas.DataFrame) -> pandas.DataFrame:
    return pandas.DataFrame(frame.to_numpy())


@pytest.mark.parametrize("model", [NAMED, GAPS])
@pytest.mark.parametrize(
    ("data", "decided"),
    [
        (csv(HEAD).replace("\n", ",\n").replace("c,\n", "c\n"), "an empty last column left out"),
        (csv(HEAD[["c", "a", "b"]]), "columns by name"),
        (csv(HEAD, index=True), "index left out: Unnamed: 0, columns by name"),
        (csv(HEAD.set_axis(list("uvwx")), index=True), "index left out: Unnamed: 0"),
        (csv(HEAD.set_axis(pandas.Index([1, 2, 1, 2])), index=True), "index left out: Unnamed: 0"),
        (csv(counted(HEAD)), "columns by position, since its header only counts them"),
        (csv(counted(HEAD), index=True), "index left out: Unnamed: 0, columns by position"),
        (csv(HEAD, header=False), "columns by position, since the file has no names"),
        (csv(HEAD, sep=";", decimal=","), "decimal comma"),
        (csv(HEAD, quotechar="'", quoting=1), "single quotes"),
        ("# one\n" + csv(HEAD) + "# last, of all\n", "comment lines left out"),
        (csv(HEAD.rename(columns={"a": "a ", "c": "\tc"})), "blanks around names left out"),
        (csv(HEAD) + "  \n\x1a", "columns by name"),
        (parquet(HEAD.rename_axis("id")), "index left out: id"),
        (parquet(HEAD.set_index(pandas.MultiIndex.from_product([[1, 2], [1, 2]]))), "index left out: Unnamed: 0, Un"),
        (parquet(HEAD.set_index("a")), "columns by name"),
        (HEAD.to_json(orient="records", lines=True).encode("utf-16"), "JSON lines, utf-16"),
    ],
    ids=short,
)
def test_tables_of_numbers(model: Any, data: str | bytes, decided: str) -> None:
    assert decided in same(model, data, HEAD).decided


@pytest.mark.parametrize(
    ("data", "X"),
    [
        (csv(HEAD), HEAD),
        (csv(HEAD, index=True), HEAD),
        (csv(counted(HEAD)), HEAD),
        (csv(counted(HEAD.assign(a=[1, 2, 3, 4])), index=True), HEAD.assign(a=[1, 2, 3, 4])),
        (csv(HEAD, header=False), HEAD),
        (csv(HEAD, header=False).replace("\n", ",\n"), HEAD),
        (csv(HEAD, header=False, sep=";", decimal=","), HEAD),
        (parquet(HEAD.set_axis(list("uvwx"))), HEAD),
    ],
    ids=short,
)
def test_tables_for_models_of_arrays(data: str | bytes, X: Any) -> None:
    same(ARRAY, data, X.to_numpy())


@pytest.mark.parametrize("gap", ["", "NA", "NULL", "None", "nan", "#N/A"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_first_row_with_a_gap_is_a_row(gap: str, at: int) -> None:
    frame = HEAD.copy()
    frame.iloc[0, at] = numpy.nan
    same(GAPS_ARRAY, csv(frame, header=False, na_rep=gap), frame.to_numpy())
    same(GAPS, csv(frame, header=False, na_rep=gap), frame)


def test_names_that_read_like_values() -> None:
    for names in (
        ["2019", "2020", "2021"],
        ["x0", "x1", "x2"],
        ["0", "1", "2"],
        [" a", 'b"', "c\nd"],
        ["#a", "NA", "-"],
    ):
        frame, swapped = HEAD.set_axis(names, axis=1), names[::-1]
        model = LinearRegression().fit(NUMBERS.set_axis(names, axis=1), TRUTH)
        same(model, csv(frame[swapped]), frame)
        same(model, csv(frame).encode("utf-8-sig"), frame)


def test_what_may_be_a_header_or_a_row_is_asked_for() -> None:
    years = "2019,2020,2021\n1,2,3\n4,5,6\n"
    for data in (
        years,
        years.replace("1,2,3", "1.5,2.5,3.5"),
        "1,2,3\n9,4,1\n",
        "0,1,2\n5,5,5\n",
        "x?,1.5,2.5\n1,2.5,3.5\n",
    ):
        with pytest.raises(Refusal, match=r"say \[data\] read\.header = true in the recipe, or --read header=true"):
            read(data, ARRAY)
    assert same(ARRAY, years, [[1, 2, 3], [4, 5, 6]], header=True).rows == 2
    assert same(ARRAY, years, [[2019, 2020, 2021], [1, 2, 3], [4, 5, 6]], header=False).rows == 3
    assert read("1,2,3\n2,3,4\n", ARRAY).rows == read("0,1,1\n0,1,1\n", ARRAY).rows == 2


@pytest.mark.parametrize(
    "columns",
    [["k"], [0], [-2], slice(0, 1), slice("k", "k"), [True, False], lambda frame: ["k"]],
)
def test_texts_stay_as_they_are_written_however_their_columns_were_chosen(columns: Any) -> None:
    model = encoded(columns)
    same(model, csv(MIXED), MIXED)
    same(model, csv(MIXED, header=False), MIXED)
    same(model, MIXED.to_json(orient="records", lines=True), MIXED)
    for text in TEXTS[:3]:
        some = MIXED[MIXED["k"] == text]
        same(model, csv(some[["x", "k"]]), some)


def test_texts_of_models_without_names_are_known_by_their_place() -> None:
    model = encoded([0], MIXED.to_numpy())
    for data in (csv(MIXED), csv(MIXED, header=False), csv(MIXED, index=True)):
        same(model, data, MIXED.to_numpy())
    table = same(model, csv(MIXED.assign(y=1), header=False), MIXED.to_numpy(), "-1")
    assert table.truth(0, 2).tolist() == [1, 1]


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(encoded(["k"]), {"linearregression__fit_intercept": [True]}, cv=2),
        TransformedTargetRegressor(encoded(["k"])),
        VotingRegressor([("one", encoded(["k"]))]),
        make_pipeline(
            ColumnTransformer([("k", FeatureUnion([("one", OneHotEncoder()), ("two", OrdinalEncoder())]), ["k"])]),
            LinearRegression(),
        ),
        make_pipeline(FunctionTransformer(), encoded(["k"])),
    ],
)
def test_texts_are_known_through_what_stands_around_the_encoder(model: Any) -> None:
    same(model.fit(MIXED, MIXED_TRUTH), csv(MIXED), MIXED)


def test_texts_of_a_categorical_dtype_and_behind_an_imputer() -> None:
    frame = pandas.DataFrame({"k": pandas.Categorical(["NA", "u", "1"] * 8), "x": NUMBERS["a"]})
    model = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(frame, MIXED_TRUTH)
    same(model, csv(frame), frame)
    same(model, csv(frame.head(1)), frame.head(1))
    gaps = pandas.DataFrame({"k": pandas.Series(["u", numpy.nan, "v"] * 8, dtype=object)})
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(), LinearRegression())
    same(filled.fit(gaps, MIXED_TRUTH), csv(gaps, na_rep="NA"), gaps)


@pytest.mark.parametrize(
    "labels", [["None", "x"], ["NA", "null"], ["01", "1"], ["1.0", "1"], ["True", "no"], ["", "y"]]
)
def test_classes_that_are_texts(labels: list[str]) -> None:
    truths = labels * (ROWS // 2)
    for model, X in ((DecisionTreeClassifier(), NUMBERS), (LogisticRegression(), NUMBERS.to_numpy())):
        model.fit(X, truths)
        table = same(model, csv(NUMBERS.assign(y=truths)), X, "y")
        assert model.score(table.X, table.y) == model.score(X, truths)
        assert same(model, csv(NUMBERS.assign(y=truths), header=False), X, "3").y.tolist() == truths


def test_truths_of_several_outputs_and_of_calibrated_classes() -> None:
    truths = numpy.array([["01", "NA"], ["1", "None"]] * (ROWS // 2), dtype=object)
    model = MultiOutputClassifier(DecisionTreeClassifier()).fit(NUMBERS, truths)
    frame = NUMBERS.assign(u=truths[:, 0], v=truths[:, 1])
    assert same(model, csv(frame), NUMBERS, ("u", "v")).y.tolist() == truths.tolist()
    assert same(model, csv(frame, header=False), NUMBERS, ("-2", "-1")).y.tolist() == truths.tolist()
    calibrated = CalibratedClassifierCV(
        make_pipeline(StandardScaler(), LogisticRegression()), ensemble=False, cv=2
    ).fit(NUMBERS, truths[:, 0])
    assert same(calibrated, csv(frame.drop(columns="v")), NUMBERS, "u").y.tolist() == truths[:, 0].tolist()


@pytest.mark.parametrize(
    ("data", "texts", "target"),
    [
        ("text\nNA\n12\nNone\n", ["NA", "12", "None"], None),
        ("text,label\ngood day,1\nNA,0\n", ["good day", "NA"], "label"),
        ("good day, sir\nbad day\n", None, None),
        ("a very good day\nbad day\n", ["a very good day", "bad day"], None),
        ("text\ngood; day\nbad; day\n", ["good; day", "bad; day"], None),
        ("text\n#good\nbad # day\n", ["#good", "bad # day"], None),
        ('text\n"two\n\n# lines"\n  kept \n', ["two\n\n# lines", "  kept "], None),
        ('{"text": "NA"}\n{"text": "1"}\n', ["NA", "1"], None),
    ],
)
def test_one_column_of_text(data: str, texts: list[str] | None, target: str | None) -> None:
    model = make_pipeline(HashingVectorizer(n_features=8), LogisticRegression()).fit(
        ["good day", "bad NA", "x"], [0, 1, 2]
    )
    if texts is None:
        with pytest.raises(Refusal, match=r"columns? found|cells in line"):
            read(data, model)
        return
    assert read(data, model, target).X.tolist() == texts
    same(model, data, texts, target)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (csv(HEAD.rename(columns={"a": "A"})), "'a' and 'A' differ in case only"),
        (csv(HEAD.rename(columns={"a": "a\u200b"})), "differ in blanks or signs that are not seen only"),
        (csv(HEAD.rename(columns={"a": "\u00a0a"})), "differ in blanks or signs that are not seen only"),
        (csv(HEAD, sep="~"), r'say \[data\] read\.sep = "~" in the recipe, or --read sep=\'~\''),
        (csv(HEAD.assign(z=1)), "if 'z' is the target, say so .--target., else leave it out"),
        (csv(HEAD).replace("a,b,c\n", "Report of May\na,b,c\n"), "has a line of 1 cell, line 1, above rows of 3"),
        (csv(HEAD.assign(a="1,234")), r"'a': number expected, found numbers that may have a decimal comma.*line 2"),
        (csv(HEAD.assign(a="-")), r"--read missing=\'-\'"),
        (csv(HEAD.assign(a="\u0661")), "numbers in signs that are not 0 to 9"),
        (csv(HEAD.assign(a="\u22125")), "numbers in signs that are not 0 to 9"),
        (csv(HEAD.assign(a="0x1F")), "hexadecimal numbers, first in line 2"),
        (csv(HEAD.assign(a="(5.00)")), "numbers in parentheses"),
        (csv(HEAD.assign(a="5 kg")), "numbers with a unit"),
        (csv(HEAD.assign(a="5 Feb 2024")), "dates"),
        (parquet(HEAD.assign(a=pandas.Timestamp("2024-01-01"))), r"'a': number expected, found dates .datetime64"),
        (parquet(HEAD.assign(a=pandas.Series([[1]] * 4))), "'a': number expected, found nested values"),
        (parquet(HEAD.head(0)), "holds no row"),
        ("a\n1\na\n2\n", "its header once more in line 3: remove that line"),
        (HEAD.to_json(orient="split"), "orient='split': write it with orient='records', lines=True"),
        ('{"a": 1, "a": 2}\n', "names 'a' twice in line 1"),
        ('{"a": "1", "b": 2, "c": 3}\n', "'a': number expected, found numbers in quotes, first in line 1"),
        ('{"a": true, "b": 2, "c": 3}\n{"a": 1, "b": 2, "c": 3}\n', "truth values among others, first in line 1"),
        ('{"a": 1' + "0" * 400 + ', "b": 2, "c": 3}\n', "too large for a float"),
        ("[" * 100_000, "neither JSON lines nor one JSON array"),
        ("[]\n", "holds no row"),
    ],
    ids=short,
)
def test_refusals_name_their_cause(data: str | bytes, says: str) -> None:
    model = LinearRegression().fit(NUMBERS[["a"]], TRUTH) if isinstance(data, str) and data.startswith("a\n") else NAMED
    with pytest.raises(Refusal, match=says):
        read(data, model)


def test_what_is_ignored_and_what_is_not_there_is_told() -> None:
    table = same(NAMED, csv(HEAD.assign(z=1)), HEAD, ignore=("z", "none"))
    assert "nothing to ignore is called none" in table.decided
    assert "ignored: z" in table.decided
    with pytest.raises(Refusal, match=r"missing target: 'y'\); 'y' and 'Y' differ in case only"):
        read(csv(HEAD.assign(Y=1)), NAMED, "y")


def test_contradictions_are_refused_by_name() -> None:
    with pytest.raises(Refusal, match="is to be read without 'a', which the model was fitted on: take it out of"):
        read(csv(HEAD), NAMED, ignore=("a",))
    with pytest.raises(Refusal, match="has 'a' for a target, which the model was fitted on"):
        read(csv(HEAD), NAMED, "a")
    with pytest.raises(Refusal, match="'t' for two targets"):
        read(csv(HEAD.assign(t=1)), NAMED, ("t", "t"))
    with pytest.raises(Refusal, match=r"missing target: 't'.; its columns are 'a', 'b', 'c'$"):
        read(csv(HEAD), NAMED, "t")
    with pytest.raises(Refusal, match="its 3 columns have no names, say its index"):
        read(csv(HEAD, header=False), NAMED, "t")


def test_what_helps_with_the_columns_helps() -> None:
    with pytest.raises(Refusal, match=r"""\["k", "n"\] or --ignore 'k' --ignore 'n'$"""):
        read(csv(HEAD.assign(k=1, n=2)), NAMED)
    same(NAMED, csv(HEAD.assign(k=1, n=2)), HEAD, ignore=("k", "n"))
    with pytest.raises(Refusal, match=r"found.; leave out what is no input with --ignore COL$"):
        read(csv(HEAD.assign(k=1, n=2)), ARRAY)
    same(ARRAY, csv(HEAD.assign(k=1, n=2)), HEAD.to_numpy(), ignore=("k", "n"))
    for sep in (";", ","):
        with pytest.raises(Refusal, match=f"--read sep='{sep}'$"):
            read(csv(HEAD, sep=sep), ARRAY, sep="|")
    with pytest.raises(Refusal, match=r"; if line 2 is no row .a header, units, a total., remove it$"):
        read(csv(HEAD).replace("a,b,c", "a,b,c\ncm,cm,kg"), NAMED)


def test_bytes_that_are_text_are_the_models_categories() -> None:
    towns = pandas.DataFrame({"t": ["Bern", "Zürich"] * 12, "x": NUMBERS["a"]})
    model = make_pipeline(
        ColumnTransformer([("t", OneHotEncoder(handle_unknown="ignore"), ["t"])], remainder="passthrough"),
        LinearRegression(),
    ).fit(towns, TRUTH)
    packed = towns.assign(t=[town.encode() for town in towns["t"]])
    same(model, parquet(packed), towns)
    file = io.BytesIO()
    numpy.savez(file, t=numpy.array(list(packed["t"])), x=towns["x"].to_numpy())
    same(model, file.getvalue(), towns)


def test_values_of_arrow_and_numpy_that_are_no_numbers_are_named() -> None:
    def npy(array: Any) -> bytes:
        file = io.BytesIO()
        numpy.save(file, array)
        return file.getvalue()

    day, moment = datetime.date(2024, 1, 2), datetime.time(1, 2)
    for value, kind in ((day, "dates"), (moment, "times"), (b"\xff", "bytes")):
        for model in (NAMED, ARRAY):
            with pytest.raises(Refusal, match=f"'a': number expected, found {kind}"):
                read(parquet(HEAD.assign(a=pandas.Series([value] * 4, dtype=object))), model)
    with pytest.raises(Refusal, match=r"'a': number expected, found text .category."):
        read(parquet(HEAD.assign(a=pandas.Categorical(["x", "y"] * 2))), ARRAY)
    for dtype, kind in (("c16", "complex numbers"), ("U9", "text"), ("S9", "text"), ("M8[s]", "dates")):
        with pytest.raises(Refusal, match=f"numbers expected, found {kind}"):
            read(npy(HEAD.to_numpy().astype("i8").astype(dtype)), NAMED)
    with pytest.raises(Refusal, match="as a pickle, which is never opened as data"):
        read(npy(HEAD.to_numpy().astype(object)), NAMED)
    with pytest.raises(Refusal, match="several values a row in its field 'v'"):
        read(npy(numpy.zeros(4, dtype=[("i", "i8"), ("v", "f8", (2,))])), NAMED)
    one = LinearRegression().fit(NUMBERS[["a"]].to_numpy(), TRUTH)
    same(one, npy(HEAD["a"].to_numpy()), HEAD[["a"]].to_numpy())


def test_options_of_text_that_a_file_has_no_use_for_are_told() -> None:
    table = read(parquet(HEAD), NAMED, sep=";", missing=("-9",))
    assert "read.sep, read.missing not used, since it is of csv" in table.decided
    assert "read.decimal not used" in read(HEAD.to_json(orient="records", lines=True), NAMED, decimal=",").decided
    assert "not used" not in read(csv(HEAD), NAMED, decimal=".", missing=("-9",)).decided


def test_arrays_that_the_model_knows_as_columns_are_columns() -> None:
    frame = NUMBERS.set_axis(["x", "y", "data"], axis="columns")
    model = LinearRegression().fit(frame, TRUTH)
    file = io.BytesIO()
    numpy.savez(file, data=frame["data"].to_numpy(), y=frame["y"].to_numpy(), x=frame["x"].to_numpy())
    assert same(model, file.getvalue(), frame).y is None


def test_many_columns_that_are_no_inputs_are_not_advised_one_by_one() -> None:
    wide = HEAD.assign(**{f"n{at}": 1 for at in range(9)})
    with pytest.raises(Refusal, match=r"leave out what is no input with \[data\] ignore in the recipe, or --ignore"):
        read(csv(wide), NAMED)
    with pytest.raises(Refusal, match=r'leave them out with \[data\] ignore = \["n0", "n1"\]'):
        read(csv(wide[[*HEAD, "n0", "n1"]]), NAMED)
