"""`listenkey ban`: who is shut out for calling too much."""

import click

from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.output import json_option, print_items

_COLUMNS = ("id", "dialect", "bucket", "since", "until", "strikes")


@click.group()
def command() -> None:
    """List and lift bans."""


@command.command("list")
@json_option
@calls_admin
def list_(client: AdminClient, as_json: bool) -> None:
    """List bans that are in force."""
    print_items(client.items("/v1/bans"), _COLUMNS, as_json=as_json)


@command.command()
@click.argument("id")
@calls_admin
def lift(client: AdminClient, id: str) -> None:  # noqa: A002
    """Lift a ban before its time."""
    client.call("DELETE", client.path("/v1/bans", id))
    click.echo(f"lifted {id}")
