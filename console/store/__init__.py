"""Files: what is there, how it changes, and how bytes replace bytes."""
