"""What is wrong with a call that a dialect knows: its key, its parameters, its signature."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from listenkey.dialect.api import TokenCall
from listenkey.dialect.model import Auth, Dialect, Operation
from listenkey.reference.foreign.finding import Finding, FindingKind, error, note, warning
from listenkey.reference.foreign.masking import HIDDEN, shown_name
from listenkey.reference.foreign.request import Foreign, Pair, places

_CREDENTIAL: Final = re.compile(
    r"(x-\w{1,20}-)?(api[_-]?|secret[_-]?|access[_-]?){1,3}key|(api[_-]?)?secret|password|passphrase",
    re.IGNORECASE,
)
_STAND_IN: Final = re.compile(r".*(example|your|listen|here|xxx|<|>|\*\*|\.\.\.|…)", re.IGNORECASE)
_PAIR: Final = "Name the trading pair, such as BTCUSDT."
_WHOLE_KEY: Final = 40
"""From so many characters on, a key that has a word in it has it by chance."""
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_WINDOW: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/ ]{60,}={0,2}")
_SECONDS: Final = 10**11
"""Timestamps below are seconds: as milliseconds they would be before 1974."""
_MICROSECONDS: Final = 10**14
"""Timestamps from here on are microseconds: as milliseconds they would be in the year 5138."""


def check_operation(request: Foreign, dialect: Dialect, operation: Operation) -> Iterator[Finding]:
    """Everything about a call of a key's life."""
    given: dict[str, Pair] = {}
    for each in request.parameters:
        given.setdefault(each.name, each)
    yield from check_api_key(request, dialect.auth)
    yield from _listen_key(request, dialect, operation, given)
    yield from _symbol(dialect, operation, given)
    yield from _signature(request, dialect.auth, given)
    yield from _unknown(request, dialect, operation)
    yield from _body(request)
    if operation.alias:
        yield note("path_deprecated", "This is an older spelling of the call.", "Use the newer path.")


def check_token(request: Foreign, dialect: Dialect, call: TokenCall) -> Iterator[Finding]:
    """Everything about the call that makes a listen token."""
    given = {each.name: each.value for each in reversed(request.parameters)}
    yield from check_api_key(request, dialect.auth)
    isolated = given.get(call.isolated_parameter, "").lower() == "true" if call.isolated_parameter else False
    symbol = given.get(call.symbol_parameter, "")
    if isolated and not symbol:
        yield error("symbol_missing", f"`{call.symbol_parameter}` is not sent.", _PAIR)
    elif isolated and not places(symbol) and not re.fullmatch(call.symbol_pattern, symbol.upper(), re.ASCII):
        yield error("symbol_malformed", f"`{call.symbol_parameter}` is no trading pair.", _PAIR)
    elif symbol and not isolated:
        what = f"`{call.symbol_parameter}` counts only with `{call.isolated_parameter}=true`."
        yield warning("parameter_unknown", what, "Send both, or neither.")
    yield from _body(request)


def check_api_key(request: Foreign, auth: Auth) -> Iterator[Finding]:
    """Whether an API key comes where the venue looks for it."""
    key = request.header(auth.header)
    send = f"Send the API key as `{auth.header}`."
    misplaced = next((each for each in request.headers if _is_other_key_header(each.name, auth)), None)
    if misplaced is not None and not key:
        what = f"The API key comes as `{shown_name(misplaced.name)}`, which this venue does not read."
        yield error("api_key_misplaced", what, send)
    elif not key:
        kind: FindingKind = "api_key_missing" if key is None else "api_key_empty"
        what = f"The header `{auth.header}` is {'not sent' if key is None else 'empty'}"
        if request.scripted or request.headers_in_file:
            where = "script, which was not run" if request.scripted else "file, which was not opened"
            yield note(kind, f"{what}; a {where}, may set it.", send)
        else:
            yield error(kind, f"{what}.", send)
    elif not places(key):
        yield from _api_key_form(key, auth)


def _api_key_form(key: str, auth: Auth) -> Iterator[Finding]:
    if not re.fullmatch(auth.api_key_pattern, key, re.ASCII):
        fix = "Copy it again, without quotes, blanks or brackets."
        yield error("api_key_malformed", "The API key has characters that no API key has.", fix)
    elif _STAND_IN.match(key) and len(key) < _WHOLE_KEY:
        yield error("api_key_malformed", "The API key reads like a stand-in.", "Put your own there.")


