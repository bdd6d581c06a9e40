"""Code that all model formats share: descriptors, sources, inspections, findings, compression, load plans."""
