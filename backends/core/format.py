"""The descriptor of a model format.

A format is one folder below `backends/formats`; its package names `FORMATS`, a tuple of descriptors, and everything
about it stands there. Another distribution offers the same by an entry point of the group `model_console.formats`.

A descriptor is plain data and cheap to import: the console's own process reads it while it scans a store, so the module
it stands in imports nothing but the standard library and `backends.core`. The implementation is named by a text and
imported when it is first used, in a child. Python 3.9 and its standard library are all this module may use.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol

from backends.core.errors import NotLoadable, Unsupported
from backends.core.footprint import Reckon
from backends.core.inspection import Inspection
from backends.core.source import Source

if TYPE_CHECKING:
    from backends.core.model import Model

LIKELY = 0x20202020
"""The size of a file that nothing is known of: less than what four characters of text are as a number."""
HEAD = 4096
"""How many first bytes `starts`, `worth` and `sniff` are given; those inside a compression where there is one."""


@dataclass
class LoadedModel:
    """A model built in this process: what stands at `at`, and how long (in seconds) the phases of reading it took.

    `model` is the fitted object itself where the format has an `adapter`, otherwise a Runnable.
    """

    model: Any
    format: str
    at: str = ""
    phases: dict[str, float] = field(default_factory=dict)


class Implementation(Protocol):
    """The code of one format: an object, or a module with such functions; all but `inspect` may be missing."""

    def sniff(self, head: bytes, source: Source) -> bool:
        """Whether a file whose first bytes can be this format is in it. Raises OSError."""
        ...

    def inspect(self, source: Source) -> Inspection:
        """Read the facts without running anything. Raises Damaged, Unsupported, OSError."""
        ...

    def arrays(self, source: Source) -> Iterator[tuple[str, Any]]:
        """The arrays of numbers that `inspect` has told, by their names, one after another, as numpy's.

        Raises Damaged, OSError.
        """
        ...

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the model in this process; a `Frozen` source knows where its arrays lie.

        Raises what the model's code raises.
        """
        ...

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model` to the open, empty, writable and seekable `fd`, in the `compression` that an option names.

        Raises NotLoadable, OSError.
        """
        ...


@dataclass(frozen=True)
class Format:
    """One model format. `name` is what `Inspection.format` says and what `convert --to` takes.

    `suffix` names new files, `title` says what its content is ("an ONNX model"), and `implementation` names its code:
    `package.module`, or `package.module:OBJECT`, of an Implementation.
    """

    name: str
    suffix: str
    implementation: str
    title: str
    suffixes: tuple[str, ...] = ()
    """All honest extensions, with their dots: a known one of other formats is a mismatch."""
    promises: tuple[str, ...] = ()
    """Extensions that make a file worth a row even when it cannot be read."""
    magic: tuple[bytes, ...] = ()
    """First bytes that tell the format by themselves."""
    starts: Optional[Callable[[bytes], bool]] = None
    """Whether these first bytes can be this format, where `magic` does not tell: cheap, and never wrong by silence."""
    vague: bool = False
    """Whether much else may start like it, so that it is asked only where no other format can be meant."""
    worth: Optional[Callable[[bytes, Optional[int]], bool]] = None
    """Whether a scan should inspect a file with these first bytes and of this size (None = unknown), where that is not
    whether they can be this format."""
    fallback: Optional[Callable[[Source, bytes, Optional[str]], bool]] = None
    """Whether a file that no format claims by its first bytes is in this one: asked with those, and its compression."""
    also: Optional[Callable[[Source, bytes, str], Optional[Inspection]]] = None
    """What readers of this format would find in a file (asked with its first bytes) that is in the one of this name."""
    complaint: Optional[Callable[[bytes], Optional[str]]] = None
    """What Python says when a file with these first bytes, in no known format, is read as this one."""
    order: int = 50
    """Where several formats may be meant, the lower one is asked first: what is particular before what is general."""
    decides: bool = False
    """Whether its `inspect` finds out by itself which of several formats a file is in, so that `sniff` need not."""
    includes: tuple[str, ...] = ()
    """Formats that are parts of honest files in this one: no file is taken for two formats because of them."""
    compressed: bool = False
    """Whether its files may stand inside a compression, which `inspect` and `load` then open (`decompressed`)."""
    compressions: tuple[str, ...] = ()
    """Compressions that nothing else uses: a file inside one is in this format."""
    content: str = ""
    """The word for its content in "named .h5, but the content is …"; the name where it is empty."""
    runs_code: bool = False
    """Whether loading runs what a file names, so that a name that promises data is a disguise."""
    undisguised: tuple[str, ...] = ()
    """Extensions of other formats that hide nothing of that."""
    of_header: bool = False
    """Whether the header alone is read, so that a file of any size is inspected at once, holes and all."""
    bytewise: bool = False
    """Whether the offsets of its findings count from the start of the file, where people can look them up."""
    not_loadable: str = ""
    """Why nothing is loaded from it and what to do instead, where the implementation has no `load`."""
    not_writable: str = ""
    """The same of `save`."""
    convertible: bool = False
    """Whether `convert` offers to write it."""
    portability: str = ""
    """Programs that read it, in a few words."""
    adapter: str = ""
    """Name (as `implementation` has it) of the Model that is made of each fitted Python object which `load` gives, and
    which a trainer can fit again; empty where `LoadedModel.model` is a Runnable."""
    members: Optional[Callable[[Collection[str]], tuple[str, ...]]] = None
    """Which entries of a directory make one artifact of it, by their names alone, if all of them are files; none where
    it is no artifact of this format. The implementation has `inspect_directory` besides."""
    compiles: bool = False
    """Whether what runs its models writes code of its own while it runs, be it only for a call back into Python."""
    folders: Optional[Callable[[Collection[str]], tuple[str, ...]]] = None
    """Which entries of a directory may be directories with members in them: `members` is asked with theirs besides, as
    `variables/variables.index`, and this again with those, for directories in directories."""
    packed: Optional[Callable[[Collection[str]], bool]] = None
    """Whether a directory with these members is run, from an archive of them that `inspect` and `load` read."""
    footprint: Optional[Reckon] = None
    """The memory that a loaded model takes, by the facts of its file and the size of that."""
    pickled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Classes whose pickled state holds such a file, and the keys under which releases of the library look for it; the
    implementation's `inspect_pickled`, or `inspect`, reads it there."""
    extra: str = ""
    """The extra of this project that brings what running needs; named where a package is missing."""
    imports: tuple[str, ...] = ()
    """Modules that a zygote imports beforehand, because loading needs them and they start no threads."""

    def may_be(self, head: bytes) -> bool:
        """Whether these first bytes can be this format."""
        return head.startswith(self.magic) if self.starts is None else self.starts(head)

    def is_worth(self, head: bytes, size: Optional[int] = None) -> bool:
        """Whether a scan should inspect a file with these first bytes."""
        return self.may_be(head) if self.worth is None else self.worth(head, size)

    def is_it(self, head: bytes, source: Source) -> bool:
        """Whether a file that can be this format is in it, by content: never by its name."""
        code = self.code()
        return not hasattr(code, "sniff") or code.sniff(head, source)

    def inspect(self, source: Source) -> Inspection:
        """Read the facts without running anything. Raises Damaged, Unsupported, OSError."""
        return self.code().inspect(source)

    def inspect_directory(self, members: Mapping[str, Source]) -> Inspection:
        """Read the facts of an artifact that is a directory, by the names of its members. Raises as `inspect` does."""
        code: Any = self.code()
        found: Inspection = code.inspect_directory(members)
        return found

    def arrays(self, source: Source) -> Iterator[tuple[str, Any]]:
        """The arrays of numbers in a file, by name; nothing where this format does not tell them. Raises Damaged,
        OSError."""
        code = self.code()
        return code.arrays(source) if hasattr(code, "arrays") else iter(())

    def load(self, source: Source, at: str = "") -> LoadedModel:
        """Build the model in this process, a worker. Raises NotLoadable, Unsupported, and what its code raises."""
        code = self.code()
        if not hasattr(code, "load"):
            raise NotLoadable(self.not_loadable or f"{self.title} cannot be run by this console")
        return code.load(source, at)

    def save(self, model: Any, fd: int, **options: Any) -> None:
        """Write `model` to the open, empty, writable and seekable `fd`. Raises NotLoadable, OSError."""
        code = self.code()
        if not hasattr(code, "save"):
            raise NotLoadable(self.not_writable or self.not_loadable or f"{self.title} cannot be written here")
        code.save(model, fd, **options)

    def model(self, loaded: LoadedModel) -> Model:
        """The model that `load` gave, as a worker asks it."""
        made: Model = _named(self.adapter or "backends.core.model:Model")(loaded.model)
        return made

    @property
    def honest_suffixes(self) -> tuple[str, ...]:
        """The extensions under which files of this format are looked for."""
        return self.suffixes or (self.suffix,)

    def code(self) -> Implementation:
        """The implementation. Raises Unsupported where a package that it imports is not installed."""
        try:
            code: Implementation = _named(self.implementation)
        except ModuleNotFoundError as error:
            advice = f": install the {self.extra} extra" if self.extra else ""
            words = f"reading this format needs the Python package {error.name}, which is not installed{advice}"
            raise Unsupported(words) from None
        return code


def _named(text: str) -> Any:
    """The object called `package.module:NAME`, or the module. Raises ModuleNotFoundError."""
    module, _, name = text.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found
