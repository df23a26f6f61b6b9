"""The reference page of the dialects: what each venue's bots may ask, and every answer they may get."""

from collections.abc import Iterable, Iterator, Sequence

from listenkey.dialect.history import History, HistoryCall
from listenkey.dialect.model import Dialect, Event, Failure, Limit, Operation, PublicCall, SocketPath
from listenkey.dialect.registry import load_dialects

_HEAD = """# Dialects

What the built-in dialects answer. `listenkey dialect show NAME --json` has all of a dialect, of your own
files too. A `$` begins what an answer fills in.
"""
_SIGNATURES = {"ignored": "not looked at", "if_sent": "checked where one is sent", "required": "demanded"}
_ISSUES = {
    "same_extended": "gives the same and extends it",
    "new_coexists": "gives another beside it",
    "new_replaces": "gives another and closes it",
    "new_evicts_oldest": "gives another, and closes the oldest when there are too many",
    "refuse_over": "gives another, up to a number",
}


def dialects_page(marker: str) -> str:
    """Every built-in dialect with its calls, sockets, limits, failures, notices and close codes."""
    parts = [f"<!-- {marker}: change src/listenkey/dialect/data/, then `make gen`. -->\n{_HEAD}"]
    for dialect in load_dialects().values():
        parts += [
            f"## `{dialect.name}`\n",
            f"[{dialect.title}]({dialect.documentation})\n",
            *_chapters(dialect),
        ]
    return "\n".join(parts)


def _chapters(dialect: Dialect) -> Iterator[str]:
    space = dialect.key_space
    streams = ", ".join(f"`{stream.name}`" for stream in dialect.streams)
    scope = ", one for each symbol" if space.scope == "symbol" else ""
    yield (
        f"Streams: {streams}{scope}. The API key is in the header `{dialect.auth.header}`; a signature is "
        f"{_SIGNATURES[dialect.auth.signature]}. A listen key has {space.length} characters and lives "
        f"{space.lifetime_s} s from its last extension; a create while one lives {_ISSUES[space.issue]}.\n"
    )
    yield _table("calls", ("", "call", "answer", "weight"), map(_operation, dialect.operations))
    yield _table(
        "public calls",
        ("call", "status", "body"),
        map(_public_call, dialect.public_calls),
    )
    yield _table(
        "sockets",
        ("path", "stream", "key in", "control requests", "ping"),
        (_socket(dialect, socket) for socket in dialect.sockets),
    )
    yield _table(
        "methods of WebSocket APIs", ("path", "method", "", "weight"),
        (
            (_code(api.path), _code(each.name), _words(each.kind), str(each.weight))
            for api in dialect.apis
            for each in api.methods
        ),
    )  # fmt: skip
    yield _table(
        "failures of WebSocket APIs", ("path", "failure", "status", "code", "words"),
        (
            (_code(api.path), _words(row.kind), str(row.status), str(row.code), row.msg)
            for api in dialect.apis
            for row in api.failures
        ),
    )  # fmt: skip
    yield _table(
        "calls for listen tokens", ("call", "answer", "weight"),
        (
            (_code(f"{row.method} {row.path}"), f"200 {_code(row.success_body)}", str(row.weight))
            for row in dialect.token_calls
        ),
    )  # fmt: skip
    yield _table("limits", ("bucket", "counts", "limit", "for each"), map(_limit, dialect.limits.buckets))
    yield _bans(dialect)
    yield _table(
        "failures", ("failure", "status", "body"), (_failure(dialect, row) for row in dialect.failures)
    )
    yield _table(
        "notices", ("stream", "when the key is", "text"),
        ((", ".join(notice.streams), ", ".join(notice.on), _code(notice.body)) for notice in dialect.notices),
    )  # fmt: skip
    yield _table(
        "events",
        ("event", "stream", "", "what"),
        (
            (_code(each.type), ", ".join(each.streams), _kept(dialect, each), each.title)
            for each in dialect.events
        ),
    )
    yield _table(
        "calls that tell what a stream missed",
        ("stream", "what", "call", "widest span", "tells of the last", "weight"),
        (_told(row, kind, call) for row in dialect.history for kind, call in row.calls.items()),
    )
    yield from _untold(dialect)
    yield _table(
        "removed at the venue", ("since", "what", "instead"),
        ((era.since, ", ".join(map(_code, era.removes)), era.replaced_by) for era in dialect.eras),
    )  # fmt: skip
    yield _table(
        "close codes", ("why", "code", "reason"),
        ((_words(close.kind), str(close.code), close.reason) for close in dialect.closes),
    )  # fmt: skip


