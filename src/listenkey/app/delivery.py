"""How each stream is delivered, as configured."""

from collections.abc import Iterable

from listenkey.base.clock import SECOND
from listenkey.config import Settings, StreamSettings
from listenkey.core.consumer import Reach
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.service.keys import ClosePolicy


def configured_delivery(settings: Settings) -> DeliveryRules:
    """The rules of all streams."""
    named = {name: _delivery(settings, own) for name, own in settings.stream.items()}
    return DeliveryRules(_delivery(settings, StreamSettings()), named)


def configured_close(settings: Settings, dialects: Iterable[str]) -> dict[str, ClosePolicy]:
    """What closing a shared key does, by dialect."""
    policies: dict[str, ClosePolicy] = dict.fromkeys(dialects, settings.streams.close)
    own = {name: stream.close for name, stream in settings.stream.items() if stream.close is not None}
    return policies | own


def _delivery(settings: Settings, own: StreamSettings) -> Delivery:
    common = settings.streams
    reach = Reach(
        overlap=_first(own.overlap_seconds, common.overlap_seconds) * SECOND,
        overlap_events=_first(own.overlap_events, common.overlap_events),
        longest=_first(own.replay_seconds, common.replay_seconds) * SECOND,
        most_events=_first(own.replay_events, common.replay_events),
    )
    return Delivery(
        own.resume or common.resume,
        reach,
        (own.consumer_by or common.consumer_by) == "address",
        own.snapshot or common.snapshot,
    )


def _first(own: int | None, common: int) -> int:
    return common if own is None else own
