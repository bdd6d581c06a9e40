"""Changes on the disk, carried over to the rows and to what is loaded."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.access.recipes import Recipes
from console.catalog.artifact_rows import ArtifactRows
from console.catalog.catalog import Catalog
from console.catalog.index import Index, Remembered
from console.catalog.listing import Changes, row_of
from console.errors import ConsoleError, InputError
from console.events import Bus
from console.files.syscalls import give_memory_back
from console.inspection.service import InspectionService
from console.records import Artifact, Event
from console.serving.supervisor import Supervisor

if TYPE_CHECKING:
    from console.catalog.change_notifications import Coverage
    from console.catalog.watcher import Watcher

SAVE_AFTER_S = 1.0
FIRST_ROWS = 200
"""What the first screen can show."""

_WORDS = {"ask": "reload it when you are ready", "reload": "it is being reloaded", "ignore": "it is left as it is"}


def _beneath(page: Remembered, top: str) -> Remembered:
    """The part of a page about one directory and those beneath it."""
    start = top + "/"
    marks = {path: one for path, one in page.marks.items() if path.startswith(start)}
    return replace(page, rows=[row for row in page.rows if row.path.startswith(start)], marks=marks)


class Watching:
    """Keeps the rows true to the disk, and tells the supervisor when a loaded file holds other bytes."""

    def __init__(
        self,
        root: Path,
        rows: ArtifactRows,
        inspections: InspectionService,
        supervisor: Supervisor,
        recipes: Recipes,
        bus: Bus,
        *,
        given: Path | None = None,
        moved: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.scanning = False
        self.offline: str | None = None
        self._root = root
        self._rows = rows
        self._inspections = inspections
        self._supervisor = supervisor
        self._recipes = recipes
        self._bus = bus
        self._moved_to = moved
        self._catalog = Catalog(root, given=given)
        self._index: Index | None = None
        self._pages: Iterator[Remembered] = iter(())
        self._watcher: Watcher | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._learned: dict[str, Artifact] = {}
        self._gone: set[str] = set()
        self._young: set[str] = set()
        self._fingerprint = ""
        self._saving: asyncio.Task[None] | None = None

    async def remember(self) -> None:
        """Start from what the last session knew of this store: the first screen of it at once."""
        self.scanning = True
        give_memory_back()
        self._index = Index(self._root)
        self._pages = self._index.pages(self._inspections.fingerprint(), FIRST_ROWS)
        await self._remember_page()

    async def remember_all(self) -> None:
        """The rest of what the last session knew."""
        while await self._remember_page():
            pass
        if len(self._rows) > FIRST_ROWS:
            self._bus.emit("store.scanning", "", f"{self._count} known")

    async def _remember_page(self, top: str = "") -> bool:
        def read() -> Remembered | None:
            page = next(self._pages, None)
            if page is not None and top:
                page = _beneath(page, top)
            if page is not None:
                self._catalog.seed(page.rows, page.marks)
            return page

        page = await asyncio.to_thread(read)
        if page is None:
            return False
        self._rows.put(page.rows)
        gc.freeze()  # these rows stay: a collector that looks at each of them holds up whoever types
        return True

    def start(self, reconcile_s: float) -> None:
        """Scan, then follow the disk until `close`."""
        from console.catalog.watcher import Listener, Watcher

        listener = Listener(
            changed=self.take,
            scanned=self._scanned,
            offline=self._went_offline,
            online=self._came_online,
            coverage=self._covers,
            moved=self._went_elsewhere,
        )
        self._watcher = Watcher(self._catalog, listener, asyncio.get_running_loop(), reconcile_s=reconcile_s)
        self._watcher.start()

    async def scan(self, top: str = "") -> None:
        """One look at the whole store, or at `top` and what is beneath it, without following it, from what an earlier
        session left. Raises StoreOffline."""
        index = Index(self._root)
        if index.there:
            self._index, self._pages = index, index.pages(self._inspections.fingerprint())
            while await self._remember_page(top):
                pass
        look = partial(self._catalog.scan_beneath, top) if top else self._catalog.scan_all
        self.take(await asyncio.to_thread(look))

    async def row(self, path: str) -> Artifact:
        """The row of one path, looked up on the disk where there is none. Raises InputError."""
        known = self._rows.get(path)
        return known if known is not None else await asyncio.to_thread(row_of, self._root, path)

    async def row_anew(self, path: str) -> Artifact:
        """The row of one path as the disk has it now; where it is another one, the watcher looks there as well.

        Raises InputError.
        """
        known = self._rows.get(path)
        try:
            now = await asyncio.to_thread(row_of, self._root, path)
            if known is not None and (known.identity, known.problem) == (now.identity, now.problem):
                return known
        except InputError:
            self._look_beside(path)
            raise
        self._look_beside(path)
        return now

    def _look_beside(self, path: str) -> None:
        if self._watcher is not None:
            self._watcher.look(self._catalog.home(path))

    def learn(self, row: Artifact) -> None:
        """Take over what an inspection found; that there was none is shown, and remembered nowhere."""
        if row.problem is not None:
            return
        if row.verdict is None:
            before = self._rows.get(row.path)
            if before is not None and before.identity == row.identity and before != row:
                self._rows.put([replace(before, why=row.why)])
                self._bus.emit("artifact.uninspected", row.path, f"{row.path} is {row.why}", severity="attention")
        elif self._catalog.learn(row):
            self._rows.put([row])
            why = f": {row.why}" if row.why else ""
            self._bus.emit("artifact.inspected", row.path, f"{row.path} is {row.verdict}{why}")
            self._learned[row.path] = row
            self._fingerprint = self._inspections.fingerprint()
            if self._index is not None and self._saving is None:
                self._saving = asyncio.ensure_future(self._save_soon())

    async def close(self) -> None:
        """Stop following and give up what is still being compared."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._watcher is not None:
            await self._watcher.aclose()
        if self._index is not None:
            if self._saving is not None:
                self._saving.cancel()
            await asyncio.to_thread(self._save, self._index)
            self._index.close()

    async def _save_soon(self) -> None:
        """Write what was learned to the index, a while after the first of it, so that a survey writes in batches."""
        await asyncio.sleep(SAVE_AFTER_S)
        self._saving = None
        if self._index is not None:
            await asyncio.to_thread(self._save, self._index)

    def _save(self, index: Index) -> None:
        learned, self._learned = self._learned, {}
        removed, self._gone = self._gone, set()
        index.save(learned.values(), self._catalog.marks(), removed, policy=self._fingerprint)

    def hear(self, event: Event) -> None:
        """Take note of what happened to a worker: its row says whether it holds what the file holds.

        A file that changed while its worker was still starting, or before the worker's digest was known, is compared
        when both are there.
        """
        if event.kind in ("worker.ready", "worker.phase"):
            view, row = self._supervisor.view(event.subject), self._rows.get(event.subject)
            if view is not None and row is not None and view.digest is not None and not view.phase:
                other = row.digest is not None and row.digest != view.digest
                if other and not row.changed and not row.settling:
                    self._compare_soon(row)
                self._rows.mark_changed(event.subject, other)
        if event.kind.startswith("worker."):
            self._rows.touch()

    # what the watcher says

    def take(self, changes: Changes) -> None:
        """Apply one batch of changes, on the event loop."""
        self._rows.put((*changes.added, *changes.changed))
        self._rows.drop(changes.removed)
        for row in changes.added:
            self._appeared(row)
        for row in changes.changed:
            self._moved(row)
        for row in (*changes.added, *changes.changed):
            if not row.settling and self._supervisor.view(row.path) is not None:
                self._compare_soon(row)
        for path in changes.removed:
            self._removed(path)
        self._young = {path for path in self._young if (seen := self._rows.get(path)) is not None and seen.settling}
        if changes and self.scanning:
            self._bus.emit("store.scanning", "", f"{self._count} so far")

    def _appeared(self, row: Artifact) -> None:
        if row.settling:
            self._young.add(row.path)
        if not self.scanning:
            self._tell("artifact.added", row, "appeared")

    @property
    def _count(self) -> str:
        """How many artifacts have rows, in words."""
        count = len(self._rows)
        return f"{count} artifact{'s' if count != 1 else ''}"

    def _moved(self, row: Artifact) -> None:
        """A file is being written, or has been; that of one that has only just appeared is no news."""
        if row.settling:
            self._bus.emit("artifact.settling", row.path, f"{row.path} is being written")
        elif self._supervisor.view(row.path) is None:
            kind = "artifact.settled" if row.path in self._young else "artifact.changed"
            text = "is at rest" if row.path in self._young else "changed on disk"
            self._tell(kind, row, text)

    def _tell(self, kind: str, row: Artifact, text: str) -> None:
        """Tell what happened to a file, and why it can hold no model where that is so."""
        if row.problem is None or row.settling:
            self._bus.emit(kind, row.path, f"{row.path} {text}")
        else:
            self._bus.emit(kind, row.path, f"{row.path} {text}, and {row.problem}", severity="attention")

    def _removed(self, path: str) -> None:
        self._inspections.forget(path)
        self._gone.add(path)
        if self.scanning:
            return
        loaded = self._supervisor.view(path) is not None
        text = f"{path} was removed" + (" while it is loaded; its worker keeps answering" if loaded else "")
        self._bus.emit("artifact.removed", path, text, severity="attention" if loaded else "info")

    def _scanned(self) -> None:
        if self.scanning:
            self.scanning = False
            self._bus.emit("store.scanned", "", f"{self._count} found")

    def _went_offline(self, why: str) -> None:
        self.offline = why
        self._rows.touch()
        self._bus.emit("store.offline", "", why, severity="failure")

    def _came_online(self) -> None:
        self.offline = None
        self._rows.touch()
        self._bus.emit("store.online", "", f"the store {self._root} is back", severity="ok")

    def _went_elsewhere(self, root: Path) -> None:
        """The store's path leads to another directory now: what comes next is of that one."""
        text = f"the store {self._catalog.given} leads to {root} now, no longer to {self._root}"
        self._root = root
        self._moved_to(root)
        if self._index is not None:
            index, self._index = self._index, Index(root)
            self._keep(asyncio.to_thread(self._save_and_close, index, self._learned))
            self._learned, self._gone = {}, set()
        self._bus.emit("store.moved", "", text, severity="attention")

    def _save_and_close(self, index: Index, learned: dict[str, Artifact]) -> None:
        index.save(learned.values(), policy=self._fingerprint)
        index.close()

    def _covers(self, coverage: Coverage) -> None:
        if coverage.mode != "events":
            self._bus.emit("store.coverage", "", coverage.text, severity="attention")

    # loaded files that change

    def _compare_soon(self, row: Artifact) -> None:
        self._keep(self._compare(row))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compare(self, row: Artifact) -> None:
        """A loaded file was touched: tell whether it holds other bytes now, and reload it if its recipe says so."""
        path = row.path
        try:
            report = await self._inspections.report(row, digest=True)
        except ConsoleError as error:
            self._bus.emit("artifact.changed", path, f"{path} changed on disk: {error}", severity="attention")
            return
        current = self._rows.get(path)
        if current is not None and current.identity != row.identity:
            return  # the file was replaced meanwhile: what is there now is compared by itself
        self._rows.put([report.artifact])
        view, digest = self._supervisor.view(path), report.artifact.digest
        if view is None or view.digest is None or view.phase:
            return
        self._rows.mark_changed(path, digest != view.digest)
        if digest == view.digest:
            return
        choice = self._recipes.or_default(path).reload.on_change
        text = f"{path} changed on disk while it is loaded; {_WORDS[choice]}"
        self._bus.emit("artifact.changed", path, text, severity="attention", old=view.digest, new=digest)
        if choice == "reload":
            try:
                await self._supervisor.reload(path)
            except ConsoleError as error:
                self._bus.emit("worker.error", path, f"{path} was not reloaded: {error}", severity="failure")
