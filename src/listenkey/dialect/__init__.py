"""Venues as data: the model of a dialect, its loader with lint, and the registry of those at hand.

No code of one venue may live here; a venue that does not fit gets a new named variant of the model.
"""
