"""The vector index of one domain's items: the only part that knows the nearest-neighbour library."""
