"""Write `console/trust/data/allowed_frames.txt` anew: what pickles of data frames and dates name under many pandas.

    python tests/trust/allow_list/frames.py WORK_DIRECTORY

builds one virtual environment a release in WORK_DIRECTORY (needs the interpreters named in RELEASES on the PATH or
under ~/.pyenv, and a package index), runs itself in each with `--collect`, and writes the union. The part that collects
keeps to Python 3.8 and imports nothing of this project.
"""

# ruff: noqa: UP006, UP031, UP035 - Python 3.8
# mypy: disable-error-code="misc, arg-type, import-untyped"
from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, List, Set, Tuple

HERE = Path(__file__).resolve()

RELEASES = {
    "1.1.5": ("3.8", ["numpy<1.24", "python-dateutil==2.8.2", "pytz"]),
    "1.3.5": ("3.9", ["numpy<1.24", "pyarrow<8"]),
    "1.5.3": ("3.10", ["numpy<2", "pyarrow<13"]),
    "2.0.3": ("3.10", ["numpy<2", "pyarrow<15", "python-dateutil==2.9.0.post0"]),
    "2.2.3": ("3.11", ["numpy<2.2", "pyarrow"]),
    "3.0.0": ("3.12", ["pyarrow", "pytz", "tzdata"]),
    "3.1.1": ("3.11", ["pyarrow", "pytz", "tzdata"]),
}
"""pandas release: the Python it runs under, and what else to install."""

PACKAGES = ("pandas", "pyarrow", "pytz", "dateutil")
UNWANTED = ("NaTType", "_NoDefault", "tzlocal", "ArrowExtensionArray.")
FUNCTIONS = ("isna", "isnull", "notna", "notnull", "to_datetime", "to_numeric", "to_timedelta", "get_dummies")
"""Functions of tables that models keep; they read and write nothing else."""


class Recorder(pickle._Unpickler):
    """Loads for real and notes every global as the stream spells it."""

    found: Set[Tuple[str, str]]

    def find_class(self, module: str, name: str) -> Any:
        self.found.add((module, name))
        return super().find_class(module, name)


