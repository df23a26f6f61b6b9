"""Logs: one line an event on standard error, readable on a terminal and JSON elsewhere.

Whoever logs keeps listen keys, API keys, secrets and tokens out; ids and reasons are what goes in.
"""

import logging
import sys

import structlog

from listenkey.edge.admin.recent import recent_errors


def configure(level: str) -> None:
    """Set up our log and let the libraries' warnings through."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            recent_errors,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        stream=sys.stderr, level=max(threshold, logging.WARNING), format="%(levelname)s %(name)s %(message)s"
    )
