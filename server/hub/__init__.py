"""The hub: channels, sessions, order. Knows no HTTP, no SQL and no kind."""
