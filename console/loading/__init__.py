"""From bytes to an answering model: facts, judgement, workers, reload."""
