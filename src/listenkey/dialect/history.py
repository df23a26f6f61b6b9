"""The part of a dialect that says how a venue's REST calls tell what a stream missed.

As in `dialect.model`, every variant named here is implemented once and open to every dialect. The names are
those of the venue's rows; paths are names from the outside in, joined by dots.
"""

from typing import Literal

import msgspec

QueryKind = Literal["orders", "fills", "open_orders", "balances", "positions", "order"]
"""`order` asks for one order by its id, the others for lists."""


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, keyword-only, and strict about unknown fields."""


class HistoryCall(_Model, frozen=True, kw_only=True):
    """A signed REST call that tells rows."""

    method: Literal["GET", "POST"] = "GET"
    path: str
    weight: int = 1
    parameters: dict[str, str] = {}
    """Sent with every request."""
    symbol: Literal["required", "optional", "never"] = "required"
    symbol_parameter: str = "symbol"
    from_parameter: str = ""
    to_parameter: str = ""
    """Milliseconds, both ends within the window; empty where the call takes no times."""
    id_parameter: str = ""
    """The order that `order` asks for."""
    limit_parameter: str = ""
    limit: int = 0
    """Most rows that a page may be asked for; 0 where there is no bound."""
    page_parameter: str = ""
    """The number of a page, from 1."""
    window_ms: int = 0
    """Widest span between the two times; 0 for no bound."""
    depth_ms: int = 0
    """How far back the venue tells; 0 for as far as anybody knows."""
    paging: Literal["none", "halves", "page"] = "none"
    """How a full page goes on: `halves` asks for both halves of its span, whichever of the rows the venue
    left out; `page` for the next page."""
    rows: tuple[str, ...] = ("",)
    """Where in the answer rows are; empty where it is nothing but rows. `[]` after a name goes through a
    list: `assets[].baseAsset`; of `data.fills|orders` either may be there. A row that stands alone, as the
    answer to `order`, is a list of one."""


class OrderRow(_Model, frozen=True, kw_only=True):
    """The names of an order's row."""

    symbol: str = "symbol"
    id: str = "orderId"
    created: str = "time"
    updated: str = "updateTime"
    status: str = "status"
    quantity: str = "origQty"
    filled: str = "executedQty"
    quote: str = ""
    """Amount executed, in the quote asset; empty where the venue does not say it."""
    average: str = ""
    """Average price of what was executed; empty where the venue does not say it."""
    inverse: bool = False
    """Quantities are contracts, each worth a fixed amount of the quote asset."""


class FillRow(_Model, frozen=True, kw_only=True):
    """The names of a fill's row."""

    symbol: str = "symbol"
    order: str = "orderId"
    id: str = "id"
    time: str = "time"
    quantity: str = "qty"
    price: str = "price"
    quote: str = ""
    grain_ms: int = 1
    """What times are cut to: 1000 for seconds. Events then have the latest moment that it may have been."""


class BalanceRow(_Model, frozen=True, kw_only=True):
    """The names of a balance's row. `amounts` stand in the order of those of `StateEvent`."""

    asset: str = "asset"
    amounts: tuple[str, ...]
    digits: int | None = None
    """After the point, to which amounts are rounded before they are compared, where rows are rounded and
    events are not."""


class PositionRow(_Model, frozen=True, kw_only=True):
    """The names of a position's row."""

    symbol: str = "symbol"
    side: str = ""
    """Empty where a symbol has one position."""
    amount: str


class Mapped(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One field of an event made from rows, in data `["o.z", "walk.filled"]`. After it, as JSON, what stands
    there when the source has nothing; without that the field is left out. And after that the text that stands
    for true, where the row has a word in place of a boolean."""

    path: str
    source: str
    """`order.NAME` or `fill.NAME` of the rows, `ended.NAME` of the order's row where the event says that it
    was cancelled, `walk.NAME` for what follows from both (`WALKED`), or empty for what REST does not tell."""
    neutral: str = ""
    truth: str = "true"


WALKED = (
    "time",
    "execution",  # `NEW`, `TRADE`, or how the order ended
    "status",  # how the order stands after this event
    "quantity",  # of the order, without a sign
    "filled",  # so far
    "filled_quote",
    "average",
    "last",  # quantity of this fill, 0 for other events
    "last_quote",
    "open",  # whether the order rests on the book after this event
)


class OrderEvent(_Model, frozen=True, kw_only=True):
    """The venue's event about an order, and where in it the ids are."""

    type: str
    symbol: str
    order: str
    trade: str
    execution: str
    status: str
    born: str = "NEW"
    """Status in the event that tells of a new order."""
    partly: str = "PARTIALLY_FILLED"
    filled: str = "FILLED"
    ends: dict[str, str]
    """How an order ends without a fill: the row's status, and the execution type of the event."""
    ended: dict[str, str] = {}
    """Where the event's status is not the row's."""
    fields: tuple[Mapped, ...]


class StateEvent(_Model, frozen=True, kw_only=True):
    """The venue's event that says balances and positions as they are; names within the items of its lists."""

    type: str
    balances: str
    asset: str = "a"
    amounts: tuple[str, ...]
    positions: str = ""
    """Empty where the account has none."""
    symbol: str = "s"
    side: str = ""
    amount: str = "pa"


class Effect(_Model, frozen=True, kw_only=True):
    """What a fill does to balances and positions: where in the order event the parts of it are. A path that
    is empty is none of this venue's."""

    time: str
    """When a fill was, on the clock of `state_time`."""
    state_time: str
    """In the state event: when balances and positions came to be so."""
    side: str
    buy: str = "BUY"
    quantity: str = ""
    row_quantity: str = ""
    """Its name in the fill's row, where the event does not tell it."""
    quote: str = ""
    """The amount in the quote asset, where assets are exchanged; no position changes then."""
    position_side: str = ""
    unsigned: bool = False
    """Whether a short position's amount is told without a sign."""
    fee: str = ""
    fee_asset: str = ""
    fee_is_negative: bool = False
    """Whether what is paid has a minus."""
    profit: str = ""
    profit_asset: str = ""
    """Empty where it is the asset at the end of the symbol's name."""


class History(_Model, frozen=True, kw_only=True):
    """How what one stream missed, or one part of it, is asked for and told."""

    stream: str
    part: str = ""
    """Where several accounts speak on one stream: the name of this one's rows, such as `um`."""
    only: dict[str, str] = {}
    """What events of this part have, by path, and those of the others have not."""
    documentation: str
    calls: dict[QueryKind, HistoryCall]
    order_row: OrderRow = OrderRow()
    fill_row: FillRow = FillRow()
    balance_row: BalanceRow
    position_row: PositionRow | None = None
    order_event: OrderEvent
    state_event: StateEvent
    effect: Effect | None = None
    """None where a fill's effect is not told; then only what no fill touched can be compared."""
