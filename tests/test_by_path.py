"""A mapping kept as one sorted list answers as a dict does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.by_path import ByPath
from console.records import Artifact

PATHS = st.sampled_from(["", "a", "a/b", "a-b", "a/b/c", "z", "\udcff", "é", "A"])
STEPS = st.lists(st.tuples(PATHS, st.one_of(st.none(), st.integers(0, 9))), max_size=40)


@given(STEPS)
def test_it_holds_what_a_dict_would(steps: list[tuple[str, int | None]]) -> None:
    ours, plain = ByPath(), dict[str, Artifact]()
    for path, size in steps:
        if size is None:
            assert ours.drop(path) == plain.pop(path, None)
        else:
            row = Artifact(path, size, 0.0)
            assert ours.put(row) == plain.get(path)
            plain[path] = row
        assert list(ours) == sorted(plain)
        assert list(ours.values()) == list(ours.snapshot()) == [plain[one] for one in sorted(plain)]
        assert all(ours[one] == plain[one] for one in plain)
        assert (path in ours) == (path in plain)
    assert ByPath(plain.values()) == plain
    with pytest.raises(KeyError):
        ours["nowhere"]
