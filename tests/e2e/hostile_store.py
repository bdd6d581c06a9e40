"""A store of real files whose names and contents try to steer whoever looks at them. Nothing in it is ever loaded."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

STEERING = "\x1b]52;c;ZXZpbA==\x07\x1b[31;1337m\x9b31m\u202e\u2066\u200b[@click=app.quit]\n\t\x00\u2028"
NAMES = (
    b"\x1b]52;c;ZXZpbA==\x07.pkl",
    b"\x1b[2J\x1b[31;1337m.pkl",
    "\x9b31m\x85.pkl".encode(),
    "\u202egnp.\u2066\u200b\u200d\ufeff.pkl".encode(),
    b"lone\xff\xfe.pkl",
    b"two\nlines\tand a tab\r.pkl",
    b"[@click=app.quit]press me[bold].pkl",
    b"-rf.pkl",
    b"x" * 251 + b".pkl",
    ("e" + "\u0301" * 100 + ".pkl").encode(),
)


class Call:
    """Unpickles to a call; never unpickled here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"true {STEERING}",)


def stack_global(module: str, name: str) -> bytes:
    """A pickle that names a global of any spelling, and calls it."""
    words = b"".join(b"X" + struct.pack("<I", len(part)) + part for part in (module.encode(), name.encode()))
    return b"\x80\x04" + words + b"\x93)R."


def contents() -> list[bytes]:
    """Names, parameters, feature names, class labels and arguments, each with everything that steers."""
    model = LogisticRegression(solver="lbfgs").fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    model.solver = STEERING
    model.classes_ = np.array([STEERING, "b"], dtype=object)
    model.feature_names_in_ = np.array([STEERING, STEERING[::-1]], dtype=object)
    return [
        pickle.dumps(model),
        pickle.dumps([model, Call()]),
        stack_global(f"odd{STEERING}", f"name{STEERING}"),
        stack_global("company.features", "Ratio"),
        pickle.dumps({STEERING: model}),
        pickle.dumps(model)[:-40],
        STEERING.encode() * 20,
    ]


def build(root: Path) -> Path:
    """Write it, with a recipe that is as bad."""
    root.mkdir()
    found = contents()
    for number, name in enumerate(NAMES):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            file.write(found[number % len(found)])
    (root / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    (root / "model.recipe.toml").write_text('[data]\ntrain = "\\u001b[31m\\u202e.csv"\nodd = 1\n')
    return root
