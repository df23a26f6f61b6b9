"""Programs for each product: its REST calls, and the whole life of each stream's key.

A language is a row of `languages.toml` and one template for each of the two; a dialect needs neither, since
templates are filled from its description alone.
"""

from listenkey.reference.snippets.render import programs

__all__ = ["programs"]
