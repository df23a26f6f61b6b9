"""Requests of others: Postman files and curl lines, read by one parser and explained from the dialects.

Nothing that is read here is run, opened or sent; and no secret in it is shown again.
"""

from listenkey.reference.foreign.curl import read_line
from listenkey.reference.foreign.explain import Explanation, explain
from listenkey.reference.foreign.postman import LARGEST, Collection, read_collection
from listenkey.reference.foreign.telling import tell

__all__ = ["LARGEST", "Collection", "Explanation", "explain", "read_collection", "read_line", "tell"]
