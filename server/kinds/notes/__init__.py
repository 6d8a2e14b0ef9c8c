"""Shared notes: a CRDT whose truth is the raw log of its updates."""
