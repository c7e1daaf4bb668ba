"""Training data: worlds, mutations, labels, and the shards they end in."""
