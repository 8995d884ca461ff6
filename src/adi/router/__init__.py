"""The router: a server without a bundle, which sends each domain's requests to the servers that hold it."""
