"""What passes calls and sockets to venues, made as the configuration says."""

from listenkey.app.passage_settings import configured_venues
from listenkey.config import Settings
from listenkey.edge.passage.passage import Passage
from listenkey.service.gateway import Gateway


def make_passage(settings: Settings, gateway: Gateway) -> Passage | None:
    """What passes calls and sockets on; None where nothing is to be passed. Errors: `ConfigError`."""
    venues = configured_venues(settings, gateway.dialects)
    if not venues:
        return None
    an_address = settings.streams.market_sockets_per_address
    return Passage(venues, gateway.metrics, gateway.clock.now, an_address=an_address)
