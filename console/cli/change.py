"""Commands that change an artifact: update, rollback."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable

from console.cli import json_shapes
from console.cli.data_files import absolute, narrate, read_as, target_of, why_alone
from console.cli.output import Output, asked, columns, error_json, size_words
from console.cli.session import as_job, narrated, opened
from console.engine.api import EngineApi
from console.errors import OperationError
from console.records import Candidate, Comparison, EventKind, RecipeFacts, Unchanged, UpdatePlan, Version
from console.safe_text import safe

SETTLING = (EventKind.HISTORY_RECOVERED, EventKind.HISTORY_UNSETTLED, EventKind.HISTORY_DAMAGED)
"""Events of what an earlier command left half done."""
_TOLD = (*SETTLING, *(kind for kind in EventKind if kind.startswith("update.")))


async def update(arguments: argparse.Namespace, output: Output) -> int:
    """Retrain, compare, and promote what passes the gate or what the operator says yes to."""
    async with opened(
        arguments.door, arguments.artifact, records=True, alone=why_alone(arguments), files=[arguments.data]
    ) as store:
        engine, path = store.engine, store.artifact
        await read_as(store, arguments)
        data, target = absolute(arguments.data), target_of(arguments)
        plan = await engine.updates.plan(path, data=data, target=target, at=arguments.at)
        for line in _intended(plan, await engine.data.recipe(path)):
            output.say(line)
        async with narrated(store, output, _TOLD), as_job(store, "update", arguments, output):
            found = await engine.updates.run(plan)
        for table in (found.trained_on, found.measured_on):
            if table is not None:
                narrate(table, output)
        if not output.as_json:
            output.lines(_side_by_side(found))
        async with narrated(store, output, _TOLD):
            promoted = await _decided(engine, found, arguments, output)
        refused = promoted if isinstance(promoted, OperationError) else None
        version = None if isinstance(promoted, OperationError) else promoted
        shape = json_shapes.comparison(found, version)
        if refused is not None:
            shape["error"] = error_json(refused)
        output.data(shape, lambda: [_outcome(found, version)])
    return 0 if version else OperationError.exit_code


async def _decided(
    engine: EngineApi, found: Comparison, arguments: argparse.Namespace, output: Output
) -> Version | OperationError:
    """Promote, or discard and say why: past a gate only by a person at a terminal, else by that or a `--yes`.

    Where the recipe sets no condition, `--yes` is the operator's word, provided that something was measured.
    """
    path = found.path
    if arguments.yes and found.passed:
        return await engine.updates.promote(path, arguments.why or "update --yes: the gate passed")
    if arguments.yes and _without_gate(found):
        return await engine.updates.promote(path, arguments.why or "update --yes: there was no gate to pass")
    refused = _refused(found)
    if not arguments.yes:
        word = "The gate passed" if found.passed else f"The gate did not pass: {safe(refused.message, 300)}"
        asking = found.unchanged is not Unchanged.CONTENT
        answer = await asked(f"{word}. Promote {path}?") if asking else None
        if answer:
            return await engine.updates.promote(path, arguments.why or "said yes at the prompt")
        if answer is not None:
            refused = _coded("declined", "the operator said no")
        elif found.passed or _without_gate(found):
            refused = _coded("not-confirmed", "nobody said yes; --yes would have promoted it")
    await engine.updates.discard(path)
    output.say(f"discarded: {refused.message}")
    return refused


def _without_gate(found: Comparison) -> bool:
    """Whether the recipe leaves it to the operator's word, and there are numbers to give it on."""
    measured = bool(found.candidate.metrics) and not found.unmeasured
    return found.conditions == 0 and measured and found.unchanged is not Unchanged.CONTENT


