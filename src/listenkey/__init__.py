"""listenkey: a self-hosted gateway for exchanges' listen-key user-data streams.

The package is laid out in rooms, and imports point down:

    cli | testing  ->  app  ->  edge | sources  ->  client | service  ->  store | wire
                   ->  core  ->  config | dialect  ->  base

Importing `listenkey` itself imports none of them, so that a program which only wants the client
pays for the client alone.
"""

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`: read from the metadata when asked for, since that takes longer than everything else."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("listenkey")
