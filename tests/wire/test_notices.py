import json

import pytest

from listenkey.core.keylife import EndCause
from listenkey.wire.notices import notices_for
from tests.wire.asking import DIALECTS, KEY, NOW


@pytest.mark.parametrize(
    "name, stream, causes",
    [
        ("binance-spot", "binance-spot", {"expired", "revoked"}),
        ("binance-margin", "binance-margin", {"expired", "revoked"}),
        ("binance-margin-isolated", "binance-margin-isolated", {"expired", "revoked"}),
        ("binance-usdm", "binance-usdm", {"expired", "closed", "revoked"}),
        ("binance-usdm", "binance-pm-pro", {"expired", "closed", "revoked"}),
        ("bingx", "bingx-spot", set()),
        ("bingx", "bingx-swap", {"expired", "closed", "revoked"}),
        ("bingx", "bingx-coinm", {"expired", "closed", "revoked"}),
    ],
)
def test_who_is_told(name: str, stream: str, causes: set[EndCause]) -> None:
    """Each stream is told of the ends that its venue tells of, in the venue's event."""
    told = {"e": "listenKeyExpired", "E": NOW // 1000, "listenKey": KEY}
    for cause in ("expired", "closed", "revoked"):
        notices = [json.loads(notice) for notice in notices_for(DIALECTS[name], stream, cause, KEY, NOW)]
        assert notices == ([told] if cause in causes else [])
