"""Measurements, to be repeated by anybody: `make bench` and `make bench-nodes`."""
