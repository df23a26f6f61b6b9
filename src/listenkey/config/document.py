"""The reference of all settings, as Markdown."""

from collections.abc import Iterator

from listenkey.config.convert import describe
from listenkey.config.fields import COMMAND_VARIABLES, Field, Section, sections
from listenkey.config.show import toml_value

_HEAD = """# Settings

Each setting can be given in a TOML file (`--config FILE`), in the environment, and some on the command line.
The command line wins over the environment, the environment over the file, the file over the default. In the
environment a list is separated by commas, a table is written `name=number,name=number`, and an empty variable
counts as none. A key in the file that is no setting is an error; `listenkey config check` names them all.
Relative paths start from the folder that the command is run in.

| command line | setting |
|---|---|
| `--listen`, repeated | `listen` |
| `--admin` | `admin.listen` |
| `--store` | `store` |
| `--data` | `data` |
| `--limits` | `limits` |
| `--tls-cert`, `--tls-key` | `tls.cert`, `tls.key` |
"""


def reference() -> str:
    """Every setting: key, variable, type, default, meaning."""
    blocks = [
        _HEAD,
        *(block for section in sections() if section.fields for block in _section(section)),
        _commands(),
    ]
    return "\n".join(blocks)


def _section(section: Section) -> Iterator[str]:
    yield f"## {'`[' + '.'.join(section.path) + ']`' if section.path else 'Top of the file'}\n"
    yield f"{section.meaning}\n"
    for field in section.fields:
        yield _field(field)


def _field(field: Field) -> str:
    default = "unset" if field.default is None else f"`{toml_value(field.default)}`"
    secret = " Secret: never shown or logged." if field.secret else ""
    return (
        f"### `{field.name}`\n\n{field.meaning}{secret}\n\n"
        f"- value: {_code_choices(field)}\n- default: {default}\n- environment: `{field.variable}`\n"
    )


def _code_choices(field: Field) -> str:
    return ", ".join(f'`"{choice}"`' for choice in field.choices) if field.choices else describe(field)


def _commands() -> str:
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in COMMAND_VARIABLES.items())
    return f"""## Variables of the commands

Read by the commands themselves; none is a setting.

| variable | meaning |
|---|---|
{rows}
"""
