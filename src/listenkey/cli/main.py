"""The `listenkey` command: its groups, and how errors end it."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from listenkey.base.errors import ListenKeyError

REFUSED: Final = 1
INTERRUPTED: Final = 130
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
# Each with the line that the help shows, so that help need not import them all.
COMMANDS: Final = {
    "serve": "Run the gateway.",
    "account": "Add, list and remove accounts.",
    "apikey": "Add, list and revoke API keys of accounts.",
    "token": "Add, list and revoke tokens for the admin listener.",
    "key": "List and close listen keys.",
    "ban": "List and lift bans.",
    "publish": "Publish events to a stream of an account.",
    "journal": "Read, verify and export journals.",
    "store": "Back up and restore the store.",
    "dialect": "List, show and check dialects.",
    "config": "Check, show and explain the configuration.",
    "docs": "Build and use the reference of every call.",
    "tail": "Print a stream's events as they come.",
}


class _Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table above: what is needed first comes first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command or group of this name, from its own file."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"listenkey.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table above, as the help shows it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from listenkey import __version__

        click.echo(f"listenkey {__version__}")
        ctx.exit()


@click.group(
    cls=_Commands,
    # By these names a mistyped one is told what it may have meant.
    commands={name: click.Command(name) for name in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version.",
)  # fmt: skip
def root() -> None:
    """A self-hosted gateway for exchanges' listen-key user-data streams.

    Exit status: 0 done, 1 refused (one line on standard error says why, and what to do), 2 usage.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        status = root.main(args=arguments, prog_name="listenkey", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except (ListenKeyError, click.ClickException) as error:
        text = str(error) if isinstance(error, ListenKeyError) else error.format_message()
        click.echo(f"listenkey: {' '.join(text.split())}", err=True)
        return REFUSED
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
        return REFUSED
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        _drop_output()
        click.echo(f"listenkey: standard output cannot be written: {error.strerror}; make room", err=True)
        return REFUSED
    return status if isinstance(status, int) else 0


def _drop_output() -> None:
    """The interpreter must not complain while it flushes what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
