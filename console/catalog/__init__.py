"""The catalog: which artifacts a store holds, how that changes, and their rows."""
