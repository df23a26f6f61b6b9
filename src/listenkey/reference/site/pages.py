"""Which pages there are, where they lie, and how they hang together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from listenkey.reference.describe import Call, Product, StreamPage
from listenkey.reference.websocket_api import Api, Method, describe_apis, token_call

OWN = {
    "settings": "Settings",
    "commands": "Commands",
    "admin-api": "Admin API",
    "native-stream": "Native stream",
    "errors": "Errors",
    "close-codes": "Close codes",
    "metrics": "Metrics",
}
"""The chapters about the gateway itself, in the order of the menu."""


API_TITLE = "WebSocket API"
_ENDING = re.compile(r"(?:\buser )?\bdata streams?$")


class Page(msgspec.Struct, frozen=True):
    """One page."""

    path: str
    title: str
    template: str
    values: dict[str, Any]
    above: tuple[tuple[str, str], ...] = ()
    """Path and title of the pages that lead here, the index left out."""

    @property
    def root(self) -> str:
        """What leads from the page to the top of the site."""
        return "../" * self.path.count("/")


class Entry(msgspec.Struct, frozen=True):
    """One line of the menu, with those below it."""

    title: str
    path: str
    kind: str = ""
    """`POST`, `PUT`, `DELETE` or `WS` before a call or stream."""
    gone: bool = False
    """Whether the venue has it no more."""
    below: tuple["Entry", ...] = ()


def all_pages(
    products: Sequence[Product], chapters: Mapping[str, str], more: Sequence[str]
) -> Iterator[Page]:
    """Every page. `chapters`: Markdown by the names of `OWN`. `more`: headings of the programs that have a
    page of their own for each stream, because they are many and long."""
    yield Page("index.html", "Reference", "index.html", {"products": products})
    for product in products:
        yield from _product_pages(product, more)
    for name, title in OWN.items():
        yield Page(chapter_path(name), title, "chapter.html", {"text": chapters[name]})


def _product_pages(product: Product, more: Sequence[str]) -> Iterator[Page]:
    home = product_path(product)
    yield Page(home, product.title, "product.html", {"product": product})
    above = ((home, product.title),)
    for call in product.calls:
        yield Page(
            call_path(product, call),
            call.title,
            "call.html",
            {"product": product, "call": call, "of": call.kind},
            above,
        )
    for stream in product.streams:
        values = {"product": product, "stream": stream, "more": more}
        path = stream_path(product, stream)
        yield Page(path, stream.title, "stream.html", values, above)
        for heading in more:
            yield Page(
                programs_path(product, stream, heading),
                f"Programs with {heading}",
                "programs.html",
                {**values, "heading": heading},
                (*above, (path, stream.title)),
            )
    yield from _api_pages(product)


def _api_pages(product: Product) -> Iterator[Page]:
    above = ((product_path(product), product.title),)
    for row in product.dialect.token_calls:
        call = token_call(product, row)
        values = {"product": product, "call": call, "of": "token"}
        yield Page(token_path(product), call.title, "call.html", values, above)
    for api in describe_apis(product):
        values = {"product": product, "api": api}
        path = api_path(product, api)
        yield Page(path, API_TITLE, "api.html", values, above)
        for method in api.methods:
            yield Page(
                method_path(product, api, method),
                method.name,
                "method.html",
                {**values, "method": method},
                (*above, (path, API_TITLE)),
            )


def menu(products: Sequence[Product]) -> dict[str, tuple[Entry, ...]]:
    """The menu: a heading a venue with its products, and one for the gateway itself."""
    found: dict[str, tuple[Entry, ...]] = {}
    for product in products:
        found[product.venue] = (*found.get(product.venue, ()), _product_entry(product))
    own = tuple(Entry(title, chapter_path(name)) for name, title in OWN.items())
    return {**found, "This gateway": own}


def _product_entry(product: Product) -> Entry:
    calls = [
        Entry(call.title, call_path(product, call), call.method, call.era is not None)
        for call in product.calls
    ]
    streams = [
        Entry(stream.title, stream_path(product, stream), "WS", is_gone(stream)) for stream in product.streams
    ]
    tokens = [
        Entry("Create a listen token", token_path(product), row.method) for row in product.dialect.token_calls
    ]
    apis = [Entry(API_TITLE, api_path(product, api), "WS") for api in describe_apis(product)]
    below = (*calls, *streams, *tokens, *apis)
    return Entry(short_title(product), product_path(product), gone=is_over(product), below=below)


def is_over(product: Product) -> bool:
    """Whether the venue has none of a product's calls and addresses any more."""
    return all(call.era is not None for call in product.calls) and all(map(is_gone, product.streams))


def is_gone(stream: StreamPage) -> bool:
    """Whether no address of the venue's carries the stream any more."""
    return all(socket.era is not None for socket in stream.sockets)


def short_title(product: Product) -> str:
    """A product's title without its venue and what all titles end in; the venue where nothing is left."""
    title = _ENDING.sub("", product.title.removeprefix(product.venue)).strip()
    return title[:1].upper() + title[1:] if title else product.venue


def product_path(product: Product) -> str:
    """Where a product's page lies."""
    return f"{product.name}/index.html"


def call_path(product: Product, call: Call) -> str:
    """Where a call's page lies."""
    return f"{product.name}/{call.kind}.html"


def stream_path(product: Product, stream: StreamPage) -> str:
    """Where a stream's page lies."""
    return f"{product.name}/stream-{stream.prefix[1:]}.html"


def programs_path(product: Product, stream: StreamPage, heading: str) -> str:
    """Where the programs of a stream lie that have a page of their own."""
    return stream_path(product, stream).replace(".html", f"-{heading.lower()}.html")


def token_path(product: Product) -> str:
    """Where the page of the call that makes listen tokens lies."""
    return f"{product.name}/token.html"


def api_path(product: Product, api: Api) -> str:
    """Where the page of a WebSocket API lies."""
    return f"{product.name}/api{'-'.join(api.path.split('/'))}.html"


def method_path(product: Product, api: Api, method: Method) -> str:
    """Where the page of one of its methods lies."""
    name = re.sub(r"[^\w.-]", "-", method.name)
    return api_path(product, api).replace(".html", f"-{name}.html")


def chapter_path(name: str) -> str:
    """Where a chapter about the gateway lies."""
    return f"gateway/{name}.html"
