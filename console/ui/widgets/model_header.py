"""Two lines about the model a screen is about: how it is, what it is, and which bytes; a third where it warns."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from console.safe_text import safe
from console.ui import states, text
from console.ui.keys import key_for
from console.ui.rows import Row
from console.ui.widgets.warned import warned_line, warnings_of


class ModelHeader(Widget):
    """`● ready  Pipeline › LogisticRegression   ✔ safe` over format, size, age and digest."""

    DEFAULT_CSS = "ModelHeader { height: 2; width: 1fr; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[Content, ...] = ()

    def show(self, row: Row | None, path: str) -> None:
        """Say how the model is now; repaint only what is different."""
        lines = (_state(row), _bytes(row)) if row is not None else _gone(path)
        warnings = warnings_of(row.worker) if row is not None else ()
        lines = (*lines, warned_line(warnings)) if warnings else lines
        if not text.same(lines, self._lines):
            taller = len(lines) != len(self._lines)
            self._lines = lines
            self.styles.height = len(lines)
            self.refresh(layout=taller)

    def render(self) -> Content:
        """Both lines, cut to the width."""
        return Content("\n").join([line.truncate(self.content_size.width, ellipsis=True) for line in self._lines])


def _state(row: Row) -> Content:
    status, trust = row.status, states.trust(row.artifact)
    parts: list[tuple[str, str]] = [(str(status), f"bold {text.role_style(status.role)}"), ("   ", "")]
    if row.trouble:
        parts[-1:] = [(f"  {row.trouble}", "$error"), ("   ", "")]
    artifact = row.artifact
    reading = artifact.verdict is None and not (artifact.why or artifact.problem or artifact.settling)
    name = states.class_words(row.artifact) or ("reading …" if reading else "no model was read")
    parts += [(text.sign(name), "bold $foreground"), ("   ", "")]
    if trust.word and trust.word != status.word:
        parts.append((str(trust), text.role_style(trust.role)))
    if row.worker is not None and row.worker.at:
        parts.append((f"   at {safe(row.worker.at, 60)}", "$quiet"))
    if row.artifact.changed:
        parts += [("   ", ""), (key_for("reload"), "bold $accent"), (" loads the new file", "$quiet")]
    return Content.assemble(*parts)


def _bytes(row: Row) -> Content:
    artifact = row.artifact
    packed = safe(artifact.format or "", 24) + (f" in {safe(artifact.compression, 24)}" if artifact.compression else "")
    packed += " sealed with age" if artifact.sealed and artifact.format != "age" else ""
    digest = (artifact.digest or "").removeprefix("sha256:")
    words = [
        packed,
        *((text.size(artifact.size), f"changed {text.ago(artifact.modified)}") if artifact.modified else ()),
    ]
    words.append(f"sha256 {safe(digest)[:12]}" if digest else "")
    if artifact.link and not artifact.problem:
        words.append(f"link to {safe(artifact.link)}")
    if artifact.problem:
        words.append(safe(artifact.problem))
    return Content.styled(text.joined(words), "$quiet")


def _gone(path: str) -> tuple[Content, ...]:
    return (
        Content.styled(f"{text.sign('✖')} not in the store any more", "bold $error"),
        Content.styled(f"{safe(path)} was removed or renamed", "$quiet"),
    )
