"""The y-websocket protocol, for notes."""
