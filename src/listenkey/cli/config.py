"""`listenkey config`: what the gateway would run with."""

import os
from pathlib import Path

import click

from listenkey.base.errors import Refused
from listenkey.cli.checks import dialect_problems
from listenkey.cli.output import json_option, note, plural, print_json
from listenkey.config import as_mapping, as_toml, examine, load, reference

_file = click.option(
    "--config", "file", metavar="FILE", envvar="LISTENKEY_CONFIG", type=click.Path(path_type=Path),
    help="Configuration file.",
)  # fmt: skip


@click.group()
def command() -> None:
    """Check, show and explain the configuration."""


@command.command()
@_file
def check(file: Path | None) -> None:
    """Check file and environment.

    They are read as `serve` would read them; each problem is a line on standard output.
    """
    loaded, problems = examine(file, os.environ)
    found = [str(problem) for problem in problems]
    if loaded is not None:
        found += dialect_problems(loaded.settings) if not found else []
        for warning in loaded.warnings:
            note(f"warning: {warning}")
    for line in found:
        click.echo(line)
    if found:
        what = f"{plural(len(found), 'problem')} in the configuration"
        raise Refused(what, "mend what is listed above and check again", code="config")
    click.echo(f"ok, {plural(len(loaded.origins) if loaded else 0, 'setting')} given")


@command.command()
@_file
@json_option
def show(file: Path | None, as_json: bool) -> None:
    """Print the settings in force as TOML.

    Each given one is followed by where it came from. Secrets are masked.
    """
    loaded = load(file, os.environ)
    if as_json:
        print_json(as_mapping(loaded.settings))
    else:
        click.echo(as_toml(loaded), nl=False)


@command.command()
def doc() -> None:
    """Print the reference of all settings as Markdown."""
    click.echo(reference(), nl=False)
