"""The bounded queues: before the log, before the fan-out, before the peer."""
