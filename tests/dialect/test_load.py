from pathlib import Path

import pytest

from listenkey.base.errors import DialectError
from listenkey.dialect.load import Raw, build, extend, read_file
from listenkey.dialect.registry import load_dialects


def test_read_file(tmp_path: Path) -> None:
    """A file's tables are read as TOML says."""
    file = tmp_path / "a.toml"
    file.write_text('name = "é"\n[key_space]\nlength = 5\n')
    assert read_file(file) == {"name": "é", "key_space": {"length": 5}}


@pytest.mark.parametrize(
    "content, said",
    [
        (b"name = ", "is not TOML"),
        (b"a = 1\nb = \n", "line 2"),
        (b'name = "\xff"', "is not TOML"),
        (b"a = " + b"[" * 20_000, "is not TOML"),
    ],
)
def test_file_that_is_no_toml(tmp_path: Path, content: bytes, said: str) -> None:
    """A broken file is reported with its path and place."""
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(DialectError, match=said) as caught:
        read_file(file)
    assert str(file) in caught.value.message


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is reported with its path and why."""
    with pytest.raises(DialectError, match=r"nothing\.toml: cannot be read: No such file"):
        read_file(tmp_path / "nothing.toml")


BASE: Raw = {
    "venue": "V",
    "key_space": {"length": 64, "lifetime_s": 60},
    "streams": [{"name": "a", "title": "A"}, {"name": "b", "title": "B"}],
    "operations": [{"method": "PUT", "path": "/x", "weight": 1}],
    "limits": {"buckets": [{"name": "w", "limit": 10}, {"name": "v", "limit": 1}]},
    "closes": [{"kind": "slow", "code": 1008}],
    "notices": [{"on": ["expired"]}],
}


@pytest.mark.parametrize(
    "own, place, expected",
    [
        ({}, "venue", "V"),
        ({"venue": "W"}, "venue", "W"),
        ({"key_space": {"length": 60}}, "key_space", {"length": 60, "lifetime_s": 60}),
        (
            {"streams": [{"name": "b", "title": "C"}]},
            "streams",
            [{"name": "a", "title": "A"}, {"name": "b", "title": "C"}],
        ),
        (
            {"streams": [{"name": "c", "title": "C"}]},
            "streams",
            [*BASE["streams"], {"name": "c", "title": "C"}],
        ),
        (
            {"operations": [{"method": "PUT", "path": "/x", "weight": 2}]},
            "operations",
            [{"method": "PUT", "path": "/x", "weight": 2}],
        ),
        (
            {"operations": [{"method": "PUT", "path": "/y"}]},
            "operations",
            [{"method": "PUT", "path": "/x", "weight": 1}, {"method": "PUT", "path": "/y"}],
        ),
        (
            {"limits": {"buckets": [{"name": "w", "limit": 20}]}},
            "limits",
            {"buckets": [{"name": "w", "limit": 20}, {"name": "v", "limit": 1}]},
        ),
        (
            {"closes": [{"kind": "slow", "code": 1}, {"kind": "slow", "code": 2}]},
            "closes",
            [{"kind": "slow", "code": 1}, {"kind": "slow", "code": 2}],
        ),
        ({"notices": []}, "notices", []),
        ({"streams": "x"}, "streams", "x"),
        ({"streams": [5]}, "streams", [*BASE["streams"], 5]),
    ],
)
def test_laid_over(own: Raw, place: str, expected: object) -> None:
    """Tables merge, rows replace the row of the same identity, repeated rows stay for the lint, all else is
    replaced."""
    merged = extend({"extends": "base", **own}, {"base": BASE}.get, "own")
    assert merged[place] == expected
    assert "extends" not in merged


def test_base_is_untouched() -> None:
    """What is extended keeps its own rows, however often it is extended."""
    extend({"extends": "base", "key_space": {"length": 1}, "closes": []}, {"base": BASE}.get, "own")
    assert BASE["key_space"] == {"length": 64, "lifetime_s": 60}
    assert BASE["closes"] == [{"kind": "slow", "code": 1008}]


def test_chain() -> None:
    """A base may extend another; the nearest layer wins."""
    layers: dict[str, Raw] = {"b": {"extends": "a", "x": 2, "y": 2}, "a": {"x": 1, "y": 1, "z": 1}}
    assert extend({"extends": "b", "x": 3}, layers.get, "own") == {"x": 3, "y": 2, "z": 1}


@pytest.mark.parametrize(
    "name, said", [("nobody", "what is not there"), (5, "what is not there"), ("loop", "itself, round about")]
)
def test_extends_nothing(name: object, said: str) -> None:
    """A base that is not there, or that leads back, is an error that names it."""
    with pytest.raises(DialectError, match=f"own: extends {name}, {said}"):
        extend({"extends": name}, {"loop": {"extends": "loop"}}.get, "own")


@pytest.mark.parametrize("without", ["streams", ["nothing"], [5], ["key_space", "key_space"]])
def test_without_what_is_not_there(without: object) -> None:
    """Leaving behind what is not below is a mistake that is told."""
    with pytest.raises(DialectError, match=r"own: without .*: that is not below"):
        extend({"extends": "base", "without": without}, {"base": BASE}.get, "own")


def test_without() -> None:
    """What is left behind is not merged with what the file says in its place."""
    own = {"extends": "base", "without": ["streams", "venue"], "streams": [{"name": "c"}]}
    merged = extend(own, {"base": BASE}.get, "own")
    assert merged["streams"] == [{"name": "c"}]
    assert "venue" not in merged
    assert "without" not in merged


OWN = """
extends = "binance-spot"
name = "my-venue"
title = "Mine"
root = false
[[streams]]
name = "my-stream"
title = "Mine"
"""


@pytest.mark.parametrize(
    "change, said",
    [
        ("[key_space]\nlength = 'x'", "key_space.length: Expected int, got str"),
        ("[key_space]\nlenght = 5", "key_space: Object contains unknown field lenght"),
        (
            "[[operations]]\nmethod = 'PUT'\npath = '/x'",
            r"operations\[6\]: Object missing required field kind",
        ),
        ("[[failures]]\nkind = 'banned'\nstatus = 1.5", r"failures\[20\].status: Expected int, got float"),
        (
            "[[failures]]\nkind = 'nonsense'\nstatus = 1",
            r"failures\[[0-9]+\].kind: Invalid enum value 'nonsense'",
        ),
        ("unknown = 1\n", "Object contains unknown field unknown"),
    ],
)
def test_path_bearing_errors(tmp_path: Path, change: str, said: str) -> None:
    """What breaks the model is reported with the path to it."""
    file = tmp_path / "own.toml"
    file.write_text(f"{change}{OWN}" if change.startswith("unknown") else f"{OWN}{change}")
    with pytest.raises(DialectError, match=said) as caught:
        load_dialects([str(file)])
    assert caught.value.message.startswith(f"{file}: ")


def test_every_problem_is_told() -> None:
    """Problems that the lint finds come all at once, one line each."""
    with pytest.raises(DialectError) as caught:
        build(extend({"extends": "s", "name": "X"}, {"s": complete(title="t")}.get, "own"), "own")
    lines = caught.value.message.splitlines()
    assert len(lines) > 3
    assert all(line.startswith("own: ") for line in lines)


def complete(**more: object) -> Raw:
    """Tables that fit the model and break the lint."""
    return {
        "venue": "V",
        "documentation": "d",
        "error_envelope": "{}",
        "key_space": {"alphabet": "a", "length": 1, "legal_pattern": "a", "issue": "new_coexists"},
        "auth": {"header": "H", "api_key_pattern": ".", "signature": "ignored"},
        "streams": [],
        "operations": [],
        "failures": [],
        "limits": {"buckets": []},
        "frames": {},
        "heartbeats": {},
        "sockets": [],
        "controls": [],
        "closes": [],
        **more,
    }
