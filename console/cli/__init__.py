"""The command line: a thin skin over the engine. Data goes to stdout, narration to stderr."""