def _is_other_key_header(name: str, auth: Auth) -> bool:
    known = name.lower() in {"authorization", "api-key", "apikey", "api_key"}
    alike = re.fullmatch(r"x-\w+-(access-)?(api-?)?key", name, re.IGNORECASE) is not None
    return name.lower() != auth.header.lower() and (known or alike)


def _listen_key(
    request: Foreign, dialect: Dialect, operation: Operation, given: dict[str, Pair]
) -> Iterator[Finding]:
    spellings = (operation.key_parameter, *operation.key_aliases)
    sent = next((given[name] for name in spellings if name in given), None)
    name = operation.key_parameter
    if operation.kind == "create" or operation.key_in == "nowhere":
        if sent is not None:
            why = (
                "the call makes a key"
                if operation.kind == "create"
                else "the API key says which key is meant"
            )
            yield note("listen_key_ignored", f"`{name}` is sent and ignored: {why}.", "Leave it out.")
    elif sent is None:
        yield from _no_listen_key(request, operation, given)
    elif not sent.value:
        yield error("listen_key_empty", f"`{name}` is empty.", "Send the key that create gave.")
    else:
        yield from _listen_key_form(dialect, name, sent.value)


def _no_listen_key(request: Foreign, operation: Operation, given: dict[str, Pair]) -> Iterator[Finding]:
    name = operation.key_parameter
    near = next((each for each in given if each.lower().replace("_", "") == name.lower()), "")
    if near:
        yield error(
            "listen_key_misplaced",
            f"The key comes as `{shown_name(near)}`, which is not read.",
            f"Call it `{name}`.",
        )
        return
    header = next(
        (each.name for each in request.headers if each.name.lower().replace("-", "") == name.lower()), ""
    )
    if header:
        yield error(
            "listen_key_misplaced",
            f"The key comes as the header `{shown_name(header)}`, which is not read.",
            f"Send it as the parameter `{name}`.",
        )
        return
    what = (
        "is answered with 204 and nothing is done" if operation.missing_key == "no_content" else "is refused"
    )
    yield error(
        "listen_key_missing", f"`{name}` is not sent, which {what}.", "Send the key that create gave."
    )


def _listen_key_form(dialect: Dialect, name: str, value: str) -> Iterator[Finding]:
    if places(value):
        return
    space = dialect.key_space
    illegal = not re.fullmatch(space.legal_pattern, value, re.ASCII)
    if illegal or (_STAND_IN.match(value) and len(value) < space.length):
        yield error(
            "listen_key_malformed",
            f"`{name}` has the form of a stand-in, not of a key.",
            f"Send the key that create gave, {space.length} characters without blanks or brackets.",
        )


def _symbol(dialect: Dialect, operation: Operation, given: dict[str, Pair]) -> Iterator[Finding]:
    name = operation.scope_parameter
    if not name:
        return
    sent = given.get(name)
    if sent is None:
        yield error("symbol_missing", f"`{name}` is not sent.", _PAIR)
    elif not sent.value:
        yield error("symbol_empty", f"`{name}` is empty.", _PAIR)
    elif not places(sent.value) and not re.fullmatch(
        dialect.key_space.symbol_pattern, sent.value.upper(), re.ASCII
    ):
        yield error("symbol_malformed", f"`{name}` is no trading pair.", _PAIR)


def _signature(request: Foreign, auth: Auth, given: dict[str, Pair]) -> Iterator[Finding]:
    timestamp, signature = given.get(auth.timestamp_parameter), given.get(auth.signature_parameter)
    if auth.signature == "ignored":
        if timestamp or signature:
            yield note(
                "signature_ignored",
                "The call is signed, and the venue does not look at it.",
                "The API key is enough.",
            )
        return
    if timestamp is None and signature is None:
        if auth.signature == "required" and not request.scripted:
            yield error("unsigned", "The call has to be signed and is not.", _how(auth))
        return
    if timestamp is None or not timestamp.value:
        yield error("signature_incomplete", f"It is signed without `{auth.timestamp_parameter}`.", _how(auth))
    else:
        yield from _timestamp(auth, timestamp.value, signed=signature is not None)
    if signature is None or not signature.value:
        yield from _half(request, auth)
    elif not (
        places(signature.value)
        or _HEXADECIMAL.fullmatch(signature.value)
        or _BASE64.fullmatch(signature.value)
    ):
        yield error("signature_malformed", f"`{auth.signature_parameter}` is no signature.", _how(auth))
    yield from _window(auth, given.get(auth.recv_window_parameter))


