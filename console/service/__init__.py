"""The life of an engine that serves: its place on the machine, its start and end, and the processes beside it."""