def values() -> Iterator[Callable[[], Any]]:
    """Frames, columns, indexes, scalars, types and time zones, as thunks: an old release may not know one."""
    import datetime

    import numpy as np
    import pandas as pd

    days = pd.date_range("2024-01-01", periods=3, freq="D")
    frame = pd.DataFrame({"n": [1, 2, 3], "f": [1.5, 2.5, np.nan], "s": ["a", "b", "c"], "d": days})
    yield lambda: [frame, frame["s"], frame.set_index("s"), pd.DataFrame(), frame.columns, frame.index, frame.dtypes]
    yield lambda: frame.set_index(["n", "s"])
    for build in (
        lambda: pd.Index([1]), lambda: pd.Index([1.5]), lambda: pd.Index(["a"], dtype=object), lambda: pd.Index([True]),
        lambda: pd.RangeIndex(3), lambda: days, lambda: pd.timedelta_range("1D", periods=2),
        lambda: pd.period_range("2024-01", periods=2, freq="M"), lambda: pd.interval_range(0, 3),
        lambda: pd.CategoricalIndex(["a"]), lambda: pd.MultiIndex.from_product([["a"], [1]]),
        lambda: pd.Index(np.array([1], np.uint64)),
    ):  # fmt: skip
        yield build
        yield lambda build=build: [build().array, pd.Series(build()), pd.DataFrame(index=build())]
    yield lambda: [pd.Timestamp("2024-01-01"), pd.Timedelta(1, "D"), pd.Period("2024-01", "M"), pd.Interval(0, 1)]
    yield lambda: [pd.NaT, pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01T00:00:00+02:00")]
    yield lambda: pd.NA
    yield lambda: [pd.Categorical(["a", "b"], ordered=True), frame["s"].astype("category"), pd.CategoricalDtype(["a"])]
    kinds = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "boolean"]
    kinds += ["string", "string[python]", "string[pyarrow]", "str", "category", "Sparse[float]", "Sparse[int]"]
    kinds += ["int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "string[pyarrow]", "timestamp[ns][pyarrow]"]
    kinds += ["datetime64[ns, UTC]", "period[D]", "interval", "timedelta64[ns]"]
    for kind in kinds:
        yield lambda kind=kind: pd.api.types.pandas_dtype(kind)
        yield lambda kind=kind: pd.array([], dtype=kind)
        yield lambda kind=kind: pd.Series([None, None], dtype=kind)
        yield lambda kind=kind: pd.Series(["a"] if "str" in kind or kind == "category" else [1], dtype=kind)
    yield lambda: pd.array(np.array([1, 2]), dtype="int64")
    yield lambda: [pd.arrays.SparseArray([0, 0, 1.0]), pd.arrays.SparseArray([0, 1.0], kind="block")]
    for name in dir(pd.offsets):
        options = {"startingMonth": 1, "weekday": 1} if name.startswith("FY") else {}
        options = {"months": 2} if name == "DateOffset" else options
        yield lambda name=name, options=options: getattr(pd.offsets, name)(**options)
    yield from zones(days, datetime.datetime(2024, 1, 1))
    for name in FUNCTIONS:
        yield lambda name=name: getattr(pd, name)


def zones(days: Any, when: Any) -> Iterator[Callable[[], Any]]:
    """Times in time zones of every library."""
    import dateutil.relativedelta
    import dateutil.tz
    import pandas as pd

    yield lambda: [dateutil.tz.tzutc(), dateutil.tz.tzoffset("x", 3600), dateutil.tz.gettz("Europe/Berlin")]
    yield lambda: dateutil.relativedelta.relativedelta(months=1)
    for name in ("UTC", "Europe/Berlin", "dateutil/Europe/Berlin"):
        yield lambda name=name: [days.tz_localize(name), pd.DataFrame({"d": days.tz_localize(name)})]
        yield lambda name=name: pd.Timestamp("2024-01-01", tz=name)
    try:
        import pytz
    except ImportError:
        return
    for zone in (pytz.utc, pytz.timezone("Europe/Berlin"), pytz.timezone("EST"), pytz.FixedOffset(60)):
        yield lambda zone=zone: [zone, zone.localize(when), days.tz_localize(zone)]


def collect() -> None:
    """Print, as JSON, what pickles of all values name under the running interpreter."""
    warnings.simplefilter("ignore")
    import numpy
    import pandas

    found: Set[Tuple[str, str]] = set()
    for thunk in values():
        try:
            value = thunk()
        except Exception:
            continue
        for protocol in (0, 2, 4, 5):
            recorder: Any = None
            try:
                recorder = Recorder(io.BytesIO(pickle.dumps(value, protocol)))
                recorder.found = set()
                recorder.load()
                found |= recorder.found
            except Exception:
                continue
    releases = {library.__name__: str(library.__version__) for library in (pandas, numpy)}
    for name in ("pyarrow", "pytz", "dateutil"):
        try:
            releases[name] = str(__import__(name).__version__)
        except ImportError:
            continue
    releases["python"] = "%d.%d" % sys.version_info[:2]
    json.dump({"releases": releases, "names": sorted(found)}, sys.stdout, indent=0)


def answer(release: str, work: Path) -> Any:
    """The output of `--collect` under this release; an answer already in WORK_DIRECTORY is taken as it is."""
    from tests.trust.allow_list.generate import interpreter

    told = work / ("frames-%s.json" % release)
    if not told.exists() or not told.stat().st_size:
        python, extra = RELEASES[release]
        home = work / ("pd-%s" % release)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--only-binary=:all:"]
        subprocess.run([interpreter(python), "-m", "venv", str(home)], check=True)
        subprocess.run([*pip, "pandas==%s" % release, *extra], check=True)
        run = [str(home / "bin" / "python"), str(HERE), "--collect"]
        told.write_bytes(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
    return json.loads(told.read_text("utf-8"))


def main() -> None:
    """Collect, merge, write."""
    sys.path.insert(0, str(HERE.parents[3]))
    from console.trust import allow_list

    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    found: Set[Tuple[str, str]] = set()
    told: List[str] = []
    for release in RELEASES:
        given = answer(release, work)
        found |= {(module, name) for module, name in given["names"]}
        told.append("# " + " ".join("%s %s" % pair for pair in given["releases"].items()))
    kept = {
        (module, name)
        for module, name in found
        if module.partition(".")[0] in PACKAGES and "." not in name and not allow_list.danger(module, name)
        if not name.startswith(UNWANTED)
    }
    head = [
        "# What frames, columns, indexes, dates and time zones name, as pickles spell it; how each may be called is in",
        "# backends/formats/pickle/frames.py. Written by tests/trust/allow_list/frames.py from pickles made under:",
        *told,
    ]
    target = Path(allow_list.__file__).with_name("data") / "allowed_frames.txt"
    target.write_text("\n".join([*head, *("%s %s" % pair for pair in sorted(kept)), ""]), "ascii")
    print("%d names written" % len(kept))


if __name__ == "__main__":
    collect() if sys.argv[1:] == ["--collect"] else main()
