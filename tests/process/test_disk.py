"""A full disk: publishing is refused, everything else goes on, and with room again all is as before."""

from __future__ import annotations

import errno
import json
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process.serving import (
    create_usdm,
    listenkey,
    native_socket,
    order,
    receive,
    receive_until,
    usdm,
    venue_socket,
    wait_for,
)
from tests.support.gateway import Gateway

DISK = 64 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("lacks the right to mount a file system, which a full disk needs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Take all the room that there is, but for so many bytes; the file that has it."""
    filler, spare = disk / "filler", disk / "spare"
    spare.write_bytes(bytes(left))
    block = bytes(65536)
    with filler.open("ab", buffering=0) as opened:
        while block:
            try:
                opened.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                block = block[: len(block) // 2]
    spare.unlink()
    return filler


def big_order(number: int) -> dict[str, Any]:
    """An event that takes some room."""
    return order(number, fill="x" * 200_000)


def publish_until_full(
    gateway: Gateway, on_acked: Callable[[int], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Publish until an answer says that the store is full; the acked ones, each told by its number."""
    acked: list[dict[str, Any]] = []
    for number in range(2000):
        (answer,) = gateway.publish("alice", "binance-usdm", [big_order(number)])
        if "error" in answer:
            assert answer["error"]["code"] == "store_full", answer
            return acked
        acked.append(answer)
        on_acked(number)
    raise AssertionError("the disk was never full")


def offsets(gateway: Gateway) -> list[int]:
    """What the journal has."""
    answer = gateway.admin_call("GET", "/v1/journal/alice/binance-usdm")
    messages = [json.loads(line) for line in answer.text.splitlines()]
    return [message["offset"] for message in messages if "event" in message]


def test_full_disk(disk: Path) -> None:
    """Acked events stay, refused ones are nowhere, keys and sockets go on; with room, publishing too."""
    with Gateway(disk / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        _, other, _ = gateway.add_api_key(gateway.add_account("bob"))
        listen_key = create_usdm(gateway, key)
        with venue_socket(gateway, f"/ws/{listen_key}") as before:
            (first,) = gateway.publish("alice", "binance-usdm", [order(-1)])
            assert receive(before) == order(-1)
            filler = fill(disk, left=4 << 20)
            heard: list[int] = []
            acked = publish_until_full(gateway, lambda _: heard.append(receive(before)["n"]))
            assert heard == list(range(len(acked)))
            assert len(acked) > 5

            assert keys_go_on(gateway, other)
            with venue_socket(gateway, f"/ws/{listen_key}"):
                pass
            with native_socket(gateway, f"stream=binance-usdm&since={first['epoch']}:0", key) as native:
                had = receive_until(native, lambda m: m.get("offset") == len(acked) + 1)
                assert [m["offset"] for m in had if "event" in m] == list(range(1, len(acked) + 2))
            assert offsets(gateway) == list(range(1, len(acked) + 2))

            filler.unlink()
            (again,) = wait_for(lambda: published(gateway, order(10_000)))
            assert again == {"epoch": first["epoch"], "offset": len(acked) + 2}
            assert receive(before) == order(10_000)


def keys_go_on(gateway: Gateway, api_key: str) -> bool:
    """Create, extend and close keys, again and again."""
    for _ in range(30):
        for method in ("POST", "PUT", "DELETE"):
            answer = usdm(gateway, method, api_key)
            assert answer.status_code == httpx.codes.OK, answer.text
    return True


def published(gateway: Gateway, event: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer of a publish, or nothing where it was refused."""
    answers = gateway.publish("alice", "binance-usdm", [event])
    return [] if "error" in answers[0] else answers


def test_crash_on_a_full_disk(disk: Path) -> None:
    """A process that dies on a full disk comes up again there, with all that was acked and with its keys."""
    with Gateway(disk / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        listen_key = create_usdm(gateway, key)
        filler = fill(disk, left=4 << 20)
        acked = publish_until_full(gateway)
        gateway.restart(kill=True)
        assert offsets(gateway) == [answer["offset"] for answer in acked]
        assert usdm(gateway, "PUT", key).json() == {"listenKey": listen_key}
        filler.unlink()
        wait_for(lambda: published(gateway, order(1)))
        gateway.stop()
        verified = listenkey("journal", "verify", "--data", str(gateway.data))
        assert (verified.returncode, verified.stdout) == (0, "nothing wrong\n"), verified.stderr


def test_disk_without_room_for_a_store(disk: Path) -> None:
    """A first start on a full disk ends with a line that says so, and not with half a store."""
    filler = fill(disk)
    ended = listenkey(
        "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", str(disk / "data")
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "room" in ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    filler.unlink()
    with Gateway(disk / "data") as gateway:
        assert gateway.add_account("alice")


def test_store_that_cannot_grow(tmp_path: Path) -> None:
    """Where writes fail otherwise, callers are told, nobody is acked in vain, and it recovers by itself."""
    with Gateway(tmp_path / "data") as gateway:
        _, key, _ = gateway.add_api_key(gateway.add_account("alice"))
        assert create_usdm(gateway, key)
        largest = max(file.stat().st_size for file in gateway.data.glob("*.db*"))
        allow_files_of(gateway, largest + 500_000)
        acked: list[int] = []
        while "error" not in (answer := gateway.publish("alice", "binance-usdm", [big_order(len(acked))])[0]):
            acked.append(answer["offset"])
            assert len(acked) < 2000
        assert answer["error"]["code"] == "store_full"
        refused = usdm(gateway, "DELETE", key)
        assert refused.status_code == 200 or refused.json()["code"] == -1000
        allow_files_of(gateway, resource.RLIM_INFINITY)
        wait_for(lambda: published(gateway, order(1)))
        assert offsets(gateway)[: len(acked)] == acked
        assert offsets(gateway) == list(range(1, len(offsets(gateway)) + 1))
        lives = usdm(gateway, "PUT", key).status_code == 200
        assert lives == (refused.status_code != 200), "a refused close closed, or an acked one did not"


def allow_files_of(gateway: Gateway, size: int) -> None:
    """Let the process write files of at most this size."""
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
