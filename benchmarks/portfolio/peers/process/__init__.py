"""A peer's process: it reads the rows of a data set, tunes a model of another library, and writes ranks.

It runs in an environment of its own and imports nothing of adi.
"""
