#!/usr/bin/env bash
# Make .venv ready: `tools/setup.sh server` for `make serve`, `tools/setup.sh dev` for everything else.
# Installs what the system lacks where it may (apt, as root); else names it on one line and exits 1.
# All output goes to standard error: `make serve` keeps standard output for the server's own line.
set -euo pipefail
exec >&2
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:?server or dev}
export PIP_DISABLE_PIP_VERSION_CHECK=1

# The first Python that is new enough and can make environments. A version manager's stand-in that
# cannot run answers as one that is not there.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

missing_packages() {
    [ -x .venv/bin/python ] || [ -n "$(find_python)" ] || echo "python3 python3-venv"
    if [ "$what" = dev ]; then
        # The published clients that the tests run are Python's and Node's.
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        command -v git >/dev/null || echo git
        # The demonstration's printed lines are run as they are.
        command -v curl >/dev/null || echo curl
        # The pages are looked at in a browser.
        command -v chromium chromium-browser google-chrome >/dev/null || echo chromium
    fi
}

missing=$(missing_packages | xargs)
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "set-up: installing $missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        # shellcheck disable=SC2086  # a list of package names
        apt-get install -qq -y --no-install-recommends $missing >/dev/null
        missing=$(missing_packages | xargs)
    fi
    if [ -n "$missing" ]; then
        echo "set-up: missing on this system: $missing (Python has to be 3.11 or newer)"
        exit 1
    fi
fi

# An environment whose interpreter went away, or that was copied from elsewhere, is made again.
if [ -d .venv ] && [ "$(.venv/bin/python -c 'import sys; print(sys.prefix)' 2>/dev/null)" != "$PWD/.venv" ]; then
    rm -rf .venv
fi
if [ ! -d .venv ]; then
    python=$(find_python)
    echo "set-up: making .venv with $("$python" --version)"
    # Half an environment would look like a whole one to the next run.
    "$python" -m venv .venv || { rm -rf .venv; echo "set-up: $python could not make .venv"; exit 1; }
fi

echo "set-up: installing requirements/$what.txt"
.venv/bin/python -m pip install --quiet --quiet --require-hashes -r "requirements/$what.txt"
# The build backend is among the requirements, so nothing unhashed is fetched for the build.
.venv/bin/python -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .
