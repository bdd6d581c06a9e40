"""HDF5 files built to mislead or to break: nothing outside the file is read, and each is told in plain words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from backends.core.errors import Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import Source
from backends.formats.hdf5 import own
from backends.formats.hdf5.tree import Limits, Tree, damage_as_errors, open_tree
from tests.inspecting import inspect_file

ROOT = Path(__file__).resolve().parents[2]
CANARY = b"canary: these bytes must never be read\n" * 10


def load(path: Path) -> Any:
    with path.open("rb") as file:
        return own.load(Source(file.fileno(), path.name)).model


def codes(facts: Inspection) -> set[str]:
    return {found.code for found in facts.findings}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    X = np.random.default_rng(0).normal(size=(30, 3))
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    path = tmp_path / "model.h5"
    with path.open("w+b") as file:
        own.save(fitted, file.fileno())
    return path


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary"
    path.write_bytes(CANARY)
    return path


def add_external_link(file: h5py.File, canary: Path) -> None:
    file["/model/steps/standardscaler"]["extra_"] = h5py.ExternalLink(str(canary), "/anything")


def add_external_storage(file: h5py.File, canary: Path) -> None:
    del file["/model/steps/standardscaler/mean_"]
    file["/model/steps/standardscaler"].create_dataset("mean_", (3,), "f8", external=[(str(canary), 0, 24)])


def add_virtual(file: h5py.File, canary: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(canary), "data", (3,))
    del file["/model/steps/standardscaler/mean_"]
    file["/model/steps/standardscaler"].create_virtual_dataset("mean_", layout)


@pytest.mark.parametrize(
    ("add", "code"),
    [
        (add_external_link, "hdf5-external-link"),
        (add_external_storage, "hdf5-external-storage"),
        (add_virtual, "hdf5-virtual"),
    ],
)
def test_values_of_other_files_are_told_and_never_read(model: Path, canary: Path, add: Any, code: str) -> None:
    with h5py.File(model, "r+") as file:
        add(file, canary)
    os.utime(canary, (1, 1))
    facts = inspect_file(model)
    assert code in codes(facts)
    assert not facts.loadable
    assert not facts.complete
    assert str(canary) in "".join(found.detail for found in facts.findings) or code == "hdf5-virtual"
    with pytest.raises(Damaged, match="not loaded, because"):
        load(model)
    assert canary.stat().st_atime == 1


@pytest.mark.parametrize("add", [add_external_link, add_external_storage, add_virtual])
def test_the_same_in_a_file_of_data(tmp_path: Path, model: Path, canary: Path, add: Any) -> None:
    with h5py.File(model, "r+") as file:
        add(file, canary)
        del file.attrs["format"]
    facts = inspect_file(model)
    assert facts.format == "hdf5-data"
    assert facts.findings
    assert not facts.complete


def test_soft_link_loops_are_shown_and_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "loop.h5"
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    facts = inspect_file(path)
    assert [found.detail for found in facts.findings] == ["/a points at /b", "/b points at /a"]


def test_a_circle_of_hard_links_ends(tmp_path: Path) -> None:
    path = tmp_path / "circle.h5"
    with h5py.File(path, "w") as file:
        file.create_group("a/b")
        file["a/b/up"] = file["a"]
        file["a/b/root"] = file["/"]
        file["a/data"] = np.arange(3)
    facts = inspect_file(path)
    assert codes(facts) == {"hdf5-hard-link"}
    assert [info.name for info in facts.arrays] == ["/a/data"]


def test_a_shape_bomb_is_told_without_allocating(tmp_path: Path, model: Path) -> None:
    with h5py.File(model, "r+") as file:
        del file["/model/steps/standardscaler/mean_"]
        file["/model/steps/standardscaler"].create_dataset("mean_", (2**40,), "f8", chunks=(1024,))
    facts = inspect_file(model)
    assert "hdf5-shape-bomb" in codes(facts)
    with pytest.raises(Damaged, match="announces"):
        load(model)


def test_a_compressed_chunk_that_is_damaged_is_told(model: Path) -> None:
    with h5py.File(model, "r+") as file:
        group = file["/model/steps/standardscaler"]
        del group["mean_"]
        made = group.create_dataset("mean_", (3,), "f8", chunks=(3,), compression="gzip")
        made.id.write_direct_chunk((0,), zlib.compress(bytes(24))[:-5])
    with pytest.raises(Damaged, match="is damaged at"):
        load(model)


def test_an_unknown_filter_names_what_is_needed(model: Path) -> None:
    with h5py.File(model, "r+") as file:
        group = file["/model/steps/standardscaler"]
        del group["mean_"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((3,))
        plist.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(group.id, b"mean_", h5py.h5t.IEEE_F64LE, space, plist)
    facts = inspect_file(model)
    assert "hdf5-filter" in codes(facts)
    with pytest.raises(NotLoadable, match="hdf5plugin"):
        load(model)


def test_depth_count_and_attribute_size_are_capped(tmp_path: Path) -> None:
    path = tmp_path / "caps.h5"
    with h5py.File(path, "w", libver="latest", track_order=True) as file:
        file.create_group("/".join("d" * 30))
        for number in range(50):
            file[f"wide/{number}"] = number
        file.attrs["long"] = np.zeros(100_000)
        file.attrs.create("texts", ["x"] * 500, dtype=h5py.string_dtype())
    limits = Limits(objects=60, depth=10, members=40, attribute_bytes=1000, attribute_texts=100, findings=3)
    with path.open("rb") as raw, open_tree(Source(raw.fileno()), limits) as tree:
        assert tree.attributes(tree.file) == {}
        assert sum(1 for _ in tree.walk(tree.file)) < 60
        assert codes_of(tree) == {"limit"}
        assert len(tree.findings) == 3
        assert not tree.complete


def codes_of(tree: Tree) -> set[str]:
    return {found.code for found in tree.findings}


def test_names_with_control_characters_come_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "names.h5"
    with h5py.File(path, "w") as file:
        file["\x1b]0;pwn\x07"] = np.arange(3)
        file.attrs["\x1b]0;pwn\x07"] = "x"
    assert inspect_file(path).arrays[0].name == "/\x1b]0;pwn\x07"


def test_names_that_are_no_utf_8_do_not_break_the_walk(tmp_path: Path) -> None:
    path = tmp_path / "bytes.h5"
    with h5py.File(path, "w") as file:
        h5py.h5g.create(file.id, b"\xff\xfe bad")
        file["good"] = np.arange(3)
    assert [info.name for info in inspect_file(path).arrays] == ["/good"]


@pytest.mark.parametrize("cut", range(97))
def test_a_file_cut_anywhere_is_damaged(model: Path, tmp_path: Path, cut: int) -> None:
    data = model.read_bytes()
    short = tmp_path / "short.h5"
    for end in range(8 + cut * 97 % len(data), len(data), 97 * 97):
        short.write_bytes(data[:end])
        with pytest.raises(Damaged) as caught:
            inspect_file(short)
        assert "\n" not in str(caught.value)


FLIPPER = """
    import os, random, signal, sys
    from backends.core import registry
    from backends.core.errors import ArtifactError
    from backends.core.source import Source
    from backends.formats.hdf5 import own
    data = bytearray(open(sys.argv[1], "rb").read())
    own.load(Source(os.open(sys.argv[1], os.O_RDONLY)))
    random.seed(int(sys.argv[2]))
    for number in range(int(sys.argv[3])):
        flipped = bytearray(data)
        for _ in range(1 + number % 3):
            flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
        fd = os.memfd_create("flipped")
        os.write(fd, flipped)
        child = os.fork()
        if not child:
            signal.alarm(10)
            code = 0
            for step in (lambda: registry.inspect(Source(fd)), lambda: own.load(Source(fd))):
                try:
                    step()
                except ArtifactError:
                    code |= 1
                except BaseException as error:
                    if step.__code__.co_names[0] == "registry":
                        print(number, type(error).__name__, error, flush=True)
                        code |= 2
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os.close(fd)
"""


@pytest.mark.parametrize("flips", [30, pytest.param(150, marks=pytest.mark.slow)])
def test_flipped_bits_end_in_a_sentence_or_in_the_childs_death_alone(model: Path, flips: int) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FLIPPER), str(model), "1", str(flips)]
    told = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert told.returncode == 0, told.stderr
    ends = told.stdout.split("\n")[:-1]
    assert len(ends) == flips, told.stdout
    assert set(ends) <= {"0", "1", str(-signal.SIGSEGV), str(-signal.SIGABRT), str(-signal.SIGBUS)}, told.stdout
    assert ends.count("1") > 2


def test_errors_of_libhdf5_become_one_sentence() -> None:
    with pytest.raises(Damaged, match="damaged at /x: bad"), damage_as_errors("/x"):
        raise RuntimeError("bad\n")
