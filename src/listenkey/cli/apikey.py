"""`listenkey apikey`: what a bot authenticates with."""

from typing import Any

import click

from listenkey.base.errors import Refused
from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.files import read_small_text
from listenkey.cli.output import json_option, note, print_items, print_made

_COLUMNS = ("id", "account", "key", "permissions", "ip_allow", "created_at")


@click.group()
def command() -> None:
    """Add, list and revoke API keys of accounts.

    A bot has an API key here as it has one at the venue, and asks for listen keys with it.
    """


@command.command()
@click.argument("account")
@click.option(
    "--permission", "permissions", multiple=True, type=click.Choice(["read", "trade"]), default=["read"],
    show_default=True, help="What it may do; repeat for more than one.",
)  # fmt: skip
@click.option("--ip", "ip_allow", multiple=True, metavar="CIDR", help="Where it may be used from; repeat.")
@click.option("--key", metavar="K", help="The key itself, 1 to 128 of A-Z a-z 0-9 _ -; else one is made.")
@click.option(
    "--secret", metavar="S", help="The secret; else one is made. Others on this machine can see it."
)
@click.option("--secret-file", metavar="F", help="File with the secret; - is standard input.")
@click.option("--public-key", metavar="PEMFILE", help="Ed25519 or RSA public key to check signatures with.")
@json_option
@calls_admin
def add(client: AdminClient, account: str, as_json: bool, **given: Any) -> None:
    """Add an API key to an account.

    The key and its secret are printed, this once.
    """
    body = {"permissions": [*given["permissions"]], "ip_allow": [*given["ip_allow"]]} | _credentials(**given)
    made = client.call("POST", client.path("/v1/accounts", account, "api-keys"), body)
    print_made(made, as_json=as_json)
    if made["secret"]:
        note("Keep the secret now: it is not shown again.")


def _credentials(
    key: str | None, secret: str | None, secret_file: str | None, public_key: str | None, **_: object
) -> dict[str, str]:
    if secret is not None and secret_file is not None:
        raise click.UsageError("--secret and --secret-file exclude each other.")
    if secret_file is not None:
        secret = read_small_text(secret_file)
    pem = read_small_text(public_key) if public_key is not None else None
    if pem is not None and "PUBLIC KEY-----" not in pem:
        what, remedy = f"{public_key} holds no public key in PEM", "it begins with -----BEGIN PUBLIC KEY-----"
        raise Refused(what, remedy, code="bad_public_key")
    given = {"key": key, "secret": secret, "public_key": pem}
    return {name: value for name, value in given.items() if value is not None}


@command.command("list")
@click.argument("account", required=False)
@json_option
@calls_admin
def list_(client: AdminClient, account: str | None, as_json: bool) -> None:
    """List API keys, of one account or all.

    Of keys of 16 and more characters the first and last four are shown, of others nothing.
    """
    print_items(client.items("/v1/api-keys", account=account), _COLUMNS, as_json=as_json)


@command.command()
@click.argument("id")
@calls_admin
def revoke(client: AdminClient, id: str) -> None:  # noqa: A002
    """Revoke an API key.

    Its listen keys and their sockets are closed before the answer.
    """
    client.call("DELETE", client.path("/v1/api-keys", id))
    click.echo(f"revoked {id}")
