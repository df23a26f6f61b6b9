"""listenkey: a self-hosted gateway for exchanges' listen-key user-data streams.

The package is laid out in rooms, and imports point down:

    cli | testing  ->  app  ->  edge | sources  ->  client | service  ->  store | wire
                   ->  core  ->  config | dialect  ->  base

Importing `listenkey` itself imports none of them: `open_stream` and what it gives are imported when they are
asked for, so that a program which only wants the client pays for the client alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from listenkey.base.errors import ListenKeyError
    from listenkey.client.buffer import BufferFull
    from listenkey.client.items import Event, Gap, State
    from listenkey.client.stream import Stream, open_stream
    from listenkey.client.typed import UnfitEvent

__all__ = [
    "BufferFull",
    "Event",
    "Gap",
    "ListenKeyError",
    "State",
    "Stream",
    "UnfitEvent",
    "__version__",
    "open_stream",
]

__version__: str

_HOMES: Final = {
    "BufferFull": "listenkey.client.buffer",
    "Event": "listenkey.client.items",
    "Gap": "listenkey.client.items",
    "ListenKeyError": "listenkey.base.errors",
    "State": "listenkey.client.items",
    "Stream": "listenkey.client.stream",
    "UnfitEvent": "listenkey.client.typed",
    "open_stream": "listenkey.client.stream",
}


def __getattr__(name: str) -> Any:
    """The client's names from their rooms; `__version__` from the metadata, which takes longer than all
    else."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("listenkey")
