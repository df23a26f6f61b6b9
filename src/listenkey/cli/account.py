"""`listenkey account`: whose events are kept."""

import click

from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.output import json_option, print_items


@click.group()
def command() -> None:
    """Add, list and remove accounts.

    An account is somebody whose events are journaled: API keys, listen keys and streams belong to it.
    """


@command.command()
@click.argument("name")
@calls_admin
def add(client: AdminClient, name: str) -> None:
    """Add an account.

    A name is 1 to 64 of a-z 0-9 . _ -
    """
    client.call("POST", "/v1/accounts", {"name": name})
    click.echo(f"added {name}")


@command.command("list")
@json_option
@calls_admin
def list_(client: AdminClient, as_json: bool) -> None:
    """List accounts."""
    print_items(client.items("/v1/accounts"), ("name", "created_at"), as_json=as_json)


@command.command()
@click.argument("name")
@calls_admin
def remove(client: AdminClient, name: str) -> None:
    """Remove an account and all it has.

    Its API keys, listen keys and journals go, and its sockets are closed before the answer.
    """
    client.call("DELETE", client.path("/v1/accounts", name))
    click.echo(f"removed {name}")
