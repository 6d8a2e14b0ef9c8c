"""JSON over WebSocket, the wire of our own pages."""
