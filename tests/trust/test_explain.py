"""A verdict is explained in words that tell an operator what would happen, where it stands and what is new."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backends.core.errors import ArtifactError
from console.records import Artifact, Change, Explanation, Judgement, Report, Verdict
from console.records.words import news
from console.trust.content_diff import Seen, difference, from_json, seen_of, to_json
from console.trust.explain import explain
from console.trust.policy import Policy
from console.trust.policy_file import Pin
from console.trust.verdict import judge
from tests.hostile import SAMPLES, Sample
from tests.inspecting import inspect_bytes, judge_error

DIGEST = "sha256:" + "ab" * 32


class Payload:
    """Unpickles to a call; never unpickled here."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def report(data: bytes, policy: Policy | None = None, path: str = "model.pkl") -> Report:
    found = inspect_bytes(data, path)
    return Report(Artifact(path, len(data), 1.0), found, judge(found, policy or Policy()))


def explained(data: bytes, policy: Policy | None = None, before: bytes | None = None) -> Explanation:
    policy = policy or Policy()
    now = report(data, policy)
    since = None if before is None else difference(seen_of(report(before), 5.0), seen_of(now, 9.0))
    return explain(now.inspection, now.judgement, policy, since)


def model(**parameters: Any) -> LogisticRegression:
    return LogisticRegression(**parameters).fit([[0.0], [1.0]], [0, 1])


def test_a_dangerous_name_says_what_it_could_do_where_it_stands_and_with_what() -> None:
    told = explained(pickle.dumps([1, Payload(os.system, "touch x")]))
    assert told.headline == ("Loading it calls posix.system (os.system), which could run any command on this machine.")
    point = told.points[0]
    assert (point.code, point.verdict, point.title) == (
        "dangerous-name", Verdict.BLOCKED, "could run any command on this machine",
    )  # fmt: skip
    mention = point.mentions[0]
    assert (mention.name, mention.use, mention.where) == ("posix.system", "called with 'touch x'", "byte 33")
    assert "no policy" in told.takes[0]
    assert told.policy is None


def test_names_that_could_do_the_same_stand_together() -> None:
    told = explained(pickle.dumps([Payload(os.system, "a"), Payload(subprocess.run, "b"), Payload(eval, "c")]))
    assert told.headline == "Loading it could run any command on this machine and run any Python code."
    by_title = {point.title: [one.name for one in point.mentions] for point in told.points}
    assert by_title["could run any command on this machine"] == ["posix.system", "subprocess.run"]


def test_an_unlisted_name_says_what_it_would_take() -> None:
    told = explained(pickle.dumps({"model": model(), "origin": IPv4Address(1)}))
    assert told.headline == "Loading it runs code of ipaddress, which this console does not know."
    assert told.points[0].title == "names ipaddress, which is on no list of known names"
    assert told.policy == 'trusted = ["ipaddress.IPv4Address"]'
    assert len(told.takes) == 2
    trusting = Policy(trusted=frozenset({"ipaddress.IPv4Address"}))
    trusted = explained(pickle.dumps({"model": model(), "origin": IPv4Address(1)}), trusting)
    assert [point.code for point in trusted.points] == ["trusted-by-policy"]
    assert "the policy trusts" in trusted.headline


def test_an_unlisted_part_of_a_known_library_is_not_called_unknown() -> None:
    told = explained(b"\x80\x02csklearn.base\nClusterMixin\n.")
    assert told.points[0].title == "names parts of sklearn that are not on the list of known names"


def test_a_class_of_a_script_has_no_policy_line() -> None:
    told = explained(b"\x80\x02c__main__\nRatio\n.")
    assert told.headline == "It needs code from a script that is not part of the file."
    assert told.policy is None
    assert any("module that can be imported" in line for line in told.takes)


def test_an_accepted_content_says_who_accepted_it() -> None:
    found = inspect_bytes(pickle.dumps(IPv4Address(1)))
    policy = Policy(pins=(Pin(DIGEST, "ada", "2026-05-01", "ours"),))
    told = explain(found, judge(found, policy, DIGEST), policy)
    assert told.headline == "It was accepted by ada on 2026-05-01: ours."
    assert told.takes == ()


def test_the_place_of_an_estimator_is_told() -> None:
    class_name = b"sklearn.linear_model._logistic"
    data = pickle.dumps(make_pipeline(model()), protocol=2).replace(class_name, b"company.linear_model._logistic")
    mention = explained(data).points[0].mentions[0]
    assert mention.name == "company.linear_model._logistic.LogisticRegression"
    assert mention.where.endswith("in the model at steps[0][1]")


def test_what_is_new_since_the_last_version_comes_first_and_is_marked() -> None:
    honest = pickle.dumps({"m": model(), "origin": IPv4Address(1)})
    told = explained(pickle.dumps({"m": model(), "a": Payload(os.system, "x")}), before=honest)
    assert told.points[0].mentions[0].new
    assert told.since is not None
    changes = {(one.what, one.name): (one.before, one.after) for one in told.since.changes}
    assert changes["verdict", ""] == ("review", "blocked")
    assert changes["name", "posix.system"] == (None, "called")
    assert changes["name", "ipaddress.IPv4Address"] == ("called", None)
    assert [one.what for one in told.since.changes][:2] == ["verdict", "name"]


