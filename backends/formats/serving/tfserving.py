"""Base paths of TensorFlow Serving: a directory for each version, of which the newest is served unless another is asked
for."""

from __future__ import annotations

from collections.abc import Mapping

from backends.core.inspection import Inspection
from backends.core.packed import is_packed, unpacked
from backends.core.source import Source
from backends.formats.serving import tf_members
from backends.formats.serving.layout import Layout, inspection_of, some


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive of such versions."""
    return is_packed(source, head, tf_members)


def inspect(source: Source) -> Inspection:
    """The versions in an archive. Raises Damaged, OSError."""
    with unpacked(source) as (members, findings):
        return inspection_of("tfserving", members, _told(members), "TensorFlow Serving", findings)


def inspect_directory(members: Mapping[str, Source]) -> Inspection:
    """The versions in a directory. Raises Damaged, OSError."""
    return inspection_of("tfserving", members, _told(members), "TensorFlow Serving")


def _told(members: Mapping[str, Source]) -> Layout:
    by_number = {int(name.partition("/")[0]): name.partition("/")[0] for name in members if "/" in name}
    numbers = sorted(by_number)
    return Layout(
        model=by_number[numbers[-1]] if numbers else "",
        others=tuple(by_number[one] for one in numbers[:-1]),
        summary=f"SavedModel, {len(numbers)} version{'s' * (len(numbers) > 1)}",
        details={
            "versions": some([str(one) for one in numbers]),
            "served version": f"{numbers[-1]}, unless a configuration says otherwise" if numbers else "",
            "files": len(members),
        },
    )
