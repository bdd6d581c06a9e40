"""Models as older versions of scikit-learn saved them, each with the answers it gave there.

The files are made once and kept, because an older scikit-learn cannot be had beside the newer one
of the tests. To make them again, once for each version:

    python3.11 -m venv /tmp/v && /tmp/v/bin/pip install 'scikit-learn==1.3.2' 'numpy<2' pandas
    /tmp/v/bin/python tests/old_models/make_old_models.py
    python3.11 -m venv /tmp/w && /tmp/w/bin/pip install 'scikit-learn==1.6.1' 'numpy<2.3' pandas
    /tmp/w/bin/python tests/old_models/make_old_models.py

Each run writes ``VERSION/NAME.pkl`` (``.joblib`` for one of them) and ``VERSION/NAME.json`` beside
it: the versions, the columns, the rows that were asked, the truth of the rows and, by method, the
answers that the model gave before it was saved. ``VERSION`` is "1.3" or "1.6".
"""

import json
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

METHODS = ("predict", "predict_proba", "decision_function")
NUMBERS = ["p", "q", "r"]


def rows(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of three numbers and a colour, and a truth of 0 or 1 that follows from all four."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.integers(-40, 40, size=(count, 3)) / 8.0, columns=NUMBERS)
    frame["colour"] = [("red", "green", "blue")[at] for at in random.integers(0, 3, size=count)]
    score = frame["p"] + 0.5 * frame["q"] * (frame["colour"] == "red") - 0.2 * frame["r"]
    return frame, (score > 0).to_numpy().astype(int)


def models() -> dict[str, tuple[Any, list[str]]]:
    """The models to be trained and the columns that each is trained on."""
    imputed = Pipeline([("fill", SimpleImputer()), ("model", LogisticRegression())])
    columns = ColumnTransformer(
        [
            ("numbers", Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())]), NUMBERS),
            ("colour", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    )
    encoded = ColumnTransformer(
        [
            ("numbers", StandardScaler(), NUMBERS),
            ("colour", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    )
    return {
        "forest": (RandomForestClassifier(5, max_depth=4, random_state=0), NUMBERS),
        "boosting": (GradientBoostingClassifier(n_estimators=5, random_state=0), NUMBERS),
        "logistic": (LogisticRegression(), NUMBERS),
        "imputed": (imputed, NUMBERS),
        "hist_boosting": (HistGradientBoostingClassifier(max_iter=5, random_state=0), NUMBERS),
        "columns": (
            Pipeline([("columns", columns), ("model", LogisticRegression())]),
            [*NUMBERS, "colour"],
        ),
        "encoded": (
            Pipeline([("columns", encoded), ("model", LogisticRegression())]),
            [*NUMBERS, "colour"],
        ),
    }


def main() -> None:
    """Train, save and ask every model with the versions that are installed here."""
    place = Path(__file__).parent / ".".join(sklearn.__version__.split(".")[:2])
    place.mkdir(exist_ok=True)
    frame, truth = rows(160)
    asked = frame.iloc[:24]
    for name, (model, columns) in models().items():
        model.fit(frame[columns], truth)
        answers = {
            method: getattr(model, method)(asked[columns]).tolist() for method in METHODS if hasattr(model, method)
        }
        if name == "columns":
            joblib.dump(model, place / f"{name}.joblib", compress=3)
        else:
            (place / f"{name}.pkl").write_bytes(pickle.dumps(model, protocol=4))
        told = {
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "columns": columns,
            "rows": asked[columns].to_numpy().tolist(),
            "truth": truth[:24].tolist(),
            "answers": answers,
        }
        (place / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
