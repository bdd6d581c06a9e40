"""How `forest-1.2.2.joblib` was made: a forest saved by scikit-learn 1.2.2, which newer releases cannot load.

scikit-learn 1.3 added a field to the nodes of its trees, so that the file fails with a real message of a real cause.
It was written by this script, under CPython 3.10, on Linux x86-64::

    python3.10 -m venv old
    old/bin/pip install scikit-learn==1.2.2 scipy==1.10.1 numpy==1.24.4 joblib==1.2.0
    old/bin/python sample_models/legacy/make.py sample_models/legacy/forest-1.2.2.joblib
"""

from __future__ import annotations

import sys

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier


def main(path: str) -> None:
    """Fit on the wine data and save to `path`."""
    X, y = load_wine(return_X_y=True)
    model = RandomForestClassifier(n_estimators=8, max_depth=4, random_state=0).fit(X, y)
    joblib.dump(model, path, compress=("zlib", 9))


if __name__ == "__main__":
    main(sys.argv[1])