def _refused(found: Comparison) -> OperationError:
    """Why `--yes` does not promote a candidate, with a code of its own for each kind of reason."""
    if found.unchanged is Unchanged.CONTENT:
        return _coded("same-content", "training gave exactly the bytes that are in place already")
    if found.unmeasured:
        hint = (
            "name rows in [data] holdout that the training has not seen; P on the update screen promotes all the same"
        )
        return _coded("not-measured", f"nothing was measured: {found.unmeasured}", hint)
    if not found.conditions and not found.candidate.metrics:
        return _coded("not-measured", "nothing was measured: there is no metric for such a model")
    missed = sorted((result for result in found.gate if not result.passed), key=lambda result: result.passed is None)
    if not missed:
        return _coded("not-confirmed", "the gate passed, but nobody said yes")
    code = "not-measured" if missed[0].passed is None and found.conditions else "gate-refused"
    return _coded(code, f"{missed[0].condition} ({missed[0].detail})")


def _coded(code: str, message: str, hint: str | None = None) -> OperationError:
    error = OperationError(message, hint=hint)
    error.code = code
    return error


def _intended(plan: UpdatePlan, recipe: RecipeFacts) -> Iterable[str]:
    """The commands about to be run, before they are: a recipe may have come with the store."""
    measured = f", measured on {plan.holdout}" if plan.holdout else ""
    yield f"{plan.path} is trained ({plan.mode}) on {plan.data}{measured}"
    if plan.command:
        yield f"the recipe's command runs in the sandbox: {shlex.join(plan.command)}"
    if recipe.python:
        yield f"the recipe's interpreter runs it: {recipe.python}"


def _side_by_side(found: Comparison) -> Iterable[str]:
    current = found.current
    names = list(dict.fromkeys([*(current.metrics if current else {}), *found.candidate.metrics]))
    rows = [(name, _metric(current, name), _metric(found.candidate, name)) for name in names]
    rows.append(("size", size_words(current.size) if current else "", size_words(found.candidate.size)))
    rows.append(("latency p50", _latency(current), _latency(found.candidate)))
    yield f"{found.task} on {found.rows} rows" if found.task else "no rows to measure on"
    yield from columns(("", "CURRENT", "CANDIDATE"), rows, right=("CURRENT", "CANDIDATE"))
    for name, old, new in found.changed:
        yield safe(f"changed {name}: {old} -> {new}", 200)
    if found.unchanged is not None:
        yield f"unchanged: {_UNCHANGED[found.unchanged]}"
    if found.problem and not found.unmeasured:
        yield safe(f"the current model could not be measured: {found.problem}", 400)
    for warning in found.warnings:
        yield safe(f"warning: {warning}", 400)
    for result in found.gate:
        missed = (
            "FAIL" if result.passed is not None or result.detail.startswith("not measured") else "FAIL (not measured)"
        )
        yield safe(f"gate {'pass' if result.passed else missed}: {result.condition} ({result.detail})", 300)


_UNCHANGED = {
    Unchanged.CONTENT: "the candidate is exactly the bytes that are in place already",
    Unchanged.ANSWERS: "the candidate answers every row measured exactly as the current model does",
}


def _metric(side: Candidate | None, name: str) -> str:
    return f"{side.metrics[name]:.5g}" if side and name in side.metrics else ""


def _latency(side: Candidate | None) -> str:
    return f"{side.latency.p50:.2f} ms" if side and side.latency else ""


def _outcome(found: Comparison, promoted: Version | None) -> str:
    if promoted is None:
        return f"{found.path} is unchanged"
    return (
        f"{found.path} is now version {promoted.version} ({promoted.digest[:19]}); `rollback` brings the old one back"
    )


async def rollback(arguments: argparse.Namespace, output: Output) -> int:
    """Put an old version back in place."""
    async with opened(arguments.door, arguments.artifact, records=True) as store, narrated(store, output, _TOLD):
        version = await store.engine.updates.rollback(store.artifact, arguments.to)
    output.data(
        {"version": version.version, "digest": version.digest},
        lambda: [f"version {version.version} ({version.digest[:19]}) is in place"],
    )
    return 0
