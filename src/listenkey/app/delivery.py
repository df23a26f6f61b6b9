"""How each stream is delivered, as configured."""

from listenkey.base.clock import SECOND
from listenkey.base.errors import ConfigError
from listenkey.config import Settings, StreamSettings
from listenkey.core.consumer import Reach
from listenkey.dialect.model import Dialect
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.service.keys import ClosePolicy


def configured_delivery(settings: Settings, dialects: dict[str, Dialect]) -> DeliveryRules:
    """The rules of all streams. Errors: `ConfigError` for a stream that is not there."""
    known = {stream.name for dialect in dialects.values() for stream in dialect.streams}
    for name in settings.stream:
        if name not in known:
            raise ConfigError(
                f"[stream.{name}]: there is no such stream", f"the streams are {', '.join(sorted(known))}"
            )
    named = {name: _delivery(settings, own) for name, own in settings.stream.items()}
    return DeliveryRules(_delivery(settings, StreamSettings()), named)


def configured_close(settings: Settings, dialects: dict[str, Dialect]) -> dict[str, ClosePolicy]:
    """What closing a shared key does, by dialect. Errors: `ConfigError` where a stream has no key space of
    its own."""
    policies: dict[str, ClosePolicy] = dict.fromkeys(dialects, settings.streams.close)
    for name, own in settings.stream.items():
        if own.close is not None:
            if name not in dialects:
                raise ConfigError(
                    f"[stream.{name}] close: its listen keys belong to another stream too",
                    "set it for the stream that is named as the dialect",
                )
            policies[name] = own.close
    return policies


def _delivery(settings: Settings, own: StreamSettings) -> Delivery:
    common = settings.streams
    reach = Reach(
        overlap=_first(own.overlap_seconds, common.overlap_seconds) * SECOND,
        overlap_events=_first(own.overlap_events, common.overlap_events),
        longest=_first(own.replay_seconds, common.replay_seconds) * SECOND,
        most_events=_first(own.replay_events, common.replay_events),
    )
    return Delivery(own.resume or common.resume, reach, (own.consumer_by or common.consumer_by) == "address")


def _first(own: int | None, common: int) -> int:
    return common if own is None else own
