"""`listenkey`, but heartbeats come twice a second, and who leaves them unanswered is cut off at once.

A test runs this in place of the command, with the command's own arguments.
"""

import sys

import msgspec

from listenkey.cli.main import main
from listenkey.dialect import registry

PERIOD_MS = 500
GRACE_MS = 1500


def quicken() -> None:
    """Have every built-in dialect ask sooner."""
    builtin = registry._builtin()
    for name, dialect in builtin.items():
        beats = {
            key: msgspec.structs.replace(beat, period_ms=PERIOD_MS, grace_ms=GRACE_MS, enforced=True)
            for key, beat in dialect.heartbeats.items()
        }
        builtin[name] = msgspec.structs.replace(dialect, heartbeats=beats)


if __name__ == "__main__":
    quicken()
    sys.exit(main())
