"""Programs for each product: its REST calls, the whole life of each stream's key, WebSocket APIs' methods.

A language is a row of `languages.toml` and one template for each of the two; a dialect needs neither, since
templates are filled from its description alone. Methods have programs in Python, one a way of signing.
"""

from listenkey.reference.snippets.render import programs

__all__ = ["programs"]
