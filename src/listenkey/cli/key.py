"""`listenkey key`: listen keys, by their ids."""

import click

from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.output import json_option, print_items

_COLUMNS = ("id", "account", "key_space", "scope", "api_key", "state", "created_at", "expires_at")


@click.group()
def command() -> None:
    """List and close listen keys. The keys themselves are never shown."""


@command.command("list")
@click.option("--account", metavar="A", help="Of this account only.")
@json_option
@calls_admin
def list_(client: AdminClient, account: str | None, as_json: bool) -> None:
    """List listen keys."""
    print_items(client.items("/v1/listen-keys", account=account), _COLUMNS, as_json=as_json)


@command.command()
@click.argument("id")
@calls_admin
def close(client: AdminClient, id: str) -> None:  # noqa: A002
    """Close a listen key, and with it what it carries."""
    client.call("DELETE", client.path("/v1/listen-keys", id))
    click.echo(f"closed {id}")
