"""Write `console/trust/data/allowed.txt` anew: what `collect.py` finds under every release, minus what is dangerous.

    python tests/trust/allow_list/generate.py WORK_DIRECTORY

builds one virtual environment a release in WORK_DIRECTORY (needs the interpreters named in RELEASES on the PATH or
under ~/.pyenv, and a package index), collects in each, and writes the union. Answers already in WORK_DIRECTORY are
taken as they are, so a new release costs one more line in RELEASES and one more run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from console.trust import allow_list

HERE = Path(__file__).resolve().parent
TARGET = Path(allow_list.__file__).with_name("data") / "allowed.txt"

RELEASES = {
    "0.20.4": ("3.7", ["numpy<1.17", "scipy<1.4", "joblib", "pytest"]),
    "0.22.2.post1": ("3.7", ["joblib"]),
    "0.24.2": ("3.8", ["numpy<1.20", "scipy<1.7"]),
    "1.0.2": ("3.8", ["pandas"]),
    "1.1.3": ("3.8", []),
    "1.2.2": ("3.8", ["pandas"]),
    "1.3.2": ("3.8", []),
    "1.4.2": ("3.10", ["pandas"]),
    "1.5.2": ("3.10", []),
    "1.6.1": ("3.10", ["pandas"]),
    "1.7.2": ("3.10", []),
    "1.8.0": ("3.12", ["pandas"]),
    "1.9.1": ("3.11", ["pandas"]),
}
"""scikit-learn release: the Python it runs under, and what else to install."""

ELDER = {
    ("numpy.random", "__RandomState_ctor"),
    ("numpy.random", "__randomstate_ctor"),
    ("numpy.matrixlib.defmatrix", "matrix"),
    ("copyreg", "__newobj__"),
    ("copy_reg", "__newobj__"),
    ("__builtin__", "int"),
    ("__builtin__", "str"),
    ("__builtin__", "range"),
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
}
"""Names of the same harmless constructors that only older picklers wrote."""

SCORES = (
    "chi2",
    "f_classif",
    "f_regression",
    "f_oneway",
    "r_regression",
    "mutual_info_classif",
    "mutual_info_regression",
)
PARAMETERS = {
    *(("sklearn.feature_selection._univariate_selection", name) for name in SCORES[:5]),
    *(("sklearn.feature_selection.univariate_selection", name) for name in SCORES[:4]),
    *(
        (f"sklearn.feature_selection.{module}", name)
        for module in ("_mutual_info", "mutual_info_")
        for name in SCORES[5:]
    ),
    *(("pathlib", name) for name in ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")),
    *(("pathlib._local", name) for name in ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")),
    *((module, "chararray") for module in ("numpy", "numpy.char", "numpy.core.defchararray")),
}
"""Functions that select features, and values beside a model, which the fitted toy objects do not have."""

UNWANTED = ("scipy._lib.", "sklearn.externals.", "sklearn.utils.", "sklearn._config", "joblib.parallel")
"""Modules whose names come along without being part of a fitted model, apart from NEEDED."""

NEEDED = {
    ("sklearn.utils", "Bunch"),
    ("sklearn.utils._bunch", "Bunch"),
    ("sklearn.utils.validation", "check_array"),
    ("sklearn.utils._tags", "Tags"),
    ("sklearn.utils._metadata_requests", "MetadataRequest"),
    ("sklearn.utils._metadata_requests", "MethodMetadataRequest"),
    ("sklearn.utils.deprecation", "DeprecationDict"),
    ("scipy._lib.array_api_compat.numpy._aliases", "asarray"),
}


def interpreter(version: str) -> str:
    """The newest Python of this minor version. Raises SystemExit when there is none."""
    found = shutil.which(f"python{version}")
    if found:
        return found
    homes = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if not homes:
        raise SystemExit(f"no Python {version} found: install one to collect the names of its releases")
    return str(homes[-1])


def collect(release: str, work: Path) -> dict[str, object]:
    """The output of `collect.py` under this release."""
    answer = work / f"out-{release}.json"
    if not answer.exists() or not answer.stat().st_size:
        python, extra = RELEASES[release]
        home = work / f"sk-{release}"
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--only-binary=:all:"]
        subprocess.run([interpreter(python), "-m", "venv", str(home)], check=True)
        subprocess.run([*pip, f"scikit-learn=={release}", *extra], check=True)
        run = [str(home / "bin" / "python"), str(HERE / "collect.py")]
        answer.write_bytes(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
    found: dict[str, object] = json.loads(answer.read_text("utf-8"))
    return found


def wanted(module: str, name: str) -> bool:
    """Whether a collected name belongs on the list."""
    if allow_list.danger(module, name) is not None or "." in name:
        return False
    return (module, name) in NEEDED | ELDER | PARAMETERS or not (module + ".").startswith(
        tuple(f"{each.rstrip('.')}." for each in UNWANTED)
    )


def main() -> None:
    """Collect, merge, write; print what was left out."""
    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    found = ELDER | PARAMETERS
    told = []
    for release in RELEASES:
        answer = collect(release, work)
        found |= {(module, name) for module, name in answer["names"]}  # type: ignore[attr-defined]
        told.append("# " + " ".join(f"{key} {value}" for key, value in answer["releases"].items()))  # type: ignore[attr-defined]
    kept = {pair for pair in found if wanted(*pair)}
    head = [
        "# Every global that a model file may name: `module name`, exactly as pickles spell it.",
        "# Written by tests/trust/allow_list/generate.py from fitted models under:",
        *told,
    ]
    TARGET.write_text("\n".join([*head, *(f"{module} {name}" for module, name in sorted(kept)), ""]), "ascii")
    print(f"{len(kept)} names written; left out:")
    for module, name in sorted(found - kept):
        print(" ", module, name)


if __name__ == "__main__":
    main()
