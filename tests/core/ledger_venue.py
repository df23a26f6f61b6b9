"""A venue of few words, for tests of recovery: what it published, what history shows of it, and books."""

import json
from decimal import Decimal

from listenkey.core.ledger import Change
from listenkey.core.recovery import Fact, Reading

SYMBOLS = ("AAA", "BBB", "CCC")


class Books:
    """Reads the words of `LedgerVenue`."""

    def read(self, kind, raw, names):
        event = json.loads(raw)
        at = event["at"]
        if kind == "state":
            return Reading(at, None, tuple(Change(n, at, Decimal(v), True) for n, v in event["held"].items()))
        if kind == "amended":
            return Reading(at)
        symbol, order = event["s"], event["i"]
        rests = Change(f"order {order}", at, Decimal(event["rests"]), True)
        if kind == "fill":
            filled = Change(f"pos {symbol}", at, Decimal(event["q"]), False)
            return Reading(at, ("fill", symbol, event["t"]), (rests, filled), f"order {order}")
        return Reading(at, (kind, symbol, order), (rests,), "" if kind == "new" else f"order {order}")


class LedgerVenue:
    """Orders of three symbols. What happens is published, with state events that history never tells."""

    def __init__(self, dice):
        self.dice = dice
        self.published = []
        """Everything in its order: time, kind, bytes, symbol."""
        self.held = dict.fromkeys([*(f"pos {s}" for s in SYMBOLS), "cash"], 0)
        self.open = {}
        self.transfers = True
        """Whether money moves in ways that history does not tell."""
        self.made = 0
        self.holdings = [(0, self.snapshot())]

    def snapshot(self):
        """What is held now."""
        held = {name: Decimal(amount) for name, amount in self.held.items() if amount}
        return held | {f"order {order}": Decimal(1) for order in self.open}

    def tell(self, at, kind, symbol="", **more):
        """Publish an event."""
        raw = json.dumps({"at": at, "s": symbol, **more}).encode()
        self.published.append((at, kind, raw, symbol))
        return kind, raw

    def act(self, at):
        """Something happens; the events that it is told by."""
        dice, told = self.dice, []
        roll = dice.random()
        if roll < 0.35 or not self.open:
            self.made += 1
            order, symbol = f"o{self.made}", dice.choice(SYMBOLS)
            self.open[order] = symbol
            told.append(self.tell(at, "new", symbol, i=order, rests=1))
        elif roll < 0.55:
            order = dice.choice(list(self.open))
            told.append(self.tell(at, "ended", self.open.pop(order), i=order, rests=0))
        elif roll < 0.6 and self.transfers:
            self.held["cash"] += dice.choice((-5, 7))
            told.append(self.tell(at, "state", held={"cash": self.held["cash"]}))
        else:
            told += self.fill(at)
        self.holdings.append((at, self.snapshot()))
        return told

    def fill(self, at):
        """A fill, and what it does to a position, in either order as venues do."""
        order = self.dice.choice(list(self.open))
        symbol, whole = self.open[order], self.dice.random() < 0.5
        if whole:
            del self.open[order]
        self.made += 1
        quantity, name = self.dice.randrange(-9999, 9999) or 1, f"pos {symbol}"
        self.held[name] += quantity
        more = {"i": order, "rests": 0 if whole else 1, "q": quantity, "t": self.made}
        words = [("fill", symbol, more), ("state", "", {"held": {name: self.held[name]}})]
        if self.dice.random() < 0.5:
            words.reverse()
        return [self.tell(at, kind, symbol, **more) for kind, symbol, more in words]

    def totals(self, at):
        """What the snapshot call says, of a moment."""
        return next(held for moment, held in reversed(self.holdings) if moment <= at)

    def facts(self, from_ms, to_ms, symbols, seen_by):
        """What history says of a span, where it was written by a moment."""
        books, told = Books(), []
        for at, kind, raw, symbol in self.published:
            if (
                kind in {"new", "ended", "fill"}
                and symbol in symbols
                and from_ms <= at <= min(to_ms, seen_by)
            ):
                told.append(Fact(kind, raw, at, books.read(kind, raw, ()).identity, "backfill"))
        return tuple(told)
