"""The descriptor of a model format, and what a loaded model is to whoever asks it.

A format is one folder below `backends/formats`; its package names `FORMATS`, a tuple of descriptors, and everything
about it stands there. Another distribution offers the same by an entry point of the group `model_console.formats`.

A descriptor is plain data and cheap to import: the console's own process reads it while it scans a store, so the module
it stands in imports nothing but the standard library and `backends.core`. The code behind it is named by a text and
imported when it is first used, in a child. Python 3.9 and its standard library are all this module may use.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol

from backends.base import Inspection, LoadedModel, NotLoadable, Signature, Source, Unsupported

__all__ = ["HEAD", "Format", "Implementation", "Runnable"]

HEAD = 4096
"""How many first bytes `starts`, `worth` and `sniff` are given; those inside a compression where there is one."""


class Implementation(Protocol):
    """The code of one format: an object, or a module with such functions; `load` and `save` may be missing."""

    def inspect(self, source: Source) -> Inspection:
        """Read the facts without running anything. Raises Damaged, Unsupported, OSError."""
        ...

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the model in this process; a `Frozen` source knows where its arrays lie.

        Raises what the model's code raises.
        """
        ...

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model` to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
        ...


class Runnable(Protocol):
    """A model that answers rows, whatever its library; it lives in a worker.

    Methods are called `predict`, `predict_proba`, `decision_function`, `transform`, `score_samples`, or have a name of
    their own that begins with `predict_`.
    """

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that rows can be asked of, the one that is asked by default first."""
        ...

    @property
    def row_wise(self) -> frozenset[str]:
        """The methods that answer each row for itself: requests for them may be merged into one call."""
        ...

    @property
    def signature(self) -> Signature:
        """Inputs and outputs as the model itself has them."""
        ...

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each row, as an array or a list, of a numpy array (rows x columns) or a pandas data frame.

        A frame's columns are those of the signature, in its order, where that names them. Rows are not written to.
        """
        ...

    def close(self) -> None:
        """Give back what the model holds."""
        ...


@dataclass(frozen=True)
class Format:
    """One model format. `name` is what `Inspection.format` says and what `convert --to` takes.

    `suffix` names new files, `suffixes` are all honest extensions (with their dots): a known one of another format is
    a mismatch. `title` says what the content is ("an ONNX model").
    """

    name: str
    suffix: str
    implementation: str
    """`package.module`, or `package.module:OBJECT`, of an Implementation."""
    title: str
    suffixes: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()
    """First bytes that tell the format; where there are none, `starts` does."""
    starts: Optional[Callable[[bytes], bool]] = None
    """Whether these first bytes can be this format: by content alone, cheap, and never wrong by silence."""
    worth: Optional[Callable[[bytes, Optional[int]], bool]] = None
    """Like `starts`, of a file of this size (None = unknown): whether a scan should inspect it, where that is less."""
    sniff: Optional[Callable[[bytes, Source], bool]] = None
    """Whether a file whose first bytes can be this format is in it; called in a child, and may import what it needs."""
    order: int = 50
    """Where several formats may be meant, the lower one is asked first: what is particular before what is general."""
    compressed: bool = False
    """Whether its files may stand inside a compression, which `inspect` and `load` then open (`open_envelope`)."""
    content: str = ""
    """The word for its content in "named .h5, but the content is …"; the name where it is empty."""
    not_loadable: str = ""
    """Why nothing is loaded from it and what to do instead, where the implementation has no `load`."""
    not_writable: str = ""
    """The same of `save`."""
    holds_objects: bool = False
    """Whether `load` gives a fitted Python object with methods in the manner of scikit-learn, which the worker adapts
    and a trainer can fit again; otherwise `LoadedModel.model` is a Runnable."""
    directory: bool = False
    """Whether an artifact of it is a directory."""
    extra: str = ""
    """The extra of this project that brings what running needs; named where a package is missing."""
    imports: tuple[str, ...] = ()
    """Modules that a zygote imports beforehand, because loading needs them and they start no threads."""
    trusted: tuple[str, ...] = ()
    """Lists of names that its artifacts may hold, as `package/file.txt`; those of other distributions do not count."""

    def may_be(self, head: bytes) -> bool:
        """Whether these first bytes can be this format."""
        return head.startswith(self.magic) if self.starts is None else self.starts(head)

    def is_worth(self, head: bytes, size: Optional[int] = None) -> bool:
        """Whether a scan should inspect a file with these first bytes."""
        return self.may_be(head) if self.worth is None else self.worth(head, size)

    def is_it(self, head: bytes, source: Source) -> bool:
        """Whether a file is in this format, by content: never by its name."""
        return self.may_be(head) and (self.sniff is None or self.sniff(head, source))

    def inspect(self, source: Source) -> Inspection:
        """Read the facts without running anything. Raises Damaged, Unsupported, OSError."""
        return self._code().inspect(source)

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the model in this process, a worker. Raises NotLoadable, Unsupported, and what its code raises."""
        code = self._code()
        if not hasattr(code, "load"):
            raise NotLoadable(self.not_loadable or f"{self.title} cannot be run by this console")
        return code.load(source, at)

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model` to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
        code = self._code()
        if not hasattr(code, "save"):
            raise NotLoadable(self.not_writable or f"{self.title} cannot be written by this console")
        code.save(model, fd, **options)

    @property
    def honest_suffixes(self) -> tuple[str, ...]:
        """The extensions under which files of this format are looked for."""
        return self.suffixes or (self.suffix,)

    def _code(self) -> Implementation:
        module, _, name = self.implementation.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            how = f": install the {self.extra} extra" if self.extra else ""
            raise Unsupported(
                f"reading {self.name} needs the Python package {error.name}, which is not installed{how}"
            ) from None
        code: Implementation = getattr(found, name) if name else found
        return code
