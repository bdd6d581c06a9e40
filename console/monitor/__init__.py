"""Measurement: latency, throughput, memory, and the probe that drives a loaded model."""
