"""The versions of an artifact as a list, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from console.records import Version
from console.safe_text import safe
from console.ui import text
from console.ui.widgets.line_list import LineList
from console.ui.widgets.text_pane import Hanging, Line

_LABEL = 9


class VersionList(LineList):
    """One line a version: number, when, who, why, digest, its first metric."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: tuple[Version, ...] = ()

    @property
    def version(self) -> Version | None:
        """The one under the cursor."""
        return next((one for one in self.versions if one.version == self.key), None)

    def show_versions(self, versions: Sequence[Version]) -> None:
        """Newest first, as the engine gives them."""
        self.versions = tuple(versions)
        who = text.widest(safe(one.who, 16) for one in versions)
        metric = text.widest(_metric(one) for one in versions)
        self.show([(one.version, _line(one, who, metric)) for one in versions])


def _line(version: Version, who: int, metric: int) -> Content:
    """A version in columns as wide as the list needs them; one that no version fills is left out."""
    mark = (f"{text.sign('●')} current", "$success") if version.current else (" " * 9, "")
    return Content.assemble(
        mark,
        (f"  {version.version:>3}", "bold"),
        (f"  {text.ago(version.when):>8}", "$quiet"),
        f"  {text.padded(safe(version.who, 16), who)}" if who else "",
        (f"  {text.padded(_metric(version), metric)}" if metric else "", "$foreground"),
        (f"  {safe(version.digest).removeprefix('sha256:')[:8]}", "$quiet"),
        f"  {safe(version.why, 120)}",
    )


def _metric(version: Version) -> str:
    name, value = next(iter(version.metrics.items()), ("", 0.0))
    return f"{safe(name, 24)} {text.number(value)}" if name else ""


def version_lines(version: Version) -> list[Line]:
    """All that is known of one version."""
    facts = [
        ("version", f"{version.version}{' (in place now)' if version.current else ''}"),
        ("since", f"{text.clock(version.when)}, {text.ago(version.when)}"),
        ("who", safe(version.who)),
        ("why", safe(version.why)),
        ("size", text.size(version.size)),
        ("digest", safe(version.digest)),
    ]
    lines: list[Line] = [
        Hanging(Content.assemble((f"{name:<{_LABEL}}", "$quiet"), value), _LABEL) for name, value in facts if value
    ]
    if version.metrics:
        lines += [Content(""), Content.styled("metrics when it was put in place", "bold $quiet")]
        width = text.widest(map(safe, version.metrics))
        lines += [
            Content.assemble(f"  {text.padded(safe(name), width)}  ", (text.number(value), "bold"))
            for name, value in version.metrics.items()
        ]
    return lines
