"""Trainings by other libraries, each a script that their own environments run: it imports nothing of adi.

A script is told a file of arrays (see `adi.bench.train.rows`), a batch size and a number of threads, and speaks with
the benchmark as `adi.bench.train.worker` does.
"""
