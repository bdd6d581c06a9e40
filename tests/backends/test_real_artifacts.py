"""Files that others wrote: none is part of this repository; the directory is named by MODEL_CONSOLE_REAL_ARTIFACTS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import joblib
import pytest

from tests.inspecting import inspect_file


class Expected(NamedTuple):
    """A file by the end of its path, and what an inspection must tell of it."""

    path: str
    format: str
    compression: str | None = None
    model_class: str | None = None
    sklearn: str | None = None
    n_features: int | None = None
    models: tuple[str, ...] = ()


EXPECTED = (
    Expected("gaitpy/model/model.pkl", "pickle", None, "sklearn.ensemble.forest.RandomForestClassifier", "0.18.2", 8),
    Expected(
        "profanity_check/data/model.joblib", "joblib", None, "sklearn.calibration.CalibratedClassifierCV", "0.20.2"
    ),
    Expected("otto/otto_model.pkl", "joblib", None, "sklearn.ensemble._forest.RandomForestClassifier", "0.23.1", 93),
    Expected("titanic/titanic_model.pkl", "joblib", None, "xgboost.sklearn.XGBClassifier"),
    Expected("rf_ct_1.pkl", "pickle", None, "sklearn.ensemble._forest.RandomForestClassifier", "0.23.2", 686),
    Expected(
        "KNNBreastCancer.pkl", "pickle", None, "sklearn.neighbors._classification.KNeighborsClassifier", "1.0.2", 30
    ),
    Expected(
        "NNBreastCancer.pkl", "pickle", None, "sklearn.neural_network._multilayer_perceptron.MLPClassifier", "1.0.2", 30
    ),
    Expected("svc_flag_brain.joblib", "joblib", None, "sklearn.svm._classes.SVC", "1.0.1", 11),
    Expected(
        "model__random_forest.joblib", "joblib", None, "sklearn.ensemble._forest.RandomForestClassifier", "1.1.2", 112
    ),
    Expected(
        "hand_tracking/model.p",
        "pickle",
        None,
        "sklearn.ensemble._forest.RandomForestClassifier",
        "1.2.0",
        42,
        ("model",),
    ),
    Expected(
        "best_extra_trees_model.pkl", "joblib", None, "sklearn.ensemble._forest.ExtraTreesClassifier", "1.3.1", 100
    ),
    Expected(
        "spam_model.pkl", "pickle", None, "sklearn.linear_model._logistic.LogisticRegression", "1.4.1.post1", 7431
    ),
    Expected("GaussianNB.joblib", "joblib", None, "sklearn.naive_bayes.GaussianNB", "1.5.0", 384),
    Expected(
        "svm_ds1.pkl",
        "pickle",
        None,
        "sklearn.pipeline.Pipeline",
        "1.7.2",
        1024,
        ("model", "model.steps[0][1]", "model.steps[1][1]"),
    ),
    Expected(
        "q5_dct_v1.joblib",
        "joblib",
        "zlib",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        "1.8.0",
        6,
    ),
    Expected(
        "random_forest_model.joblib", "joblib", None, "sklearn.ensemble._forest.RandomForestClassifier", "1.9.0", 1500
    ),
    Expected("linear_component_splitter_model.z", "joblib", "zlib", "sklearn.pipeline.Pipeline", "1.9.1", 3),
    Expected("titanic_model_output_v1.1.0.pkl", "joblib", None, "sklearn.pipeline.Pipeline", "1.6.1", 9),
    Expected("gb_regression_output_v0.3.0.pkl", "joblib", None, "sklearn.pipeline.Pipeline", "1.0.2"),
    Expected("bikeshare__model_output_v1.0.1.pkl", "joblib", None, "sklearn.pipeline.Pipeline", "1.3.0"),
    Expected(
        "quartz_solar_forecast/models/model-0.4.0.pkl",
        "pickle",
        None,
        "psp.models.recent_history.RecentHistoryModel",
        "1.1.3",
    ),
    Expected("fpscores.pkl.gz", "pickle", "gzip"),
    Expected("drug_ner_dictionary.pkl.bz2", "pickle", "bz2"),
    Expected("rnet.lz4", "joblib", "lz4"),
    Expected("rna002_hct116.joblib", "joblib"),
    Expected("lgbc_output_v0.0.4.pkl", "pickle", None, "lightgbm.basic.Booster"),
    Expected("clf_eeg_lgb_0.5.0.joblib", "joblib", "zlib", "lightgbm.sklearn.LGBMClassifier", "0.24.2"),
    Expected("best_pKa_model.pkl", "pickle", None, "lightgbm.sklearn.LGBMRegressor"),
    Expected("contrast_phase_classifiers_2024_07_19.pkl", "pickle", None, "xgboost.sklearn.XGBRegressor"),
    Expected("bot_repository_booster.pickle", "pickle", None, "xgboost.core.Booster"),
    Expected("py3langid/data/model.npz.xz", "npz", "xz"),
    Expected("det1.npy", "npy"),
    Expected("CaptchaConda/data/filters.npz", "npz"),
    Expected("l2_supercat_256.safetensors", "safetensors"),
    Expected("data/decision_forest.ubj", "xgboost", None, "xgboost.core.Booster", n_features=25),
    Expected("od-cmdexe-xgb-model.json", "xgboost-json", None, "xgboost.core.Booster", n_features=97),
    Expected("ibm_eagle_model.txt", "lightgbm", None, "lightgbm.basic.Booster", n_features=3),
)
LEGACY = sorted(
    path
    for path in (Path(joblib.__file__).parent / "test" / "data").glob("joblib_0.1*")
    if path.is_file() and path.suffix != ".py"
)


@pytest.mark.real
@pytest.mark.parametrize("expected", EXPECTED, ids=[each.path for each in EXPECTED])
def test_a_file_of_the_wild_is_told_right(expected: Expected) -> None:
    root = os.environ.get("MODEL_CONSOLE_REAL_ARTIFACTS")
    if not root:
        pytest.skip("MODEL_CONSOLE_REAL_ARTIFACTS names no directory")
    found = [path for path in Path(root).rglob(Path(expected.path).name) if str(path).endswith(expected.path)]
    if not found:
        pytest.skip(f"{expected.path} is not there")
    inspection = inspect_file(found[0])
    assert (inspection.format, inspection.compression) == (expected.format, expected.compression)
    assert inspection.complete
    assert inspection.model_class == expected.model_class
    assert inspection.library_versions.get("scikit-learn") == expected.sklearn
    assert expected.n_features in (None, inspection.signature.n_features)
    assert tuple(entry.at for entry in inspection.models)[: len(expected.models)] == expected.models


@pytest.mark.parametrize("path", LEGACY, ids=[path.name for path in LEGACY])
def test_what_joblib_wrote_since_0_10_is_read_whole(path: Path) -> None:
    """joblib ships them with its own tests: Python 2.7 to 3.6, numpy 1.6 to 1.11, six compressions."""
    inspection = inspect_file(path)
    assert inspection.format == "joblib"
    assert inspection.complete
    assert not inspection.findings
    assert sorted((info.shape, info.dtype) for info in inspection.arrays) == [
        ((1, 3), "int64"),
        ((3,), "object"),
        ((5,), "float64"),
        ((5,), "int64"),
    ]
