"""Entries of the catalogue of hostile inputs that only a worker can show; names start with the entry's number."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from backends.core import registry
from backends.core.errors import Refusal
from backends.core.source import Source
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from console.worker.child.fitting import refuse_hazards
from console.worker.failures import ChildFailed
from console.worker.model import Worker
from tests.worker.payloads import Load, OpenFile, predicting

X = np.random.RandomState(0).rand(20, 3)
Y = np.arange(20) % 2


def test_52_pre_dispatch_is_told_and_refused(open_file: OpenFile) -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, pre_dispatch="__import__('os').getpid()")
    found = registry.inspect(Source(open_file(pickle.dumps(search), "model.pkl"), "model.pkl"))
    judged = judge(found, Policy())
    assert judged.verdict is Verdict.SAFE
    assert [reason.code for reason in judged.reasons] == ["refit"]
    assert "pre_dispatch" in judged.reasons[0].detail
    with pytest.raises(Refusal, match="pre_dispatch"):
        refuse_hazards(search)


async def test_53_a_million_jobs_become_none(worker: Worker, open_file: OpenFile) -> None:
    model = RandomForestClassifier(3).fit(X, Y).set_params(n_jobs=10**6)
    await worker.load(open_file(pickle.dumps(model), "model.pkl"), "pickle")
    answer = await worker.call_rows(X.tolist())
    assert answer.rows == len(X)
    assert len(os.listdir(f"/proc/{worker.child.pid}/task")) < 50


async def test_55_a_function_of_another_arity_is_an_exception(worker: Worker, evil: Load) -> None:
    await worker.load(evil(predicting("__import__('math').sqrt(1, 2, 3)")), "pickle")
    with pytest.raises(ChildFailed) as caught:
        await worker.call_rows([[1.0]])
    assert caught.value.code == "raised"
    assert caught.value.failure is not None
    assert caught.value.failure.type == "TypeError"
    assert worker.child.exit is None


async def test_70_misaligned_arrays_are_loaded(worker: Worker, open_file: OpenFile) -> None:
    class Pipe(io.BytesIO):
        """Into a file that cannot tell where it is, joblib writes arrays without padding, as before 1.2."""

        def tell(self) -> int:
            raise io.UnsupportedOperation("tell")

    file = Pipe()
    joblib.dump(("x" * 3, LogisticRegression().fit(X, Y)), file)
    await worker.load(open_file(file.getvalue(), "model.joblib"), "joblib", at="[1]")
    assert (await worker.call_rows(X.tolist())).rows == len(X)


async def test_134_an_answer_that_is_a_pickle_is_told_as_text(worker: Worker, evil: Load, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    answer = f"type('Evil', (), {{'__reduce__': lambda self: (open, ({str(marker)!r}, 'w'))}})()"
    await worker.load(evil(predicting(f"[{answer}]")), "pickle")
    told = await worker.call_rows([[1.0]])
    assert told.rows == 1
    assert not marker.exists()
