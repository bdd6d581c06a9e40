"""The layers around a worker: what each is for, whether it holds, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from console.errors import ConsoleError
from console.records import Event, Json, Layer, WorkerView
from console.safe_text import safe
from console.ui import text
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import ConsoleScreen
from console.ui.widgets.keyvalue import paragraph
from console.ui.widgets.text_pane import TextPane

_FOR = {
    "descriptors": "nothing of the console's own stands open in it",
    "terminal": "it has no terminal to write to or read keys from",
    "limits": "memory, processor time and open files are capped",
    "cgroup": "the kernel caps and ends all of its processes together",
    "namespaces": "it has no network, and sees no other process",
    "user": "it runs as a user without rights",
    "no_new_privs": "nothing it starts can gain rights",
    "landlock": "it reaches only the files it needs",
    "seccomp": "system calls that no model needs are refused",
    "canary": "reading a file that is none of its business",
    "socket": "opening a socket",
    "fork": "starting a process",
    "write": "writing outside its scratch directory",
    "exec": "running another program",
    "signal": "sending the console a signal",
}
_NAME = 15


@dataclass(frozen=True, slots=True)
class Tried:
    """The sandbox layers of one worker, and its self-test."""

    layers: Mapping[str, Layer]
    selftest: Mapping[str, Layer]


class SandboxScreen(ConsoleScreen):
    """Of the worker of `path`, else of the worker with the fewest layers, else of one that is started to see."""

    PLACE = "sandbox"
    BINDINGS = bindings_at("sandbox", EVERYWHERE)
    AUTO_FOCUS = "TextPane"
    FOOTER = ("copy", "errors", "events", "back")

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self._path = path
        self._tried: Tried | str | None = None
        self._steps: tuple[Mapping[str, Layer], dict[str, str]] = {}, {}

    def content(self) -> Iterable[Widget]:
        """The text."""
        yield Container(TextPane(), id="sandbox-frame", classes="frame")

    async def on_mount(self) -> None:
        """Start a worker to see, where there is none."""
        await self.fetch()
        if self._worker() is None:
            self.run_worker(self._try(), group="sandbox", exclusive=True)
        self._show()

    def engine_changed(self, events: Sequence[Event]) -> None:
        """A worker came or went."""
        self._show()

    def on_resize(self) -> None:
        """Wrap for another width."""
        self._show()

    def _worker(self) -> WorkerView | None:
        workers = [one for one in self.mirror.workers.values() if one.layers]
        own = next((one for one in workers if one.path == self._path), None)
        return own or min(workers, key=lambda one: sum(layer.active for layer in one.layers.values()), default=None)

    async def _try(self) -> None:
        try:
            found = await self.engine.doctor.examine()
            tried = Tried(layers_in(found.get("sandbox")), layers_in(found.get("selftest")))
            self._tried = tried if tried.layers else "No layer was told."
        except ConsoleError as error:
            self._tried = error.message
        await self.fetch()
        self._show()

    async def fetch(self) -> None:
        """Fetch the remedies for missing layers, looked up once for the same layers."""
        held = self._held()
        if isinstance(held, Tried) and self._steps[0] != held.layers:
            self._steps = held.layers, await self.engine.doctor.remedies(dict(held.layers))

    def _held(self) -> Tried | str | None:
        """The sandbox of the worker, or of the last one that was tried."""
        worker = self._worker()
        return Tried(worker.layers, worker.selftest) if worker is not None else self._tried

    def _show(self) -> None:
        if not self.is_built:
            return
        frame, pane, worker = self.query_one("#sandbox-frame"), self.query_one(TextPane), self._worker()
        width = pane.text_width
        if width <= 0:
            return
        name = "sandbox of every new worker" if worker is None else f"sandbox of {safe(worker.path, 60)}"
        frame.border_title = Content(name)
        held = self._held()
        if isinstance(held, Tried):
            lines = sandbox_lines(held, self._steps[1], width)
        else:
            words = self._tried or text.sign("starting a worker to see what holds it …")
            lines = paragraph(safe(words), width, style="$quiet")
        pane.show(lines, keep_place=True)

    def do_sandbox(self) -> None:
        """The same key closes it."""
        self.do_back()

    def do_copy(self) -> None:
        """All of it as text."""
        self.app.copy(self.query_one(TextPane).plain, "sandbox")


def layers_in(found: Json) -> dict[str, Layer]:
    """The layers in a doctor's answer, those of its self-test included."""
    layers: dict[str, Layer] = {}
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict) and "active" in value:
            layers[name] = Layer(bool(value["active"]), str(value.get("evidence") or ""))
        else:
            layers.update(layers_in(value))
    return layers


def sandbox_lines(held: Tried, steps: Mapping[str, str], width: int) -> list[Content]:
    """The layers missing, then those that hold; last what a worker tried before it saw a byte of the model."""
    layers, selftest = held.layers, held.selftest
    missing = {name: layer for name, layer in layers.items() if not layer.active}
    head = f"{len(layers) - len(missing)} of {len(layers)} layers hold"
    lines = [*paragraph(head, width, style="bold"), Content("")]
    for name, layer in (*missing.items(), *((name, layer) for name, layer in layers.items() if layer.active)):
        lines += _layer(name, layer, width, steps.get(name, ""))
    if selftest:
        head = "tried inside, before it saw a byte of the model"
        lines += [Content(""), *paragraph(head, width, style="bold"), Content("")]
        for name, layer in selftest.items():
            lines += _layer(name, layer, width)
    return lines


def _layer(name: str, layer: Layer, width: int, step: str = "") -> list[Content]:
    glyph = (text.sign("✔"), "$success") if layer.active else (text.sign("✖"), "bold $warning")
    start = Content.assemble(glyph, " ", (safe(name, 40)[: _NAME - 1].ljust(_NAME), "" if layer.active else "bold"))
    purpose, evidence = _FOR.get(name, ""), safe(layer.evidence, 400)
    if not layer.active and purpose:
        purpose = f"what it is for: {purpose}"
    said = [(purpose, "$foreground"), (evidence, "$quiet")]
    if not layer.active:
        said = [(evidence, "$warning"), (safe(step, 400), "$foreground"), (purpose, "$quiet")]
    room = max(16, width - _NAME - 2)
    parts = [part for words, style in said if words for part in Content.styled(words, style).wrap(room)]
    margin = Content(" " * (_NAME + 2))
    return [(margin if index else start) + part.rstrip() for index, part in enumerate(parts)] or [start]
