"""Measurements, to be repeated by anybody: `make bench`."""
