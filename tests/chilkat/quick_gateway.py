"""`listenkey` with heartbeats many times a second, so that every program meets one."""

import sys

from listenkey.cli.main import main
from tests.snippets import quick_beats

if __name__ == "__main__":
    quick_beats.PERIOD_MS = 30
    quick_beats.GRACE_MS = 5000
    quick_beats.quicken()
    sys.exit(main())
