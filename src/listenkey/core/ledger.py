"""What an account holds, by name, as events and fills tell it: to be compared with what its venue says.

A venue tells totals in its state events, which a break may have swallowed for good, and the fills can be had
again. So a name has its last total and what fills later than that added to it.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Self

import msgspec

_NONE: Final = Decimal(0)
_GRAIN: Final = Decimal("0.00000001")
"""To which venues round each fill's profit and fee."""


class Change(msgspec.Struct, frozen=True):
    """What an event says of one asset or position."""

    name: str
    at_ms: int
    """When it came to be so, by the venue's clock."""
    amount: Decimal
    is_total: bool
    """Whether so much is held from then on, or so much was added."""
    grain: Decimal = _GRAIN
    """To how much the venue rounds what was added."""


class _Account(msgspec.Struct):
    total: Decimal = _NONE
    at_ms: int = 0
    added: list[tuple[int, Decimal]] = []
    """Not before the total: when, and how much."""
    grain: Decimal = _NONE


class _Kept(msgspec.Struct, frozen=True):
    accounts: dict[str, _Account]
    last: str


class Ledger:
    """Names and what is held of each. `whole`: of a name that was never told of nothing is held; else nobody
    knows."""

    def __init__(self, totals: Mapping[str, Decimal], *, whole: bool) -> None:
        self.accounts = {name: _Account(amount) for name, amount in totals.items()}
        self.is_whole = whole

    def keep(self, last: bytes) -> bytes:
        """All of it, to go on with after a restart. `last`: the last event that it knows; empty for none."""
        return msgspec.json.encode(_Kept(self.accounts, _digest(last)))

    def copy(self) -> Self:
        """Another that goes its own way."""
        other = type(self)({}, whole=self.is_whole)
        for name, each in self.accounts.items():
            other.accounts[name] = _Account(each.total, each.at_ms, [*each.added], each.grain)
        return other

    @property
    def names(self) -> Collection[str]:
        """All that was ever told of."""
        return self.accounts.keys()

    def apply(self, changes: Iterable[Change]) -> None:
        """Take what an event says, in whatever order events come."""
        for change in changes:
            account = self.accounts.setdefault(change.name, _Account())
            if change.is_total:
                if change.at_ms >= account.at_ms:
                    account.total, account.at_ms = change.amount, change.at_ms
                    account.added = [each for each in account.added if each[0] >= change.at_ms]
            elif change.at_ms >= account.at_ms:
                account.added.append((change.at_ms, change.amount))
                account.grain = change.grain

    def settle(self, until_ms: int) -> None:
        """Count what was added up to then to the totals, and forget what there is none of: nothing that is
        older will be told any more."""
        for name, account in tuple(self.accounts.items()):
            old = [amount for at, amount in account.added if account.at_ms < at <= until_ms]
            if old:
                account.total += sum(old)
                account.added = [each for each in account.added if each[0] > until_ms]
                account.at_ms = until_ms
            if self.is_whole and not account.total and not account.added and account.at_ms <= until_ms:
                del self.accounts[name]

    def amounts(self, name: str, at_ms: int | None = None, *, all_of_it: bool = False) -> "Amounts | None":
        """What may be held of a name, or was at a moment that is not before its total: fills of the very
        moment of a total may be in it or not. `all_of_it`: the moment asked for is over, with all its fills.
        None where no total was ever told."""
        account = self.accounts.get(name, _Account())
        if not self.is_whole and not account.at_ms:
            return None
        added = [each for each in account.added if at_ms is None or each[0] < at_ms]
        ties = [amount for at, amount in added if at == account.at_ms]
        later = sum((amount for at, amount in added if at > account.at_ms), _NONE)
        at_the_end = [amount for at, amount in account.added if at == at_ms]
        held = [account.total + later + first + last for first in _sums(ties) for last in _sums(at_the_end)]
        return Amounts(tuple(held), account.grain * len(account.added))


def kept_ledger(text: bytes, known: Sequence[bytes]) -> tuple[Ledger, int] | None:
    """A whole ledger that was kept, and how many of the events it knows, the newest of which are given; None
    where that cannot be told."""
    try:
        kept = msgspec.json.decode(text, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    after = next((at for at in range(len(known), 0, -1) if _digest(known[at - 1]) == kept.last), 0)
    if kept.last and not after:
        return None
    ledger = Ledger({}, whole=True)
    ledger.accounts = kept.accounts
    return ledger, after


def _digest(event: bytes) -> str:
    return hashlib.blake2b(event, digest_size=16).hexdigest() if event else ""


def _sums(amounts: list[Decimal]) -> list[Decimal]:
    """Of none of them, of the first, of the first two, and so on."""
    return [sum(amounts[:count], _NONE) for count in range(len(amounts) + 1)]


class Amounts(msgspec.Struct, frozen=True):
    """Amounts any of which may be right, give or take a little."""

    held: tuple[Decimal, ...]
    slack: Decimal

    def has(self, amount: Decimal) -> bool:
        """Whether this is one of them."""
        return any(abs(each - amount) <= self.slack for each in self.held)
