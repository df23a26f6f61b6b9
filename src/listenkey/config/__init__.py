"""Settings: their declarations, where they come from, their checks and their reference.

Knows no dialect and opens no listener; checks that need a dialect are made by whoever has both.
"""

from listenkey.config.check import check_demo
from listenkey.config.document import reference
from listenkey.config.listener import Listener, parse_listener
from listenkey.config.load import Loaded, examine, load
from listenkey.config.settings import (
    AcceptedKeys,
    Admin,
    Dialects,
    DialectSettings,
    Heartbeat,
    Http,
    Journal,
    PassageSettings,
    Publish,
    ReplaySettings,
    Settings,
    Streams,
    StreamSettings,
    Tls,
    UpstreamSettings,
)
from listenkey.config.show import as_mapping, as_toml

__all__ = [
    "AcceptedKeys",
    "Admin",
    "DialectSettings",
    "Dialects",
    "Heartbeat",
    "Http",
    "Journal",
    "Listener",
    "Loaded",
    "PassageSettings",
    "Publish",
    "ReplaySettings",
    "Settings",
    "StreamSettings",
    "Streams",
    "Tls",
    "UpstreamSettings",
    "as_mapping",
    "as_toml",
    "check_demo",
    "examine",
    "load",
    "parse_listener",
    "reference",
]
