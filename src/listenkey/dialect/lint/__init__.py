"""What the model's types cannot say: rows that are missing, twice there or never met, names that lead
nowhere, templates that cannot be filled, keys that could be guessed.
"""

from listenkey.dialect.lint.api import check_apis, check_token_calls
from listenkey.dialect.lint.calls import check_calls, check_failures, check_limits, check_operations
from listenkey.dialect.lint.events import check_events, check_past_events, check_snapshots
from listenkey.dialect.lint.history import check_history
from listenkey.dialect.lint.keys import check_auth, check_key_space, check_names
from listenkey.dialect.lint.sockets import check_controls, check_endings, check_heartbeats, check_sockets
from listenkey.dialect.lint.venue import check_eras, check_hosts
from listenkey.dialect.model import Dialect

_CHECKS = (
    check_names,
    check_key_space,
    check_auth,
    check_calls,
    check_operations,
    check_failures,
    check_limits,
    check_sockets,
    check_controls,
    check_heartbeats,
    check_endings,
    check_apis,
    check_token_calls,
    check_hosts,
    check_eras,
    check_history,
    check_events,
    check_past_events,
    check_snapshots,
)


def problems(dialect: Dialect) -> list[str]:
    """All that is wrong with a dialect, one line each; empty for a good one."""
    return [problem for check in _CHECKS for problem in check(dialect)]
