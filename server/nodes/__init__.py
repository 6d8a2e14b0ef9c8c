"""What it takes to be one of many nodes: who is here, and who leads."""
