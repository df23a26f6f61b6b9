"""`listenkey store`: copies of everything."""

from pathlib import Path

import click

from listenkey.cli.admin import AdminClient, calls_admin
from listenkey.cli.offline import offline_settings, require_server, with_data
from listenkey.cli.output import note


@click.group()
def command() -> None:
    """Back up and restore the store."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@calls_admin
def backup(client: AdminClient, file: Path) -> None:
    """Copy the store to a new file while the gateway runs.

    The copy is consistent, and the file is one of the gateway's machine. Without the master secret it opens
    nowhere.
    """
    made = client.call("POST", "/v1/store/backup", {"path": str(file.absolute())}, patient=True)
    click.echo(f"backed up to {made['path']}, {made['bytes']} bytes")
    note("Without the master secret it opens nowhere: keep that too, in another place.")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_data
def restore(file: Path, data: str | None, config: Path | None) -> None:
    """Put a backup in the place of the store.


    The gateway has to be stopped, and the master secret has to be the one that the backup was made with.
    Every journal begins a new epoch. A store that was there is kept beside it under another name.
    """
    require_server("store restore")
    from listenkey.app.offline import restore_store

    settings = offline_settings(data, config)
    restore_store(settings, file)
    click.echo(f"restored {settings.data}")
