"""What a reader of a venue's protocol is not told, who could not be told so either: the log and a metric have
it."""

import structlog

from listenkey.service.metrics import Metrics

_log = structlog.get_logger(__name__)


def pass_over(
    metrics: Metrics,
    epoch: str,
    first: int,
    last: int,
    *,
    reason: str,
    account: str,
    stream: str,
    api_key: str,
    place: str = "",
) -> None:
    """Count the events from `first` to `last`, and name the command that reads them. `reason`: `bounds` of a
    replay, else as gaps have it, and then they are gone. `api_key`: its id. `place`: a topic or filter."""
    metrics.events_passed_over += last - first + 1
    read_them = f"listenkey journal read {account} {stream} --since {epoch}:{first - 1}"
    _log.warning(
        "events_passed_over",
        account=account,
        stream=stream,
        place=place,
        api_key=api_key,
        epoch=epoch,
        first=first,
        last=last,
        reason=reason,
        **({"read_them": read_them} if reason == "bounds" else {}),
    )
