"""Exporting: a run written as a bundle, and compared with the run before it is published. Needs torch."""