def _operation(operation: Operation) -> Sequence[str]:
    answer = f"{operation.success_status} {_code(operation.success_body)}"
    kind = f"{operation.kind}, alias" if operation.alias else operation.kind
    return kind, _code(f"{operation.method} {operation.path}"), answer, str(operation.weight)


def _public_call(call: PublicCall) -> Sequence[str]:
    return _code(f"{call.method} {call.path}"), str(call.status), _code(call.body)


def _socket(dialect: Dialect, socket: SocketPath) -> Sequence[str]:
    beat = dialect.heartbeats[socket.heartbeat]
    where = ", ".join(f"`{name}`" for name in socket.names_parameters) or _words(socket.names_in)
    period = f"{_words(beat.kind)} every {beat.period_ms / 1000:g} s, {beat.grace_ms / 1000:g} s to answer"
    path = _code(socket.path) + ("" if socket.root else " by prefix, host or listener")
    return path, socket.stream or "no user data", where, _words(socket.control), period


def _told(history: History, kind: str, call: HistoryCall) -> Sequence[str]:
    stream = f"{history.stream}, {history.part}" if history.part else history.stream
    path = _code(f"{call.method} {call.path}")
    return stream, _words(kind), path, _span(call.window_ms), _span(call.depth_ms), str(call.weight)


def _span(ms: int) -> str:
    """Days and hours, to the next hour; the venues' own words are that coarse."""
    days, hours = divmod(round(ms / 3_600_000), 24)
    return f"{days} d" if days and not hours else f"{24 * days + hours} h" if ms else ""


def _untold(dialect: Dialect) -> Iterator[str]:
    told = {row.stream for row in dialect.history}
    for stream in dialect.streams:
        if stream.name not in told:
            yield (
                f"No call tells what `{stream.name}` missed, or none that can be asked for a span: after a "
                "break its readers always get a gap.\n"
            )


def _limit(limit: Limit) -> Sequence[str]:
    who = "address" if limit.dimension == "ip" else "account"
    each = f"{who} and call" if limit.per == "operation" else who
    return _code(limit.name), limit.counts, f"{limit.limit} in {limit.window_ms / 1000:g} s", each


def _bans(dialect: Dialect) -> str:
    lines = []
    if bans := dialect.limits.bans:
        lines.append(
            f"After {bans.after_refused} further calls in a window that is full: a ban of {bans.first_s} s, "
            f"{bans.factor} times as long each further time, at most {bans.longest_s} s.\n"
        )
    if breaker := dialect.limits.breaker:
        lines.append(
            f"Over {breaker.more_than} answers with one error code within {breaker.window_ms // 1000} s "
            f"disable the call for {breaker.penalty_ms // 1000} s.\n"
        )
    return "\n".join(lines)


def _failure(dialect: Dialect, row: Failure) -> Sequence[str]:
    body = row.body
    if not body and row.code is not None:
        body = dialect.error_envelope.replace("$code", str(row.code)).replace("$msg", row.msg)
    # A page is named, not quoted: nobody's program reads it.
    shown = "a page of HTML" if "html" in row.content_type else _code(body) if body else "none"
    return _words(row.kind), str(row.status), shown


def _kept(dialect: Dialect, event: Event) -> str:
    """Of a state the newest holds; of a fact each counts."""
    streams = [stream for stream in dialect.streams if stream.name in event.streams]
    return "state" if any(event.type in stream.state_events for stream in streams) else "fact"


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join((f"**{title}**\n", f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines, ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`"


def _words(name: str) -> str:
    return name.replace("_", " ")
