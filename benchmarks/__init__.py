"""Benchmarks of adi beside other libraries and lower bounds; ``python -m benchmarks`` runs them from a checkout."""
