"""Use cases: each a policy and a few hooks, without I/O."""
