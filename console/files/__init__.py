"""Files: opening beneath the store, snapshots of bytes, and the calls that make them durable."""
