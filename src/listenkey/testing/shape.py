"""A stream's events and REST rows, made from what a ledger tells: templates of the files in `shapes`."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Final

import msgspec

from listenkey.dialect.history import QueryKind
from listenkey.dialect.template import fill_json
from listenkey.testing.ledger import Books, Fill, Kind, Order, Told, market

_DIGITS: Final = Decimal("0.00000001")
_CHINA: Final = timezone(timedelta(hours=8))


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Templates of one stream, with `$name` places."""

    kind: Kind
    no_trade: int
    stream: str
    part: str = ""
    """Of a stream that several accounts speak on, as in its history."""
    order_event: str
    account_event: str
    asset_item: str
    order_row: str
    fill_row: str
    asset_row: str
    place_item: str = ""
    place_row: str = ""
    transfer_event: str = ""
    answers: dict[QueryKind, str] = {}
    """What is around the `$rows` of an answer; nothing where it is not said."""
    statuses: dict[str, str] = {}
    """What an order's status is called, where not by the ledger's name."""
    lists_open: bool = True
    """Whether the list of orders has those that are open."""
    bad_request: tuple[int, int] | None = None
    """Status and code of every refusal, where they are not Binance's."""

    # Events -----------------------------------------------------------------------------------------

    def event(self, told: Told, number: int) -> bytes:
        """What the stream carries of this, which may be nothing; `number` counts events."""
        common = {"time": told.time, "sent": told.time + 1, "number": number, "reason": told.reason}
        if told.order is not None:
            return self._order_event(told, told.order, common)
        if told.kind == "transfer":
            values = {**common, "asset": told.assets[0], "amount": amount(told.amount)}
            return fill_json(self.transfer_event, values).encode()
        assets = [self._asset(self.asset_item, told.books, asset) for asset in told.assets]
        places = [self._place(self.place_item, told.books, place) for place in told.places]
        return fill_json(
            self.account_event, {**common, "assets": _list(assets), "places": _list(places)}
        ).encode()

    def _order_event(self, told: Told, order: Order, common: Mapping[str, object]) -> bytes:
        values = {
            **common,
            **self._order(order),
            **(_fill(told.fill) if told.fill else _NO_FILL | {"trade": self.no_trade}),
            "execution": told.execution,
            "cancelled": order.client_id if told.execution == "CANCELED" else "",
        }
        return fill_json(self.order_event, values).encode()

    # Rows -------------------------------------------------------------------------------------------

    def orders(self, orders: Iterable[Order]) -> list[bytes]:
        """Rows of orders."""
        return [fill_json(self.order_row, self._order(order)).encode() for order in orders]

    def fills(self, fills: Iterable[Fill]) -> list[bytes]:
        """Rows of fills."""
        return [
            fill_json(self.fill_row, {**self._order(fill.order), **_fill(fill), **_times(fill.time)}).encode()
            for fill in fills
        ]

    def balances(self, books: Books, assets: Iterable[str]) -> list[bytes]:
        """Rows of balances."""
        return [self._asset(self.asset_row, books, asset) for asset in assets]

    def positions(self, books: Books) -> list[bytes]:
        """Rows of all positions that are open."""
        return [
            self._place(self.place_row, books, place) for place, held in books.positions.items() if held[0]
        ]

    def _order(self, order: Order) -> dict[str, object]:
        wallet = market(order.symbol)[0 if order.inverse else 1]
        return {
            **_order(order),
            "wallet": wallet,
            "status": self.statuses.get(order.status, order.status),
            "plain_status": order.status,
        }

    def _asset(self, template: str, books: Books, asset: str) -> bytes:
        free, locked = books.balances.get(asset, (Decimal(0), Decimal(0)))
        values = {
            "asset": asset,
            "free": amount(free),
            "locked": amount(locked),
            "all": amount(free + locked),
        }
        return fill_json(template, values).encode()

    def _place(self, template: str, books: Books, place: tuple[str, str]) -> bytes:
        held, entry = books.positions[place]
        values = {
            "symbol": place[0],
            "side": place[1],
            "amount": amount(held),
            "size": amount(abs(held)),
            "entry": amount(entry),
            "quote_asset": market(place[0])[1],
        }
        return fill_json(template, values).encode()


def amount(value: Decimal) -> str:
    """With eight digits, and more where they are not zero."""
    return format(value if value != round(value, 8) else value.quantize(_DIGITS), "f")


def _order(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "symbol": order.symbol,
        "client_id": order.client_id,
        "side": order.side,
        "buys": order.side == "BUY",
        "type": order.type,
        "time_in_force": order.time_in_force,
        "quantity": amount(order.quantity),
        "price": amount(order.price),
        "position_side": order.position_side,
        "created": order.created,
        "updated": order.updated,
        "status": order.status,
        "filled": amount(order.filled),
        "filled_quote": amount(order.quote),
        "average": amount(order.average),
        "open": order.is_open,
        "signed_quantity": amount(order.quantity if order.side == "BUY" else -order.quantity),
        "signed_filled": amount(order.filled if order.side == "BUY" else -order.filled),
        "quote_asset": market(order.symbol)[1],
    }


_NO_FILL: Final[dict[str, object]] = {
    "last": amount(Decimal(0)),
    "last_price": amount(Decimal(0)),
    "last_quote": amount(Decimal(0)),
    "fee": "0",
    "paid": "0",
    "fee_asset": "",
    "fee_asset_or_null": b"null",
    "realized": "0",
    "maker": False,
    "matched": False,
}


def _fill(fill: Fill) -> dict[str, object]:
    return {
        "trade": fill.id,
        "last": amount(fill.quantity),
        "last_price": amount(fill.price),
        "last_quote": amount(fill.quote),
        "fee": amount(fill.fee),
        "paid": amount(-fill.fee),
        "fee_asset": fill.fee_asset,
        "fee_asset_or_null": msgspec.json.encode(fill.fee_asset),
        "realized": amount(fill.realized),
        "maker": fill.is_maker,
        "matched": True,
        "liquidity": "MAKER" if fill.is_maker else "TAKER",
    }


def _times(time: int) -> dict[str, object]:
    """A moment as venues write it: also cut to its second, and as a date in China."""
    date = datetime.fromtimestamp(time // 1000, _CHINA).strftime("%Y-%m-%dT%H:%M:%S")
    return {"time": time, "second": time // 1000 * 1000, "date": f"{date}.{time % 1000:03}+0800"}


def _list(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


@lru_cache(maxsize=1)
def shapes() -> dict[tuple[str, str], Shape]:
    """All shapes by the names of their streams and parts."""
    folder = resources.files("listenkey.testing.shapes")
    tables = {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    }
    found = [msgspec.convert({"stream": name, **_whole(tables, name)}, Shape) for name in tables]
    return {(shape.stream, shape.part): shape for shape in found}


def names() -> str:
    """What there are shapes of, for people."""
    return ", ".join(" ".join(filter(None, key)) for key in sorted(shapes()))


def _whole(tables: Mapping[str, dict[str, object]], name: str) -> dict[str, object]:
    """A file's table over that of the one that it is like."""
    like, own = tables[name].get("like"), {key: each for key, each in tables[name].items() if key != "like"}
    return {**_whole(tables, str(like)), **own} if like else own
