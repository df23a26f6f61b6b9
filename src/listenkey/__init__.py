"""listenkey: a self-hosted gateway for exchanges' listen-key user-data streams.

The package is laid out in rooms, and imports point down:

    cli | testing  ->  app  ->  edge | sources  ->  client | service  ->  store | wire
                   ->  core  ->  config | dialect  ->  base

Importing `listenkey` itself imports none of them, so that a program which only wants the client
pays for the client alone.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("listenkey")
