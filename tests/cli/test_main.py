import re
import subprocess
import sys
from importlib import import_module

import click
import pytest

from listenkey import __version__
from listenkey.cli.main import COMMANDS, root

# What DESIGN promises of this version, and no more: a command that is listed works.
CONTRACT = {
    "serve": [],
    "account": ["add", "list", "remove"],
    "apikey": ["add", "list", "revoke"],
    "token": ["add", "list", "revoke"],
    "key": ["close", "list"],
    "ban": ["lift", "list"],
    "publish": [],
    "journal": ["export", "read", "verify"],
    "store": ["backup", "restore"],
    "dialect": ["check", "list", "show"],
    "config": ["check", "doc", "show"],
    "docs": ["build", "explain", "import"],
    "tail": [],
}


def every_command(command=root, path=()):
    """All commands with their paths, groups too."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), (*path, name))


def test_the_commands_are_those_of_the_contract():
    """None is missing and none is announced that is not there."""
    found = {path: command for path, command in every_command() if len(path) == 1}
    assert [name for (name,) in found] == list(CONTRACT)
    for (name,), command in found.items():
        below = sorted(command.commands) if isinstance(command, click.Group) else []
        assert below == CONTRACT[name], name


def test_the_help_of_the_command_lists_each_group_with_a_line(command):
    """The lines are kept apart from the groups so that help is quick; they must not drift apart."""
    result = command("--help")
    assert result.status == 0
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", result.out, re.MULTILINE), name
        assert import_module(f"listenkey.cli.{name}").command.help.startswith(line), name


@pytest.mark.parametrize("path", [path for path, _ in every_command()], ids=" ".join)
def test_every_command_has_help_and_every_option_a_word(path, command):
    """`--help` works everywhere and leaves no option unexplained."""
    result = command(*path, "--help")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("Usage: listenkey")
    (found,) = (each for its_path, each in every_command() if its_path == path)
    assert found.help
    assert all(each.help for each in found.params if isinstance(each, click.Option))


@pytest.mark.parametrize(
    "path", [path for path, _ in every_command() if path and path[-1] in {"list", "show"}]
)
def test_commands_that_print_a_table_print_json_too(path):
    """Scripts read every table without cutting columns."""
    (found,) = (each for its_path, each in every_command() if its_path == path)
    assert any("--json" in each.opts for each in found.params)


def test_serve_has_the_options_of_the_contract():
    """Programs outside start the gateway with exactly these."""
    (serve,) = (each for path, each in every_command() if path == ("serve",))
    options = {option for each in serve.params for option in each.opts}
    assert options == {
        *("--config", "--listen", "--admin", "--store", "--data"),
        *("--demo", "--limits", "--tls-cert", "--tls-key"),
    }


def test_version(command):
    """One line with the package's version."""
    assert command("--version").out == f"listenkey {__version__}\n"


@pytest.mark.parametrize(
    "arguments,hint",
    [
        (("acount", "list"), "account"),
        (("account", "lst"), "list"),
        (("account", "list", "--jsn"), "--json"),
        (("account", "add"), "NAME"),
        (("token", "add", "--scope", "root"), "admin"),
        (("serve", "--limits", "none"), "venue"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_was_meant(command, arguments, hint):
    """A typing error is told apart from a refusal, and corrected where it can be."""
    result = command(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert hint in result.err


def test_help_and_offline_commands_load_nothing_heavy():
    """They are typed by hand and completed by shells: neither HTTP client nor server is imported for them."""
    heavy = {"httpx", "apsw", "uvicorn", "asyncio", "cryptography", "structlog"}
    code = (
        "import sys; from listenkey.cli.main import main; main(sys.argv[1:]); "
        f"print(*(set(sys.modules) & {heavy}), file=sys.stderr)"
    )
    for arguments in (["--help"], ["dialect", "list"], ["config", "doc"]):
        run = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert run.stderr.strip() == "", arguments


@pytest.mark.parametrize("arguments", ["config doc", "--version", "--help", "dialect list --json"])
def test_a_full_disk_is_said_in_a_line(arguments):
    """Output to a full disk ends with status 1 and a reason, not with a traceback."""
    run = subprocess.run(
        [f"{sys.executable} -m listenkey {arguments} > /dev/full"],
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert re.fullmatch("listenkey: standard output .*No space left on device.*\n", run.stderr), run.stderr


def test_output_that_nobody_reads_to_the_end_is_no_error():
    """`listenkey config doc | head -1` ends quietly."""
    run = subprocess.run(
        [f"{sys.executable} -m listenkey config doc | head -1"],
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("# Settings\n", "")
