"""Server-Sent Events: the browser's EventSource, and anything that reads lines."""
