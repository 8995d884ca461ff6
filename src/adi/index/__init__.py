"""The vector index of one domain's items, and the only part that imports the nearest-neighbour library (faiss)."""
