"""Pages, HTTP API, gate, sign-in, health and metrics."""
