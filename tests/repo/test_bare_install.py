"""The bare install is the client and the command: neither may need what only the server has."""

import re
import subprocess
import sys
import tomllib

from tools.tracked import ROOT

# A module that is None in sys.modules fails to import, as if it were not installed.
HELP_WITHOUT = """
import sys
for name in sys.argv.pop().split(","):
    sys.modules[name] = None
from listenkey.cli.main import main
sys.argv = ["listenkey", "--help"]
main()
"""


def server_modules():
    """What the server extra brings, by import name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = (re.match(r"[a-z-]+", item).group() for item in project["optional-dependencies"]["server"])
    return [name.replace("-", "_") for name in names]


def test_the_command_starts_without_the_servers_packages():
    """Importing the command and printing its help touches none of them."""
    run = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT, ",".join(server_modules())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "serve" in run.stdout


CHECK_WITHOUT = HELP_WITHOUT.replace('"--help"', '"config", "check", "--config", sys.argv.pop()')


def test_a_configuration_is_checked_without_the_servers_packages(tmp_path):
    """What passes to a venue and whose API keys are accepted can be checked on any machine."""
    file = tmp_path / "listenkey.toml"
    file.write_text(
        '[passage.bingx]\n[[accept_api_keys]]\naccount = "desk"\nkeys = ["k"]\n', encoding="ascii"
    )
    without = ",".join(name for name in server_modules() if name != "h11")  # which httpx brings
    run = subprocess.run(
        [sys.executable, "-c", CHECK_WITHOUT, str(file), without],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "ok, 2 settings given\n"), run.stderr
