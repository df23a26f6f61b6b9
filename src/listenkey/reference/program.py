"""One program of the reference, as a page shows it, whoever wrote the maker it comes from."""

import msgspec


class Program(msgspec.Struct, frozen=True):
    """A whole program in one language, that does one thing with one product."""

    language: str
    """A short name that may stand in a file name and a fragment: `python`, `csharp`."""
    title: str
    """As people write it: `Python`, `C#`."""
    lexer: str
    """The name of the Pygments lexer that colours it."""
    file: str
    """The name under which it is saved."""
    text: str
    of: str
    """What it does: `create`, `extend`, `close`, `life:STREAM` for the whole life of a stream's key, or
    `method:NAME` for one method of a WebSocket API."""
    needs: str
    """What has to be installed for it, in words."""
    executed: str
    """What the tests run it with, such as `Python 3.11, websockets 16`; empty where they do not."""
    why_not: str = ""
    """Why they do not."""
