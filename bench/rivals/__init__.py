"""The servers that Hubbub is measured beside: each a program of its own, and small."""
