"""Coverage-guided fuzzing of the static walk against real unpicklers that record names and build nothing.

`python -m tests.fuzzing --seconds 3600 --corpus DIRECTORY` runs it; what it finds is written to DIRECTORY/findings.
"""
