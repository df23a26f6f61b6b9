import subprocess
from pathlib import Path

import pytest

from tools import private

UNWANTED = private.pattern({"/some/place"}, {"registry.example.org"})


@pytest.mark.parametrize(
    "line",
    ["cd /some/place", "at '/some/place/x.py'", "file:///some/place", "HTTPS://Registry.Example.org/x"],
)
def test_paths_and_hosts_are_found(line):
    """Wherever they stand in a line, and in whatever case."""
    assert UNWANTED.search(line)


@pytest.mark.parametrize(
    "line", ["a/some/place", "/some/placebo", "/some/place-holder", "my-registry.example.org"]
)
def test_what_only_looks_alike_is_left(line):
    """A relative path, a longer name and another host are none of them."""
    assert not UNWANTED.search(line)


def test_folders_of_every_system_are_not_private():
    """A checkout right below a common folder does not forbid the documentation to name that folder."""
    paths = private.machine_paths(Path("/srv/listenkey"), "")
    assert "/srv/listenkey" in paths
    assert "/srv" not in paths


def test_package_folders_come_from_the_settings_of_pip():
    """Both spellings, several in a setting; certificates and time-outs are no index."""
    settings = "x.find-links='/wheels/here'\nx.extra-index-url='file:///mirror/one /mirror/two'\nx.cert='/c'"
    paths = private.machine_paths(Path("/srv/listenkey"), settings)
    assert {"/wheels/here", "/mirror/one", "/mirror/two"} <= paths
    assert "/c" not in paths


def test_hosts_come_with_and_without_a_port():
    """A one-word host would match any prose, so it is not looked for."""
    assert private.hosts_in("a='https://u:p@one.example:81/x' http://localhost/") == {"one.example"}


def test_only_tracked_text_files_are_read(tmp_path, capsys):
    """A file of one's own and a binary one may hold what they like; a tracked text is named."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "own.txt").write_text(str(tmp_path))
    (tmp_path / "binary").write_bytes(b"\0" + str(tmp_path).encode())
    (tmp_path / "tracked.txt").write_text("fine\n")
    subprocess.run(["git", "add", "binary", "tracked.txt"], cwd=tmp_path, check=True)
    assert private.main(tmp_path) == 0

    (tmp_path / "tracked.txt").write_text(f"fine\n{tmp_path}/x\n")
    assert private.main(tmp_path) == 1
    assert capsys.readouterr().err.startswith("tracked.txt:2: names ")
