"""Peers of the portfolio: models of other libraries, tuned, that a user would pick instead of adi."""
