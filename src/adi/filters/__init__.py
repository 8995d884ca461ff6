"""Filters: conditions on items' attributes, parsed from text (docs/filters.md)."""
