"""Postman: each product as a collection that its user imports and runs, in the format v2.1.

A collection is made from the description of a product alone. It creates the listen key that it uses.
"""

from listenkey.reference.postman.document import collection

__all__ = ["collection"]
