"""`python -m sample_models DIR [--json-progress]`: build the demo store in DIR."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sample_models import is_current


def main() -> int:
    """Build unless it is there; a line of progress for each sample, as JSON objects where a program reads them."""
    parser = argparse.ArgumentParser(prog="python -m sample_models", description=main.__doc__)
    parser.add_argument("directory", type=Path, help="where the store is to stand: new, empty, or an older demo store")
    parser.add_argument("--json-progress", action="store_true", help='lines of {"done", "total", "text"} on stdout')
    arguments = parser.parse_args()
    if is_current(arguments.directory):
        return 0
    if arguments.json_progress:
        print(json.dumps({"done": 0, "total": 0, "text": "starting scikit-learn"}), flush=True)
    from sample_models.build import COUNT, build

    try:
        for done, text in enumerate(build(arguments.directory)):
            line = f"[{done + 1:>2}/{COUNT}] {text}"
            print(
                json.dumps({"done": done, "total": COUNT, "text": text}) if arguments.json_progress else line,
                flush=True,
            )
    except OSError as error:
        print(f"the demo store cannot be built in {arguments.directory}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
