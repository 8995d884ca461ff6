"""Bundles: what is served, opened and answered without torch. `adi.exporting` writes them."""
