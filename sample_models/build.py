"""Builds the whole demo store, one sample after the other, and tells how far it is."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sample_models import MARK, VERSION, models, place, troubles

_SAMPLES: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("churn/lr: customers who leave", models.churn),
    ("fraud/boosting: card payments", models.fraud),
    ("wine/forest: 120 trees", models.wine),
    ("diabetes/ridge: a regression", models.diabetes),
    ("cancer/svm: a support vector machine", models.cancer),
    ("digits/mlp: images of 8x8 pixels", models.digits),
    ("iris/kmeans: clusters", models.iris),
    ("reviews/sentiment: text", models.sentiment),
    ("movies/recommender: tastes", models.movies),
    ("housing/prices: boosted trees", models.housing),
    ("sensors/online: learns on", models.sensors),
    ("credit/holder: a dict with a model in it", models.holder),
    ("legacy/forest-1.2.2: saved by an older scikit-learn", troubles.legacy),
    ("trouble/raises: its predict raises", troubles.raises),
    ("trouble/dies: its worker dies", troubles.dies),
    ("trouble/slow: takes its time", troubles.slow),
    ("trouble/leaks: keeps what it sees", troubles.leaks),
    ("trouble/do-not-load: would run a command", troubles.do_not_load),
    ("trouble/half-copied: cut off", troubles.half_copied),
    ("trouble/notes: no model at all", troubles.only_text),
)

COUNT = len(_SAMPLES)


def build(directory: Path) -> Iterator[str]:
    """Build the store in `directory`, which must be new, empty or an older demo store; yields each step's words.

    The store is complete or not there: everything is made beside it and moved into place at the end. Raises OSError.
    """
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MARK).is_file():
        raise FileExistsError(errno.EEXIST, "it is not empty and not a demo store", str(directory))
    directory.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".demo-", dir=directory.parent))
    try:
        for words, sample in _SAMPLES:
            if sample is models.churn and not place.HAS_FRAMES:
                yield f"{words} (left out: needs pandas, install model-console[tables])"
                continue
            yield words
            sample(beside)
        (beside / ".model-console").mkdir(mode=0o700)
        (beside / MARK).write_text(f"{VERSION}\n", "utf-8")
        beside.chmod(0o755)
        if directory.is_dir():
            shutil.rmtree(directory)
        beside.replace(directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
