"""Models of every family against every way to write their rows: each answer is the library's own, or a told refusal."""
