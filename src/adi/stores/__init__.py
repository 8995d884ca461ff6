"""Copies of a run's item vectors in vector stores that a platform already has."""
