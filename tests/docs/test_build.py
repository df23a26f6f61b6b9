"""`listenkey docs build`: what it writes, over what, and what it says where it cannot."""

import re

from listenkey.cli.docs import site
from listenkey.cli.main import main
from tests.dialect.test_add_a_venue import PAGE, PIECE


def test_a_venue_of_ones_own_has_its_pages(tmp_path):
    """Calls, streams, programs and files for other tools, from the file alone."""
    pieces = PIECE.findall(PAGE.read_text(encoding="utf-8"))
    (tmp_path / "acme.toml").write_text("\n".join(pieces), encoding="utf-8")
    made = site((str(tmp_path / "acme.toml"),))
    names = [path for path in made.paths if path.startswith("acme/")]
    assert {"acme/index.html", "acme/create.html", "acme/acme.openapi.json"} <= set(names)
    assert made.read("acme/stream-acme-orders.html")
    assert b'value="python"' in (made.read("acme/create.html") or b"")
    assert b"acme/index.html" in (made.read("index.html") or b"")


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path, capsys):
    """The path and why, and what to do about it."""
    (tmp_path / "file").write_text("in the way")
    assert main(["docs", "build", str(tmp_path / "file" / "below")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"listenkey: {tmp_path}/file/below")
    assert told.err.endswith("check the path, its permissions and the disk\n")
    assert told.err.count("\n") == 1


def test_a_configuration_that_is_wrong_is_refused_before_anything_is_written(tmp_path, capsys):
    """No half reference of dialects that are not those meant."""
    (tmp_path / "listenkey.toml").write_text('[dialects]\nfiles = ["none.toml"]\n')
    arguments = ["docs", "build", str(tmp_path / "out"), "--config", str(tmp_path / "listenkey.toml")]
    assert main(arguments) == 1
    assert "none.toml" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_empty_name_is_no_folder(tmp_path, monkeypatch, capsys):
    """A variable that a script forgot to set does not fill the folder that it runs in with pages."""
    monkeypatch.chdir(tmp_path)
    assert main(["docs", "build", ""]) == 1
    assert capsys.readouterr().err == "listenkey: DIR is empty; name a folder, . for this one\n"
    assert not list(tmp_path.iterdir())


def test_a_place_in_a_body_is_explained_where_it_is_met():
    """`$now_ms` beside a call reads like a fault to who does not know what it stands for."""
    made = site(())
    for path in made.paths:
        page = (made.read(path) or b"").decode() if path.endswith(".html") and "chilkat" not in path else ""
        if re.search(r'class="wrap">[^<]*\$[a-z]', page):
            assert re.search(r"<code>\$name</code> (in a (body|message, here and below,) )?stand", page), path


class Small:
    """A site of one page."""

    paths = ("index.html",)

    def read(self, path: str) -> bytes:
        """The page."""
        return b"new"


def test_an_earlier_build_is_replaced_and_what_else_lies_there_is_left(tmp_path, monkeypatch, capsys):
    """A folder that a web server hands out can be built into again."""
    monkeypatch.setattr("listenkey.cli.docs.site", lambda files: Small())
    (tmp_path / "index.html").write_text("old")
    (tmp_path / "robots.txt").write_text("mine")
    assert main(["docs", "build", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote 1 file, begin with {tmp_path}/index.html\n"
    assert (tmp_path / "index.html").read_text() == "new"
    assert (tmp_path / "robots.txt").read_text() == "mine"
