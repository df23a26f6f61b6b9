"""What truly happened in one account: orders, fills and amounts, folded exactly. Pure: time is an argument.

Each verb changes the books and says what an exchange would tell its streams, as `Told`s in their order. How
those look is a `Shape`'s. The books of any past moment can be had again (`as_of`).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["spot", "futures", "inverse", "options"]
"""`futures` are worth what they cost; `inverse` are contracts of 100 of the quote asset, settled in the base
asset; `options` are paid for when they are bought."""
Amount: TypeAlias = Decimal | str | int
_NONE: Final = Decimal(0)
_CONTRACT: Final = 100
_OPEN: Final = frozenset({"NEW", "PARTIALLY_FILLED"})
_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "BTC", "ETH", "BNB")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stood at a moment."""

    id: int
    symbol: str
    client_id: str
    side: Literal["BUY", "SELL"]
    type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal
    position_side: str
    created: int
    """Milliseconds since 1970, as all times here."""
    updated: int
    status: str = "NEW"
    filled: Decimal = _NONE
    quote: Decimal = _NONE
    """Spent or got so far; of inverse contracts, so many divided by their prices."""
    inverse: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled."""
        return self.status in _OPEN

    @property
    def average(self) -> Decimal:
        """Average price of what was filled."""
        if not self.filled:
            return _NONE
        return round(self.filled / self.quote if self.inverse else self.quote / self.filled, 8)


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order that was matched."""

    id: int
    order: Order
    """As it stood after this fill."""
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal
    is_maker: bool
    time: int

    @property
    def quote(self) -> Decimal:
        """Quantity times price."""
        return self.quantity * self.price


class Books(msgspec.Struct, frozen=True):
    """Everything that an account has and had."""

    orders: Mapping[int, Order] = {}
    fills: tuple[Fill, ...] = ()
    balances: Mapping[str, tuple[Decimal, Decimal]] = {}
    """By asset: free and locked. Futures lock nothing; there the first is the wallet."""
    positions: Mapping[tuple[str, str], tuple[Decimal, Decimal]] = {}
    """By symbol and side: the signed amount and the entry price."""


class Told(msgspec.Struct, frozen=True):
    """Something that an exchange tells its streams."""

    kind: Literal["order", "account", "transfer"]
    time: int
    order: Order | None = None
    fill: Fill | None = None
    execution: str = ""
    assets: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    amount: Decimal = _NONE
    reason: str = ""
    books: Books = Books()
    """As they were right after."""