def test_parameters_classes_and_libraries_that_changed_are_told() -> None:
    before, now = seen_of(report(pickle.dumps(model())), 1.0), seen_of(report(pickle.dumps(model(C=3.0))), 2.0)
    changes = difference(before, replace(now, libraries={"scikit-learn": "9"}, size=before.size)).changes
    assert Change("parameter", "C", "1.0", "3.0") in changes
    assert [one.what for one in changes] == ["library", *(["library"] * (len(changes) - 2)), "parameter"]


def test_a_long_parameter_that_changed_at_its_end_is_told() -> None:
    words = ["x" * 300 + end for end in "ab"]
    found = inspect_bytes(pickle.dumps(model()))
    seen = [
        seen_of(Report(Artifact("a", 1, 1), replace(found, models=(), parameters={"p": word}), _SAFE), 0.0)
        for word in words
    ]
    assert len(difference(*seen).changes) == 1
    assert len(seen[0].parameters["p"]) <= 120


_SAFE = Judgement(Verdict.SAFE)


def test_a_record_comes_back_as_it_was_and_anything_else_is_refused() -> None:
    seen = seen_of(report(pickle.dumps(model())), 7.0)
    odd = replace(seen, names={**seen.names, "a\udcff\x1b.b": "called"})
    assert from_json(to_json(odd)) == odd
    assert to_json(odd).isascii()
    for text in ("[]", "{}", '{"when": 1}'):
        with pytest.raises(ValueError, match="no record"):
            from_json(text)


def test_the_fingerprint_is_that_of_the_facts_alone() -> None:
    seen = seen_of(report(pickle.dumps(model())), 7.0)
    assert replace(seen, when=9.0, verdict="review", digest="x").fingerprint() == seen.fingerprint()
    assert replace(seen, names={}).fingerprint() != seen.fingerprint()


def test_the_same_content_has_no_changes() -> None:
    seen = seen_of(report(pickle.dumps(model())), 7.0)
    assert difference(seen, replace(seen, when=8.0)).changes == ()
    assert difference(Seen(1.0, 5), Seen(2.0, 5)).changes == ()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.title)
def test_every_hostile_sample_is_explained(sample: Sample, tmp_path: Path) -> None:
    name = f"model{sample.suffix}"
    try:
        found = inspect_bytes(sample.build(str(tmp_path / "marker")), name)
    except ArtifactError as error:
        judgement = judge_error(error)
        told = explain(None, judgement, Policy())
    else:
        judgement = judge(found, Policy())
        told = explain(found, judgement, Policy())
    assert told.headline.endswith(".")
    assert told.points
    assert told.points[0].verdict is judgement.verdict
    for dangerous in (reason for reason in judgement.reasons if reason.code == "dangerous-name"):
        name = dangerous.detail.partition(" could ")[0]
        assert any(one.name == name for point in told.points for one in point.mentions)


def test_a_dict_around_the_model_changes_no_parameter() -> None:
    bare, boxed = (
        seen_of(report(pickle.dumps(value)), 1.0) for value in (make_pipeline(model()), {"m": make_pipeline(model())})
    )
    assert bare.parameters == boxed.parameters


def test_of_new_names_the_dangerous_are_told_first() -> None:
    before = seen_of(report(pickle.dumps(1)), 1.0)
    now = seen_of(report(pickle.dumps([model(), IPv4Address(1), Payload(os.system, "x")])), 2.0)
    since = difference(before, now)
    added = [one.name for one in since.changes if one.what == "name"]
    assert added[:2] == ["posix.system", "ipaddress.IPv4Address"]
    assert news(since).startswith("now names posix.system, ipaddress.IPv4Address and ")
    assert news(since, ["posix.system"]).startswith("now names posix.system (was not there before); verdict safe → bl")


def test_news_of_what_is_gone_or_only_grew() -> None:
    assert news(difference(Seen(1.0, 5, names={"a.b": "called"}), Seen(2.0, 9))) == "no longer names a.b"
    assert news(difference(Seen(1.0, 5), Seen(2.0, 9))) == "size 5 → 9"
    assert news(difference(Seen(1.0, 5, parameters={"C": "1"}), Seen(2.0, 9, parameters={"C": "2"}))) == "C 1 → 2"


def test_a_name_that_only_looks_like_another_is_spelled_out() -> None:
    told = explained(b"\x80\x04\x8c\x03" + "\u043es".encode() + b"\x8c\x06system\x93)R.").points[0].mentions[0]
    assert told.name == "\u043es.system"
    assert told.use.endswith("spelled \\u043es.system")


def test_what_is_blocked_by_a_name_says_what_would_have_to_be_true() -> None:
    told = explained(pickle.dumps([Payload(os.system, "touch x")]))
    assert told.points[0].text == "No policy can trust such a name: the file is allowed once it is saved without it."
    told = explained(pickle.dumps(model().fit))
    assert told.headline.startswith("Loading it calls builtins.getattr, which could reach any attribute")
    assert told.points[0].text.startswith("It is allowed as the method of a class on the list, such as str.split")
    told = explained(pickle.dumps(IPv4Address("127.0.0.1")))
    assert told.points[0].text.endswith("A policy can trust these names.")
    assert told.policy == 'trusted = ["ipaddress.IPv4Address"]'


def test_a_getattr_of_a_known_class_alone_is_no_point() -> None:
    assert explained(pickle.dumps(str.split, 2)).points == ()