def _half(request: Foreign, auth: Auth) -> Iterator[Finding]:
    if not request.scripted:
        what = f"It has `{auth.timestamp_parameter}` and no `{auth.signature_parameter}`."
        fix = "Sign it, or leave both out." if auth.signature == "if_sent" else _how(auth)
        yield (error if auth.signature == "required" else warning)("signature_incomplete", what, fix)


def _how(auth: Auth) -> str:
    return (
        f"Add `{auth.timestamp_parameter}` in milliseconds and, last, `{auth.signature_parameter}`: the"
        " HMAC-SHA256 of the parameters as sent, keyed with the API secret."
    )


def _timestamp(auth: Auth, value: str, *, signed: bool) -> Iterator[Finding]:
    name = auth.timestamp_parameter
    if places(value):
        return
    if not _DIGITS.fullmatch(value):
        yield error("timestamp_malformed", f"`{name}` is no whole number.", "Send the time in milliseconds.")
        return
    number = int(value)
    in_micros = number >= _MICROSECONDS
    if number < _SECONDS or (in_micros and auth.timestamp_unit == "ms"):
        unit = "microseconds or finer" if in_micros else "seconds"
        yield error("timestamp_unit", f"`{name}` is in {unit}.", "Send milliseconds, 13 digits.")
    elif signed:
        yield note(
            "timestamp_old",
            f"`{name}` is a fixed moment; the venue takes it for {auth.recv_window_ms / 1000:g} s after it.",
            "Set it and sign anew for each request.",
        )


def _window(auth: Auth, sent: Pair | None) -> Iterator[Finding]:
    if sent is None or not sent.value or places(sent.value):
        return
    if not _WINDOW.fullmatch(sent.value) or float(sent.value) > auth.recv_window_max_ms:
        what = f"`{auth.recv_window_parameter}` is no number of milliseconds up to {auth.recv_window_max_ms}."
        yield error("window_malformed", what, "Leave it out.")


def _unknown(request: Foreign, dialect: Dialect, operation: Operation) -> Iterator[Finding]:
    auth = dialect.auth
    known = {
        operation.key_parameter, *operation.key_aliases, operation.scope_parameter,
        auth.timestamp_parameter, auth.signature_parameter, auth.recv_window_parameter,
    }  # fmt: skip
    alike = operation.key_parameter.lower()
    for pair in request.parameters:
        if pair.name in known or not pair.name or _CREDENTIAL.fullmatch(pair.name):
            continue
        if pair.name.lower().replace("_", "") != alike or operation.key_in == "nowhere":
            yield note(
                "parameter_unknown",
                f"The call has no parameter `{shown_name(pair.name)}`; it is ignored.",
                "Leave it out.",
            )
    for name, count in Counter(each.name for each in request.parameters).items():
        if count > 1 and name in known:
            yield warning(
                "parameter_repeated",
                f"`{name}` is sent {count} times; the first in the query counts.",
                "Send it once.",
            )


def _body(request: Foreign) -> Iterator[Finding]:
    if request.body_kind == "multipart":
        yield error(
            "body_not_read",
            "The body is multipart, which these calls do not read.",
            "Send the parameters in the query, or as a form (`-d`).",
        )
    elif request.body_kind == "other":
        yield warning(
            "body_not_read", f"The body ({HIDDEN}) has no parameters that these calls read.", "Leave it out."
        )
    elif request.body_kind == "json" and request.body:
        yield warning(
            "body_not_read",
            "The parameters are sent as JSON; the venues document a query or a form.",
            "Send them in the query.",
        )


def check_secrets(request: Foreign) -> Iterator[Finding]:
    """What stands where others read it: addresses are logged on their way."""
    if request.credentials_in_address:
        yield error(
            "secret_exposed",
            "A name and a password stand in the address.",
            "Take them out: these calls want the API key in a header.",
        )
    for pair in request.parameters:
        if _CREDENTIAL.fullmatch(pair.name):
            where = "the address" if pair in request.query else "the body"
            yield error(
                "secret_exposed",
                f"`{pair.name}` stands in {where}, where it does nothing and is read by whoever logs it.",
                "Take it out, and replace the key if it was sent. The secret is never sent at all.",
            )
