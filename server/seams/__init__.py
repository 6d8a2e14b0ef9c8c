"""What the hub asks of the outside: the seams of the house."""