class Ledger:
    """One account's books."""

    def __init__(self, kind: Kind, first_id: int = 1) -> None:
        self.kind = kind
        self._next = {"order": first_id, "fill": first_id}
        self._books = Books()
        self._past: list[tuple[int, Books]] = []

    @property
    def books(self) -> Books:
        """As they are now."""
        return self._books

    def as_of(self, time: int) -> Books:
        """As they were at the end of a millisecond."""
        return next((books for at, books in reversed(self._past) if at <= time), Books())

    # Verbs ------------------------------------------------------------------------------------------

    def deposit(self, asset: str, amount: Amount, now: int) -> list[Told]:
        """Amounts come in, or go out where negative. Errors: `ValueError` where there is not so much."""
        change = _decimal(amount)
        self._add(asset, free=change)
        reason = "DEPOSIT" if change > 0 else "WITHDRAW"
        self._close(now)
        told = [self._account(now, (asset,), reason=reason)]
        if self.kind == "spot":
            told.insert(0, Told("transfer", now, assets=(asset,), amount=change, books=self._books))
        return told

    def fund(self, symbol: str, amount: Amount, now: int) -> list[Told]:
        """A funding fee of a position is paid, or got where positive."""
        asset = self._wallet(symbol)
        self._add(asset, free=_decimal(amount))
        self._close(now)
        return [self._account(now, (asset,), reason="FUNDING_FEE")]

    def place(
        self,
        symbol: str,
        side: Literal["BUY", "SELL"],
        quantity: Amount,
        price: Amount = 0,
        *,
        now: int,
        order_type: str = "",
        time_in_force: str = "GTC",
        position_side: str = "BOTH",
        client_id: str = "",
    ) -> list[Told]:
        """A new order. Spot locks what it may cost, where it has a price. Errors: `ValueError` where there is
        not so much."""
        number = self._number("order")
        order = Order(
            id=number,
            symbol=symbol,
            client_id=client_id or f"bot-{number}",
            side=side,
            type=order_type or ("LIMIT" if _decimal(price) else "MARKET"),
            time_in_force=time_in_force,
            quantity=_decimal(quantity),
            price=_decimal(price),
            position_side=position_side,
            created=now,
            updated=now,
            inverse=self.kind == "inverse",
        )
        asset, cost = self._cost(order, order.quantity)
        if cost:
            self._add(asset, free=-cost, locked=cost)
        self._put(order, now)
        told = [self._order(now, order, "NEW")]
        return [*told, self._account(now, (asset,))] if self.kind == "spot" and cost else told

    def fill(
        self, order_id: int, quantity: Amount, price: Amount, *, now: int, fee_rate: Amount = "0.001",
        is_maker: bool = True,
    ) -> list[Told]:  # fmt: skip
        """A part of an order is matched, at its price or another. Errors: `KeyError` for an order that is not
        there, `ValueError` for one that has not so much open."""
        order, amount, at = self._open(order_id), _decimal(quantity), _decimal(price)
        if not 0 < amount <= order.quantity - order.filled:
            raise ValueError(f"the order {order_id} has {order.quantity - order.filled} open")
        filled = order.filled + amount
        order = msgspec.structs.replace(
            order,
            filled=filled,
            quote=order.quote + (amount / at if order.inverse else amount * at),
            updated=now,
            status="FILLED" if filled == order.quantity else "PARTIALLY_FILLED",
        )
        assets, places, fee, fee_asset, realized = self._settle(order, amount, at, _decimal(fee_rate))
        fill = Fill(
            id=self._number("fill"),
            order=order,
            quantity=amount,
            price=at,
            fee=fee,
            fee_asset=fee_asset,
            realized=realized,
            is_maker=is_maker,
            time=now,
        )
        self._books = msgspec.structs.replace(self._books, fills=(*self._books.fills, fill))
        self._put(order, now)
        told = [self._order(now, order, "TRADE", fill), self._account(now, assets, places, "ORDER")]
        return told if self.kind == "spot" else told[::-1]

    def end(self, order_id: int, status: str = "CANCELED", *, now: int) -> list[Told]:
        """An order ends without being filled: `CANCELED` or `EXPIRED`. Errors: `KeyError`, `ValueError` where
        it has ended before."""
        order = msgspec.structs.replace(self._open(order_id), status=status, updated=now)
        asset, cost = self._cost(order, order.quantity - order.filled)
        if cost:
            self._add(asset, free=cost, locked=-cost)
        self._put(order, now)
        told = [self._order(now, order, status)]
        return [*told, self._account(now, (asset,))] if self.kind == "spot" and cost else told

    # Folding ----------------------------------------------------------------------------------------

    def _number(self, kind: str) -> int:
        number = self._next[kind]
        self._next[kind] += 1
        return number

    def _open(self, order_id: int) -> Order:
        order = self._books.orders[order_id]
        if not order.is_open:
            raise ValueError(f"the order {order_id} is {order.status}")
        return order

    def _cost(self, order: Order, quantity: Decimal) -> tuple[str, Decimal]:
        """What an open part of an order locks."""
        base, quote = market(order.symbol)
        if self.kind != "spot" or not order.price:
            return quote, _NONE
        return (quote, quantity * order.price) if order.side == "BUY" else (base, quantity)

    def _settle(
        self, order: Order, quantity: Decimal, price: Decimal, rate: Decimal
    ) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], Decimal, str, Decimal]:
        """Move the amounts of a fill: the assets and positions that changed, the fee and its asset, and the
        profit."""
        base, quote = market(order.symbol)
        buys = order.side == "BUY"
        if self.kind != "spot":
            wallet, place = self._wallet(order.symbol), (order.symbol, order.position_side)
            realized = self._move(order, quantity, price)
            worth = quantity * _CONTRACT / price if order.inverse else quantity * price
            fee = round(worth * rate, 8)
            premium = (-worth if buys else worth) if self.kind == "options" else _NONE
            self._add(wallet, free=realized + premium - fee)
            return (wallet,), (place,), fee, wallet, realized
        spent, cost = self._cost(order, quantity)
        pays, gets = (quantity * price, quantity) if buys else (quantity, quantity * price)
        if cost:
            self._add(spent, free=cost - pays, locked=-cost)
        else:
            self._add(quote if buys else base, free=-pays)
        fee, fee_asset = gets * rate, base if buys else quote
        self._add(fee_asset, free=gets - fee)
        return (base, quote), (), fee, fee_asset, _NONE

    def _move(self, order: Order, quantity: Decimal, price: Decimal) -> Decimal:
        """Change a position; the profit of what is closed by that."""
        place = (order.symbol, order.position_side)
        held, entry = self._books.positions.get(place, (_NONE, _NONE))
        change = quantity if order.side == "BUY" else -quantity
        after, turns = held + change, held * change < 0
        closed = min(abs(held), abs(change)) if turns else _NONE
        realized = self._profit(closed, entry, price) * (1 if held > 0 else -1)
        if not after:
            entry = _NONE
        elif not turns:
            entry = self._entry((abs(held), entry), (abs(change), price))
        elif abs(change) > abs(held):
            entry = price
        positions = {**self._books.positions, place: (after, entry)}
        self._books = msgspec.structs.replace(self._books, positions=positions)
        return realized

    def _profit(self, quantity: Decimal, entry: Decimal, price: Decimal) -> Decimal:
        """What closing a long position makes."""
        if not quantity or self.kind == "options":
            return _NONE
        if self.kind == "inverse":
            return round(quantity * _CONTRACT / entry - quantity * _CONTRACT / price, 8)
        return quantity * (price - entry)

    def _entry(self, *parts: tuple[Decimal, Decimal]) -> Decimal:
        """The price of all parts of a position."""
        there = [part for part in parts if part[0]]
        quantity = sum((part[0] for part in there), _NONE)
        if self.kind == "inverse":
            return round(quantity / sum((amount / price for amount, price in there), _NONE), 8)
        return round(sum((amount * price for amount, price in there), _NONE) / quantity, 8)

    def _wallet(self, symbol: str) -> str:
        """The asset that a symbol's trades are settled in."""
        base, quote = market(symbol)
        return base if self.kind == "inverse" else quote

    def _add(self, asset: str, free: Decimal = _NONE, locked: Decimal = _NONE) -> None:
        held = self._books.balances.get(asset, (_NONE, _NONE))
        after = (held[0] + free, held[1] + locked)
        if self.kind == "spot" and (after[0] < 0 or after[1] < 0):
            raise ValueError(f"there is not so much {asset}: {held[0]} free, {held[1]} locked")
        balances = {**self._books.balances, asset: after}
        self._books = msgspec.structs.replace(self._books, balances=balances)

    def _put(self, order: Order, now: int) -> None:
        orders = {**self._books.orders, order.id: order}
        self._books = msgspec.structs.replace(self._books, orders=orders)
        self._close(now)

    def _close(self, now: int) -> None:
        """The books of this moment are kept."""
        self._past.append((now, self._books))

    # Telling ----------------------------------------------------------------------------------------

    def _order(self, now: int, order: Order, execution: str, fill: Fill | None = None) -> Told:
        return Told("order", now, order=order, fill=fill, execution=execution, books=self._books)

    def _account(
        self,
        now: int,
        assets: Iterable[str],
        places: Iterable[tuple[str, str]] = (),
        reason: str = "ORDER",
    ) -> Told:
        return Told(
            "account", now, assets=tuple(assets), places=tuple(places), reason=reason, books=self._books
        )


def market(symbol: str) -> tuple[str, str]:
    """Base and quote asset of a symbol, by its spelling."""
    plain = symbol.partition("_")[0]
    base, *more = plain.split("-")
    if more:  # an option's has an expiry, a strike and a letter there, and is paid for in USDT
        return base, more[0] if len(more) == 1 else "USDT"
    quote = next((each for each in _QUOTES if plain.endswith(each) and plain != each), "USDT")
    return plain.removesuffix(quote), quote


def _decimal(amount: Amount) -> Decimal:
    if isinstance(amount, float):
        raise TypeError("amounts are exact: give text, an integer or a Decimal")
    return Decimal(amount)
