"""Commands that change an artifact: update, rollback."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable

from console.cli import shapes
from console.cli.opening import absolute, opened
from console.cli.output import Output, asked, columns, size_words
from console.engine import Engine
from console.errors import Failed
from console.events import Bus
from console.records import Candidate, Comparison, Event, UpdatePlan, Version
from console.safe_text import safe
from console.store.recipe import Recipe

SETTLING = ("history.recovered", "history.unsettled", "history.damaged")
"""Events of what an earlier command left half done."""


async def update(arguments: argparse.Namespace, output: Output) -> int:
    """Retrain, compare, and promote what passes the gate or what the operator says yes to."""
    async with opened(arguments.artifact, records=True) as store:
        engine, path = store.engine, store.artifact
        plan = engine.updates.plan(path, data=absolute(arguments.data), target=arguments.target, at=arguments.at)
        for line in _intended(plan, engine.recipes.of(path)):
            output.say(line)
        stop = _narrate(engine.bus, output)
        try:
            found = await engine.updates.run(plan)
            if not output.as_json:
                for line in _side_by_side(found):
                    print(line)
            promoted = await _decided(engine, found, arguments, output)
        finally:
            stop()
        output.data(shapes.comparison(found, promoted), lambda: [_outcome(found, promoted)])
    return 0 if promoted else Failed.exit_code


async def _decided(engine: Engine, found: Comparison, arguments: argparse.Namespace, output: Output) -> Version | None:
    """Promote or discard: what failed its gate needs a person at a terminal, anything else a `--yes` or a person.

    Where the recipe sets no condition, `--yes` is the operator's word.
    """
    path = found.path
    if arguments.yes and found.passed:
        return await engine.updates.promote(path, arguments.why or "update --yes: the gate passed")
    if arguments.yes and not engine.recipes.of(path).gate.conditions and all(one.passed is None for one in found.gate):
        return await engine.updates.promote(path, arguments.why or "update --yes: there was no gate to pass")
    missed = next((result for result in found.gate if not result.passed), None)
    reason = f"{missed.condition} ({missed.detail})" if missed else "no gate is set, so that it takes a person's word"
    if not arguments.yes:
        word = "The gate passed" if found.passed and found.gate else f"The gate did not pass: {safe(reason, 200)}"
        answer = await asked(f"{word}. Promote {path}?")
        if answer:
            return await engine.updates.promote(path, arguments.why or "said yes at the prompt")
        if answer is not None:
            reason = "the operator said no"
        elif found.passed and found.gate:
            reason = "it passed; --yes would have promoted it"
    await engine.updates.discard(path)
    output.say(f"discarded: {reason}")
    return None


def _intended(plan: UpdatePlan, recipe: Recipe) -> Iterable[str]:
    """What is about to be run, before it is: a recipe may have come with the store."""
    measured = f", measured on {plan.holdout}" if plan.holdout else ""
    yield f"{plan.path} is trained ({plan.mode}) on {plan.data}{measured}"
    if plan.command:
        yield f"the recipe's command runs in the sandbox: {shlex.join(plan.command)}"
    if recipe.environment.python:
        yield f"the recipe's interpreter runs it: {recipe.environment.python}"


def _narrate(bus: Bus, output: Output) -> Callable[[], None]:
    def hear(event: Event) -> None:
        if event.kind.startswith("update.") or event.kind in SETTLING:
            output.say(event.text)

    return bus.subscribe(hear)


def _side_by_side(found: Comparison) -> Iterable[str]:
    current = found.current
    names = list(dict.fromkeys([*(current.metrics if current else {}), *found.candidate.metrics]))
    rows = [(name, _metric(current, name), _metric(found.candidate, name)) for name in names]
    rows.append(("size", size_words(current.size) if current else "", size_words(found.candidate.size)))
    rows.append(("latency p50", _latency(current), _latency(found.candidate)))
    yield f"{found.task} on {found.rows} rows{'' if found.held_out else ' it was trained on'}"
    yield from columns(("", "CURRENT", "CANDIDATE"), rows, right=("CURRENT", "CANDIDATE"))
    for name, old, new in found.changed:
        yield safe(f"changed {name}: {old} -> {new}", 200)
    for result in found.gate:
        word = {True: "pass", False: "FAIL", None: "FAIL (not measured)"}[result.passed]
        yield safe(f"gate {word}: {result.condition} ({result.detail})", 200)


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
    async with opened(arguments.artifact, records=True) as store:
        stop = _narrate(store.engine.bus, output)
        try:
            version = await store.engine.updates.rollback(store.artifact, arguments.to)
        finally:
            stop()
    output.data(
        {"version": version.version, "digest": version.digest},
        lambda: [f"version {version.version} ({version.digest[:19]}) is in place"],
    )
    return 0
