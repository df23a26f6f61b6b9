"""What a socket was sent by subscriptions that it has no more: should its client come back to a stream, be it
for other events of it, this socket is told nothing twice."""

from collections.abc import Iterator

from listenkey.core.consumer import SHARED, ConsumerId, is_filter
from listenkey.core.position import LARGEST_OFFSET, Position, Stretch
from listenkey.service.outlet import Subscription

_MOST_STRETCHES = 64


class Left:
    """Of one socket."""

    __slots__ = ("_places", "_stretches")

    def __init__(self) -> None:
        self._places: dict[ConsumerId, Position] = {}
        self._stretches: dict[ConsumerId, tuple[Stretch, ...]] = {}
        """By reader, whatever its places: a new place begins where the lowest of them is."""

    def note(self, subscription: Subscription) -> None:
        """It is over."""
        if subscription.reader is None:
            return
        consumer = subscription.reader.consumer.id
        if consumer.place != SHARED:  # of whose filters each leaves out something else
            self._places[consumer] = Position(subscription.epoch, subscription.next - 1)
        if not subscription.topic:
            had = self._stretches.get(consumer.whole, ())
            for stretch in _sent(subscription):
                had = _with(had, stretch)
            self._stretches[consumer.whole] = had

    def place(self, consumer: ConsumerId) -> Position | None:
        """Up to where one place was sent here."""
        return self._places.get(consumer)

    def had(self, consumer: ConsumerId) -> tuple[Stretch, ...]:
        """What was sent here of a stream by any place of the reader. Topics are each for themselves."""
        is_topic = consumer.place and not is_filter(consumer.place)
        return () if is_topic else self._stretches.get(consumer.whole, ())


def _sent(subscription: Subscription) -> Iterator[Stretch]:
    """What it was sent, epoch by epoch."""
    part = subscription.start
    while part is not None:
        is_last = part.epoch == subscription.epoch
        upto = subscription.next - 1 if is_last else LARGEST_OFFSET
        if upto > part.after:
            yield Stretch(part.epoch, part.after, upto, subscription.events)
        part = None if is_last else part.then


def _with(had: tuple[Stretch, ...], new: Stretch) -> tuple[Stretch, ...]:
    """Joined with what it touches; the oldest are forgotten where there are too many."""
    apart = []
    for each in had:
        if each.touches(new):
            after, upto = min(each.after, new.after), max(each.upto, new.upto)
            new = Stretch(new.epoch, after, upto, new.events)
        else:
            apart.append(each)
    return (*apart, new)[-_MOST_STRETCHES:]
