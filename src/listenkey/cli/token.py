"""`listenkey token`: who may call the admin listener."""

import click

from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.output import json_option, note, print_items, print_made


@click.group()
def command() -> None:
    """Add, list and revoke tokens for the admin listener."""


@command.command()
@click.option(
    "--scope", required=True, type=click.Choice(["admin", "publish", "read"]),
    help="admin may do everything, publish may publish, read may look.",
)  # fmt: skip
@json_option
@calls_admin
def add(client: AdminClient, scope: str, as_json: bool) -> None:
    """Add a token and print it, this once."""
    print_made(client.call("POST", "/v1/tokens", {"scope": scope}), as_json=as_json)
    note("Keep the token now: it is not shown again.")


@command.command("list")
@json_option
@calls_admin
def list_(client: AdminClient, as_json: bool) -> None:
    """List tokens; never the tokens themselves."""
    print_items(client.items("/v1/tokens"), ("id", "scope", "created_at"), as_json=as_json)


@command.command()
@click.argument("id")
@calls_admin
def revoke(client: AdminClient, id: str) -> None:  # noqa: A002
    """Revoke a token."""
    client.call("DELETE", client.path("/v1/tokens", id))
    click.echo(f"revoked {id}")
