"""Commands that only look: ls, inspect, history, doctor."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import replace

from backends.core.directories import is_artifact
from console.cli import explained, json_shapes
from console.cli.change import SETTLING
from console.cli.output import Output, columns, size_words
from console.cli.session import narrated, opened
from console.cli.sweep import NOT_INSPECTED, inspect_directory, table
from console.errors import InputError, OperationError, UsageError
from console.records import Explanation, Json, MemoryForecast, Report, Verdict
from console.records.words import memory_words

_READABLE = (Verdict.SAFE, Verdict.REVIEW, Verdict.BLOCKED)


async def ls(arguments: argparse.Namespace, output: Output) -> int:
    """Every artifact of a store or of a directory in one, or a single file; inspected, none of them run."""
    async with opened(arguments.door, arguments.store, records=False, attach=False) as store:
        rows = sorted(await store.engine.artifacts.scan(store.path), key=lambda row: row.path)
        output.data([json_shapes.row(artifact) for artifact in rows], lambda: table(rows))
    return 0


async def inspect(arguments: argparse.Namespace, output: Output) -> int:
    """The facts of one artifact, or of all in a directory; the exit code of the latter tells whether all is well."""
    async with opened(arguments.door, arguments.artifact, records=False, attach=False) as store:
        engine = store.engine
        if store.path and is_artifact(store.root / store.path):
            report = await engine.artifacts.report(store.path, digest=arguments.digest)
            if arguments.at:
                report = _only(report, arguments.at)
            told = await engine.artifacts.explain(store.path)
            forecast = await engine.artifacts.forecast(store.path)
            output.data(_json(report, told, forecast), lambda: _facts(report, told, forecast))
            return code_of_one(report)
        if arguments.at:
            raise UsageError("--at picks one model of a file, and this is a directory", hint="name one artifact in it")
        return await inspect_directory(store, arguments, output)


def code_of_one(report: Report) -> int:
    """The exit code after the inspection of one file."""
    verdict = report.judgement.verdict
    if verdict is None:
        return OperationError.exit_code
    return 0 if verdict in _READABLE else InputError.exit_code


def _json(report: Report, told: Explanation, forecast: MemoryForecast | None) -> dict[str, Json]:
    return json_shapes.report(report) | {
        "trust": json_shapes.judgement(report.judgement) | explained.trust_json(told),
        "memory_forecast": json_shapes.memory_forecast(forecast),
    }


def _only(report: Report, at: str) -> Report:
    """The report with the one model that stands at this place. Raises InputError where none does."""
    facts = report.inspection
    models = facts.models if facts is not None else ()
    found = tuple(model for model in models if model.at == at)
    if facts is None or not found:
        places = ", ".join(model.at for model in models[:12] if model.at)
        raise InputError(
            f"{report.artifact.path} has no model at '{at}'", hint=f"it has some at: {places}" if places else None
        )
    return replace(report, inspection=replace(facts, models=found))


def _facts(report: Report, told: Explanation, forecast: MemoryForecast | None) -> Iterable[str]:
    artifact, facts = report.artifact, report.inspection
    yield f"{artifact.path}   {report.judgement.verdict or NOT_INSPECTED}"
    yield from explained.lines(told)
    yield f"format      {artifact.format or 'unknown'}{' in ' + artifact.compression if artifact.compression else ''}"
    if artifact.summary:
        yield f"summary     {artifact.summary}"
    if artifact.link:
        yield f"link to     {artifact.link}"
    if artifact.sealed:
        yield "sealed      age"
    members = f" in {artifact.members} files" if artifact.members else ""
    yield f"size        {size_words(artifact.size)}{members}"
    if forecast is not None:
        yield f"memory      {memory_words(forecast)}"
    if artifact.digest:
        yield f"digest      {artifact.digest}"
    if facts is None:
        return
    for library, version in facts.library_versions.items():
        yield f"written by  {library} {version}"
    signature = facts.signature
    if signature.n_features is not None:
        yield f"inputs      {signature.n_features}{_listed(signature.feature_names)}"
    if signature.classes is not None:
        yield f"classes     {', '.join(map(str, signature.classes[:12]))}"
    if facts.n_weights:
        yield f"fitted      {facts.n_weights:,} values in {len(facts.arrays)} arrays"
    for model in facts.models:
        yield f"model       {model.at or '(root)'}: {model.class_name}"
        yield from (f"              {name} = {value!r}" for name, value in model.parameters.items())
    if artifact.recipe:
        yield f"recipe      {artifact.recipe}"


def _listed(names: tuple[str, ...] | None) -> str:
    if not names:
        return ""
    return f": {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"


async def history(arguments: argparse.Namespace, output: Output) -> int:
    """The retained versions of an artifact, newest first."""
    async with opened(arguments.door, arguments.artifact, records=False) as store:
        async with narrated(store, output, SETTLING):
            versions = await store.engine.updates.history(store.artifact)
        rows = [
            (
                ("* " if version.current else "  ") + str(version.version),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(version.when)),
                version.who,
                version.digest[:19],
                size_words(version.size),
                version.why,
            )
            for version in versions
        ]
        output.data(
            [json_shapes.version(version) for version in versions],
            lambda: columns(("  VERSION", "WHEN", "WHO", "DIGEST", "SIZE", "WHY"), rows, right=("SIZE",)),
        )
    return 0


DENIED = ("denied", "open  ")
"""Words for what was tried in a sandboxed child."""

_NOTHING = {"versions": "not installed", "store": "no"}
"""What it means that there is nothing to tell, by topic."""


async def doctor(arguments: argparse.Namespace, output: Output) -> int:
    """The `doctor` command: versions, sandbox layers with their proofs, limits, paths."""
    async with opened(arguments.door, arguments.store, records=False, attach=False) as store:
        found = await store.engine.doctor.examine()
    output.data(found, lambda: _tree(found))
    return 0


def _tree(
    value: Json, indent: str = "", words: tuple[str, str] = ("on ", "off"), nothing: str = "unknown"
) -> Iterable[str]:
    items = value.items() if isinstance(value, dict) else ()
    width = max((len(key) for key, _ in items), default=0)
    for key, item in items:
        if isinstance(item, dict) and set(item) == {"active", "evidence"}:
            yield f"{indent}{key:<{width}}  {words[0] if item['active'] else words[1]}  {item['evidence']}"
        elif isinstance(item, dict):
            yield f"{indent}{key}"
            yield from _tree(item, indent + "  ", DENIED if key == "selftest" else words, _NOTHING.get(key, nothing))
        else:
            shown = ", ".join(map(str, item)) if isinstance(item, list) else nothing if item is None else item
            yield f"{indent}{key:<{width}}  {shown}"
