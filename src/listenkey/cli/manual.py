"""The commands described from click's own tree: what the reference says about them."""

from collections.abc import Iterator

import click

_HEAD = """# Commands

`listenkey COMMAND --help` prints the same. Exit status: 0 done, 1 refused, with one line on
standard error that says why and what to do, 2 usage. `--json` is there wherever a table is.
"""


def commands_chapter() -> str:
    """Every command with its help, as Markdown."""
    from listenkey.cli.main import root

    return _HEAD + "".join(f"\n{part}\n" for part in _pages(root, _context(root, "listenkey", None), 2))


def _pages(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield _page(command, context, level)
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None:
            yield from _pages(below, _context(below, name, context), min(level + 1, 4))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    context.terminal_width = 100
    return context


def _page(command: click.Command, context: click.Context, level: int) -> str:
    return f"{'#' * level} `{context.command_path}`\n\n```\n{command.get_help(context)}\n```"
