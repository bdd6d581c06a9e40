"""Entry of every child process: `python -I boot.py KIND FD`, under any CPython from 3.9 on.

Only the packages `backends` and `console` become importable, by themselves: the directory they stand in (which may be
the site-packages of another interpreter) stays off `sys.path`, so that a model meets its own numpy and scikit-learn.
"""

from __future__ import annotations

import importlib.util
import os
import sys

PACKAGES = ("backends", "console")


def expose(root: str) -> None:
    """Make the packages under `root` importable, and nothing else that lies beside them."""
    for name in PACKAGES:
        directory = os.path.join(root, name)
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
        )
        if spec is None or spec.loader is None:
            raise SystemExit(f"cannot import {name} from {root}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def main() -> None:
    """Expose the packages, then serve the control socket until it closes."""
    kind, descriptor = sys.argv[1], int(sys.argv[2])
    expose(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from console.worker.child.main import serve

    serve(kind, descriptor)


if __name__ == "__main__":
    main()
