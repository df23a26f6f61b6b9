"""Accounts, API keys and listen keys, made through the same public calls that everybody uses."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
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

    def request(self, method: str, api_key: str, status: str = "200") -> str:
        """A line for `calls`: the call by the holder of an API key."""
        return f"{status}\t{method}\t{self.path}\t{self.header}: {api_key}\t-"


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


def calls(server: str, requests: Iterable[str], **options: Any) -> list[str]:
    """Make each request once; the answers' bodies, in order."""
    with load.lines_file(requests) as file, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder, "answers")
        load.run("calls", server=server, requests=file, out=out, **options)
        return [line.partition("\t")[2] for line in out.read_text(encoding="utf-8").splitlines()]


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


def listen_keys(target: Target, names: Sequence[str], venue: Venue = BINANCE) -> list[str]:
    """Create a listen key for each account; the paths of their sockets."""
    answers = calls(
        target.venue, (venue.request("POST", api_key_of(name)) for name in names), contains='"listenKey":"'
    )
    return [venue.socket.format(key=json.loads(answer)["listenKey"]) for answer in answers]


@contextmanager
def subscribers(
    targets: Iterable[Target], count: int, each: int = 1, venue: Venue = BINANCE
) -> Iterator[dict[str, Path]]:
    """The file that `stream` wants, by target: accounts with a listen key, so many sockets for each."""
    with ExitStack() as stack:
        files = {}
        for target in targets:
            names = accounts(target, count)
            paths = listen_keys(target, names, venue)
            lines = (f"{name}\t{path}" for name, path in zip(names, paths, strict=True) for _ in range(each))
            files[target.name] = stack.enter_context(load.lines_file(lines))
        yield files
