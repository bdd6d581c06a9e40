"""`python -m tests.fuzzing --seconds N --seed S [--corpus DIRECTORY]`; ends with 1 when something was found."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    """Run it; progress goes to stderr, the report as one line of JSON to stdout."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--executions", type=int, help="end after so many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, help="directory that keeps the corpus and the findings")
    options = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from tests.fuzzing.campaign import Campaign

    campaign = Campaign(options.seed, options.corpus, lambda line: print(line, file=sys.stderr, flush=True))
    report = campaign.run(options.seconds, options.executions)
    print(report.as_json())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
