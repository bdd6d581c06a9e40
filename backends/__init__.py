"""Model formats: what a file holds, read without running it; and loading and saving, for the sandboxed child."""
