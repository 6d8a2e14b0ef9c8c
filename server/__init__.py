"""Hubbub: an all-in-one realtime server."""
