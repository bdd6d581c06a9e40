"""Data files as people have them, read by one order of deciding: the recipe, then the model, then the file itself."""
