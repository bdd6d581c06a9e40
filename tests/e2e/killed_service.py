"""A served store under load whose processes are killed at random, and what others see of it.

    python -m tests.e2e.killed_service --rounds 200

Callers ask over HTTP, a console is attached, commands update and roll back; each round one of engine, front, worker,
console and command is killed (a zygote where asked for), and the engine is started again as a service manager would.
Whatever was lost, no answer is wrong, nothing is torn, nothing is left of the dead, and what was loaded is loaded
again. Prints a table of victims and outcomes and each fault; the exit code is 1 where there was one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.e2e.asked_service import Answers, Callers
from tests.e2e.kept_service import Kept, make_store, retrained

VICTIMS = ("engine", "front", "worker", "console", "command")


def series(rounds: int, *, seed: int, place: Path, victims: tuple[str, ...] = VICTIMS, callers: int = 3) -> list[str]:
    """So many rounds, at random victims; the faults that were found."""
    chance, faults, lost = random.Random(seed), [], Counter[str]()
    store = make_store(place)
    with Kept(store, place) as kept:
        kept.start()
        answers = Answers.of(store, retrained(kept))
        with Callers(kept.port, answers, callers, seed) as asking:
            for number in range(rounds):
                victim = chance.choice(victims)
                asking.victim = victim
                begun = time.monotonic()
                found = one_round(kept, asking, answers, victim, chance)
                lost[victim] += 1
                found += asking.take_faults()
                faults += [f"round {number}, {victim}: {fault}" for fault in found]
                print(
                    f"{number + 1}/{rounds} {victim:<8} {time.monotonic() - begun:5.1f} s  {found or 'held'}",
                    flush=True,
                )
        faults += asking.take_faults()
        report(lost, asking, kept, faults)
    return faults


def one_round(kept: Kept, asking: Callers, answers: Answers, victim: str, chance: random.Random) -> list[str]:
    """Kill one, have everything come back, and look at what there is then."""
    before = asking.right
    kept.begin_change()
    kept.linger(chance.uniform(0.0, 1.5))
    down = victim in ("engine", "front")
    asking.down(down)
    found = kept.kill(victim, chance)
    if victim == "engine":
        kept.start()
    found += kept.back()
    asking.down(False)
    found += kept.end_change()
    found += kept.look(answers.digests)
    if not asking.answered_since(before):
        found.append("callers are not answered")
    return found


def report(lost: Counter[str], asking: Callers, kept: Kept, faults: list[str]) -> None:
    """Print the table."""
    print(f"\n{'victim':<9} {'rounds':>6} {'right':>8} {'wrong':>6}  failed requests, by cause")
    for victim, rounds in lost.items():
        told = asking.outcomes[victim]
        failed = {name: count for name, count in told.items() if name not in ("right", "wrong")}
        print(f"{victim:<9} {rounds:>6} {told['right']:>8} {told['wrong']:>6}  {failed or '-'}")
    print("commands: " + ", ".join(f"{words} {count}" for words, count in kept.changes.most_common()))
    print(f"{len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--callers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--victim", action="append", choices=(*VICTIMS, "zygote"), default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as above:  # short: a socket's path has its limit
        victims = tuple(asked.victim) or VICTIMS
        return bool(series(asked.rounds, seed=asked.seed, place=Path(above), victims=victims, callers=asked.callers))


if __name__ == "__main__":
    sys.exit(main())
