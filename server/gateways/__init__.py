"""Wires: each a pure codec and a handler."""
