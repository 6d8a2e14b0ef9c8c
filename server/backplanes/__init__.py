"""What carries publications to all nodes."""
