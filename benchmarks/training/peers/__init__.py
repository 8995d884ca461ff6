"""Trainings by other libraries, each a script for an environment of its own, which imports nothing of adi.

A script gets a file of arrays (`benchmarks.training.log.write_arrays`), a batch size, a number of threads and a device,
and reads and writes the lines that `benchmarks.training.worker` does.
"""
