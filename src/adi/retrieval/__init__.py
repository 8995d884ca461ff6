"""Retrieval: requests for a user's top k in a domain, answered by a run or a bundle."""
