"""The JSON shapes of the command line, made from records. They are stable: scripts rely on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backends.core.inspection import ArrayInfo
from console.records import (
    Artifact,
    Candidate,
    Comparison,
    DataFile,
    Growth,
    Inspection,
    Json,
    Judgement,
    Layer,
    Memory,
    MemoryForecast,
    ProbeState,
    Quantiles,
    Report,
    Version,
    WorkerView,
)

REACHED = 0.95
"""A rate counts as reached from this share of it on."""


def picked(record: object, *names: str) -> dict[str, Json]:
    """Attributes of a record under their own names."""
    return {name: getattr(record, name) for name in names}


def row(artifact: Artifact, state: str | None = None) -> dict[str, Json]:
    """One artifact in a list. `modified` is in seconds since the epoch; `why` is the first reason of its verdict."""
    why = artifact.problem or artifact.why
    return {
        **_file(artifact),
        "model_class": artifact.model_class,
        **({"summary": artifact.summary} if artifact.summary else {}),
        "verdict": artifact.verdict.value if artifact.verdict else None,
        "state": state or ("settling" if artifact.settling else None),
        **({"why": why} if why else {}),
        **({"link": artifact.link} if artifact.link else {}),
    }


def _file(artifact: Artifact) -> dict[str, Json]:
    return {
        "path": artifact.path,
        "format": artifact.format,
        "size": artifact.size if artifact.modified else None,
        "digest": artifact.digest,
        "modified": artifact.modified or None,
    }


def judgement(found: Judgement) -> dict[str, Json]:
    """A verdict and why."""
    reasons: list[Json] = [picked(reason, "code", "detail", "offset") for reason in found.reasons]
    return {"verdict": found.verdict.value if found.verdict else None, "reasons": reasons, "pinned": found.pinned}


def report(found: Report) -> dict[str, Json]:
    """Everything known of one artifact; what is unknown is null."""
    artifact = found.artifact
    tail: dict[str, Json] = {
        "trust": judgement(found.judgement),
        "recipe": artifact.recipe,
        "sealed": "age" if artifact.sealed else None,
        **({"link": artifact.link} if artifact.link else {}),
    }
    if artifact.summary:
        tail["summary"] = artifact.summary
    return _file(artifact) | _facts(found.inspection) | tail


def memory_forecast(found: MemoryForecast | None) -> Json:
    """The memory that it will take in a worker, in bytes; null where that is not known."""
    if found is None:
        return None
    return {
        "expected_bytes": found.expected,
        "low_bytes": found.low,
        "high_bytes": found.high,
        "free_bytes": found.free,
    }


def _facts(found: Inspection | None) -> dict[str, Json]:
    facts = found or Inspection(format="")
    signature = facts.signature
    models: list[Json] = [
        {
            "at": model.at,
            "class": model.class_name,
            "parameters": model.parameters,
            "version": model.version,
            "steps": list(model.steps),
        }
        for model in facts.models
    ]
    return {
        "compression": facts.compression,
        "model_class": facts.model_class,
        "classes": [*sorted({str(name) for name in facts.names})],
        "library_versions": dict(facts.library_versions),
        "parameters": facts.parameters,
        "signature": {
            "n_features": signature.n_features,
            "feature_names": None if signature.feature_names is None else list(signature.feature_names),
            "outputs": signature.outputs,
            "classes": None if signature.classes is None else list(signature.classes),
        },
        "models": models,
        "arrays": [_array(array) for array in facts.arrays],
        "n_weights": facts.n_weights,
        "complete": facts.complete,
        "loadable": facts.loadable if found else False,
        "details": facts.details,
    }


def _array(array: ArrayInfo) -> Json:
    return {"name": array.name, "shape": list(array.shape), "dtype": array.dtype, "bytes": array.bytes}


def measured(found: Quantiles | None) -> Json:
    """Quantiles in milliseconds; null where nothing was measured."""
    return None if found is None else picked(found, "p50", "p90", "p99", "max")


def probe(state: ProbeState, view: WorkerView | None) -> dict[str, Json]:
    """The JSON of a probe: its calls and measurements so far."""
    return {
        "calls": state.calls,
        "rows": state.rows,
        "rate_hz": state.rate,
        "errors": state.errors,
        "score": None if state.score is None else dict(state.score),
        "score_rows": state.scored,
        "rows_without_truth": state.missing,
        "score_left_out": state.unscored or None,
        "latency_ms": measured(state.worker),
        "round_trip_ms": measured(state.round_trip),
        "memory": memory(view.memory if view else None),
    }


def probe_summary(state: ProbeState, view: WorkerView | None) -> dict[str, Json]:
    """The same at the end, with the rate that was asked for (null: as fast as it goes) and how memory grew."""
    asked = state.plan.rate or None
    return {
        "summary": True,
        **probe(state, view),
        "data": None if state.data is None else data(state.data),
        "asked_hz": asked,
        "rate_reached": None if asked is None else state.rate >= REACHED * asked,
        "last_error": state.last_error or None,
        "memory_growth": _growth(state.growth),
        "stopped_why": state.stopped_why,
    }


def _growth(found: Growth | None) -> Json:
    """Bytes per call; null where there were too few readings."""
    if found is None:
        return None
    return {
        "bytes_per_call": found.per_call,
        "standard_error": found.error,
        "grows": found.grows,
        "readings": found.readings,
        "limit_bytes": found.limit,
        "seconds_to_limit": found.seconds_left,
    }


def memory(found: Memory | None) -> Json:
    """Bytes; null where the kernel does not tell."""
    if found is None:
        return {"rss_bytes": None, "pss_bytes": None, "peak_bytes": None}
    return {"rss_bytes": found.rss, "pss_bytes": found.pss, "peak_bytes": found.peak}


def layers(found: Mapping[str, Layer]) -> dict[str, Json]:
    """Sandbox layers with what proves them."""
    return {name: picked(layer, "active", "evidence") for name, layer in found.items()}


def version(found: Version) -> dict[str, Json]:
    """One retained version."""
    return picked(found, "version", "digest", "when", "who", "why", "current", "size", "metrics")


def comparison(found: Comparison, promoted: Version | None) -> dict[str, Json]:
    """The JSON of an update's outcome; scripts rely on it, so that keys are only ever added."""
    gate: list[Json] = [picked(result, "condition", "passed", "detail") for result in found.gate]
    return {
        "promoted": promoted is not None,
        "version": promoted.version if promoted else None,
        "current": _side(found.current),
        "candidate": _side(found.candidate),
        "gate": gate,
        "task": found.task,
        "rows": found.rows,
        "held_out": found.held_out,
        "unmeasured": found.unmeasured or None,
        "problem": found.problem or None,
        "unchanged": found.unchanged.value if found.unchanged else None,
        "warnings": list(found.warnings),
        "data": {
            "training": None if found.trained_on is None else data(found.trained_on),
            "holdout": None if found.measured_on is None else data(found.measured_on),
        },
    }


def _side(found: Candidate | None) -> Json:
    if found is None:
        return None
    return {
        "digest": found.digest,
        "metrics": dict(found.metrics),
        "latency_ms": measured(found.latency),
    }


def data(table: DataFile) -> dict[str, Json]:
    """A data file, and how it was read."""
    return picked(table, "path", "rows", "target", "decided")


def quantiles(milliseconds: Sequence[float]) -> Json:
    """Nearest-rank quantiles of a few durations."""
    ranked = sorted(milliseconds)
    if not ranked:
        return None

    def at(share: float) -> float:
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": ranked[-1]}
