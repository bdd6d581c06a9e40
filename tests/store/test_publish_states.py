"""Publish, roll back, foreign writes, crashes and recoveries in any order, against a model of what must be there."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from console.errors import ConflictError, InputError, OperationError
from console.files import opening, snapshot
from console.versions import history, publish, recovery

PATH = "m.pkl"
DATA = st.sampled_from([bytes([65 + n]) * (n + 1) for n in range(6)])
CUTS = st.sampled_from(
    ["renameat2:signal=KILL:when=1", "linkat:signal=KILL:when=1", "unlinkat:signal=KILL:when=2"]
    + [f"fsync:signal=KILL:when={n}" for n in (3, 6, 9)]
    + [f"write:signal=KILL:when={n}" for n in (2, 4, 5)]
)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Publishing(RuleBasedStateMachine):
    """The model: what lies in place (None: nothing), and which contents must still be retained."""

    server: Any

    @initialize(data=st.none() | DATA)
    def begin(self, data: bytes | None) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="store-"))
        self.root = self.base / "store"
        self.root.mkdir()
        self.live = data
        self.kept: set[bytes] = set()
        self.crashed = False
        if data is not None:
            (self.root / PATH).write_bytes(data)

    def teardown(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)

    def _content(self, data: bytes) -> snapshot.Snapshot:
        (self.base / "candidate").write_bytes(data)
        with opening.open_artifact(self.base, "candidate") as opened:
            return snapshot.seal(opened)

    def _took_effect(self, new: bytes) -> None:
        if self.live is not None:
            self.kept.add(self.live)
        self.live = new
        self.crashed = False

    @rule(data=DATA)
    def publish(self, data: bytes) -> None:
        replaces = digest(self.live) if self.live is not None else None
        with self._content(data) as content:
            try:
                publish.publish(self.root, PATH, content, publish.Promotion("t", "t", keep=99), replaces=replaces)
            except OperationError:
                if data != self.live:
                    raise
            else:
                self._took_effect(data)

    @rule(data=DATA, believed=DATA)
    def publish_over_what_is_not_there(self, data: bytes, believed: bytes) -> None:
        if believed == self.live:
            return
        with self._content(data) as content:
            try:
                publish.publish(self.root, PATH, content, publish.Promotion("t", "t"), replaces=digest(believed))
            except ConflictError:
                self.crashed = False
            else:
                raise AssertionError("somebody's content was replaced unseen")

    @rule(data=DATA, foreign=DATA)
    def interfere(self, data: bytes, foreign: bytes) -> None:
        if self.live is None or foreign == self.live or data == self.live:
            return

        def write(fd: int) -> None:
            (self.base / "foreign").write_bytes(foreign)
            (self.base / "foreign").rename(self.root / PATH)

        with self._content(data) as content:
            try:
                promotion = publish.Promotion("t", "t", keep=99)
                publish.publish(self.root, PATH, content, promotion, replaces=digest(self.live), verify=write)
            except ConflictError:
                self.live = foreign
                self.crashed = False
            else:
                raise AssertionError("somebody's content was replaced unseen")

    @rule(data=DATA, in_place=st.booleans())
    def foreign_write(self, data: bytes, in_place: bool) -> None:
        if not in_place:
            (self.root / PATH).unlink(missing_ok=True)
        (self.root / PATH).write_bytes(data)
        self.live = data

    @rule()
    def foreign_removal(self) -> None:
        (self.root / PATH).unlink(missing_ok=True)
        self.live = None

    @precondition(lambda self: not self.crashed)
    @rule(choice=st.integers(0, 5))
    def rollback(self, choice: int) -> None:
        found = [one for one in history.versions(self.root, PATH) if not one.current]
        if not found:
            return
        one = found[choice % len(found)]
        try:
            publish.rollback(self.root, PATH, one.version, publish.Promotion("t", "t", keep=99))
        except InputError as error:
            raise AssertionError("a version that is listed cannot be promoted") from error
        data = (self.root / PATH).read_bytes()
        assert digest(data) == one.digest
        self._took_effect(data)

    @rule(data=DATA, cut=CUTS)
    def crash(self, data: bytes, cut: str) -> None:
        if data == self.live:
            return
        candidate = self.base / "candidate"
        candidate.write_bytes(data)
        replaces = digest(self.live) if self.live is not None else ""
        request = {"root": str(self.root), "path": PATH, "action": "publish", "content": str(candidate)}
        ended = self.server.run({**request, "replaces": replaces}, cut)
        assert ended.status in (0, -9), ended
        now = (self.root / PATH).read_bytes() if (self.root / PATH).exists() else None
        assert now in (self.live, data)
        assert ended.status == -9 or now == data
        if now != self.live:
            assert now is not None
            self._took_effect(now)
        self.crashed = ended.status == -9

    @rule()
    def recover(self) -> None:
        recovery.recover(self.root)
        self.crashed = False
        assert recovery.recover(self.root) == ()

    @invariant()
    def what_is_in_place_is_what_should_be(self) -> None:
        target = self.root / PATH
        assert (target.read_bytes() if target.exists() else None) == self.live

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.crashed:
            return
        assert {one.name for one in self.root.iterdir()} <= {PATH, ".model-console"}
        found = history.versions(self.root, PATH)
        assert [one.digest for one in found if one.current] == ([digest(self.live)] if self.live is not None else [])
        assert {one.digest for one in found} >= {digest(data) for data in self.kept}
        for one in found:
            if not one.current:
                history.open_version(self.root, PATH, one.version).close()


UNHURRIED = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.mark.parametrize("examples", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_any_order_of_events(server: Any, examples: int) -> None:
    Publishing.server = server
    run_state_machine_as_test(Publishing, settings=settings(UNHURRIED, max_examples=examples))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_many_more_orders_of_events(server: Any, number: int) -> None:
    Publishing.server = server
    found = settings(UNHURRIED, derandomize=False, phases=[Phase.generate])
    run_state_machine_as_test(seed(number)(Publishing), settings=found)


def test_what_a_crash_left_swapped_out_is_kept_though_somebody_removed_the_new(server: Any) -> None:
    Publishing.server = server
    state = Publishing()
    state.begin(data=None)
    state.foreign_write(data=b"BB", in_place=False)
    state.crash(data=b"A", cut="linkat:signal=KILL:when=1")
    state.foreign_removal()
    state.recover()
    state.nothing_is_lost()
    state.what_is_in_place_is_what_should_be()
    state.teardown()


def test_what_somebody_wrote_after_a_crash_is_not_taken_for_the_update(server: Any) -> None:
    Publishing.server = server
    state = Publishing()
    state.begin(data=b"BB")
    state.crash(data=b"A", cut="write:signal=KILL:when=5")
    state.foreign_write(data=b"EEEEE", in_place=True)
    state.recover()
    state.nothing_is_lost()
    state.what_is_in_place_is_what_should_be()
    state.teardown()


def test_a_swap_is_finished_though_somebody_wrote_the_old_content_again(server: Any) -> None:
    Publishing.server = server
    state = Publishing()
    state.begin(data=b"A")
    state.crash(data=b"DDDD", cut="linkat:signal=KILL:when=1")
    state.foreign_removal()
    state.foreign_write(data=b"A", in_place=False)
    state.interfere(data=b"CCC", foreign=b"BB")
    state.nothing_is_lost()
    state.teardown()
