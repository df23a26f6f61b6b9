"""Accounts, API keys and listen keys, made through the same public calls that everybody uses."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import load
from bench.targets import Target


@dataclass(frozen=True)
class Venue:
    """How one venue's listen key is asked for, and where its stream is."""

    stream: str
    header: str
    path: str
    socket: str

    def request(self, method: str, api_key: str, status: str = "200", query: str = "") -> str:
        """A line for `calls`: the call by the holder of an API key."""
        return f"{status}\t{method}\t{self.path}{query}\t{self.header}: {api_key}\t-"


BINANCE = Venue("binance-usdm", "X-MBX-APIKEY", "/fapi/v1/listenKey", "/ws/{key}")
BINGX = Venue(
    "bingx-swap", "X-BX-APIKEY", "/openApi/user/auth/userDataStream", "/swap-market?listenKey={key}"
)


def account_names(count: int) -> list[str]:
    """Names for so many accounts."""
    return [f"bench-{i:05d}" for i in range(count)]


def api_key_of(account: str) -> str:
    """The API key that `accounts` gives to an account."""
    return f"key-of-{account}"


@dataclass(frozen=True)
class Answers:
    """What a list of calls gave: the bodies in order, and how many calls a second."""

    bodies: list[str]
    per_second: float

    def listen_keys(self) -> list[str]:
        """The key strings, of creates."""
        return [json.loads(body)["listenKey"] for body in self.bodies]


def calls(server: str, requests: Iterable[str], **options: Any) -> Answers:
    """Make each request once."""
    with load.lines_file(requests) as file, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder, "answers")
        got = load.run("calls", server=server, requests=file, out=out, **options)
        bodies = [line.partition("\t")[2] for line in out.read_text(encoding="utf-8").splitlines()]
        return Answers(bodies, got["requests_per_s"])


def accounts(target: Target, count: int) -> list[str]:
    """Make accounts with an API key each; their names."""
    names = account_names(count)

    def call(path: str, body: dict[str, Any]) -> str:
        text = json.dumps(body, separators=(",", ":"))
        return f"2\tPOST\t{path}\tAuthorization: Bearer {target.token}\t{text}"

    json_body = "Content-Type: application/json"
    calls(target.admin, (call("/v1/accounts", {"name": name}) for name in names), header=json_body)
    keys = ({"key": api_key_of(name), "permissions": ["read"]} for name in names)
    paths = (f"/v1/accounts/{name}/api-keys" for name in names)
    calls(target.admin, map(call, paths, keys), header=json_body)
    return names


def create(target: Target, names: Iterable[str], venue: Venue, **options: Any) -> Answers:
    """Create a listen key for each account named, in order; one named twice asks twice."""
    requests = (venue.request("POST", api_key_of(name)) for name in names)
    return calls(target.venue, requests, contains='"listenKey":"', **options)


def sockets(target: Target, count: int, venue: Venue = BINANCE) -> list[tuple[str, str]]:
    """So many accounts with a listen key each: name and the path of its socket."""
    names = accounts(target, count)
    keys = create(target, names, venue).listen_keys()
    return [(name, venue.socket.format(key=key)) for name, key in zip(names, keys, strict=True)]


@contextmanager
def subscribers(
    targets: Iterable[Target], count: int, each: int = 1, venue: Venue = BINANCE
) -> Iterator[dict[str, Path]]:
    """The file that `stream` wants, by target: accounts with a listen key, so many sockets for each."""
    with ExitStack() as stack:
        files = {}
        for target in targets:
            lines = (f"{name}\t{path}" for name, path in sockets(target, count, venue) for _ in range(each))
            files[target.name] = stack.enter_context(load.lines_file(lines))
        yield files


@contextmanager
def socket_paths(targets: Iterable[Target], count: int) -> Iterator[dict[str, Path]]:
    """The file that `dial` wants, by target: the sockets' paths alone."""
    with ExitStack() as stack:
        files = {}
        for target in targets:
            lines = (path for _, path in sockets(target, count))
            files[target.name] = stack.enter_context(load.lines_file(lines))
        yield files
