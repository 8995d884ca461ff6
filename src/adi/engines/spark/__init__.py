"""Spark as the engine of a preparation: its processes read, sort and write; this one keeps counts of partitions."""
