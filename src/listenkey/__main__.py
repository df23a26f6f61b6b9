"""`python -m listenkey` is the `listenkey` command."""

import sys

from listenkey.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
