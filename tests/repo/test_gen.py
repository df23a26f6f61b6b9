from tools import gen

TEXT = f"<!-- {gen.MARKER} -->\nhello\n"
HELLO = (gen.Generator("docs/hello.md", lambda: TEXT),)


def test_check_fails_and_shows_the_difference_until_written(tmp_path, capsys):
    """Check writes nothing; after write it is content."""
    assert gen.check(tmp_path, HELLO) == 1
    assert "+hello" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()

    assert gen.write(tmp_path, HELLO) == 0
    assert (tmp_path / "docs" / "hello.md").read_text() == TEXT
    assert gen.check(tmp_path, HELLO) == 0


def test_a_file_edited_by_hand_is_stale(tmp_path, capsys):
    """The edit shows as a removed line, so that it can be carried over to the source."""
    gen.write(tmp_path, HELLO)
    (tmp_path / "docs" / "hello.md").write_text(TEXT + "by hand\n")
    assert gen.check(tmp_path, HELLO) == 1
    assert "-by hand" in capsys.readouterr().err


def test_write_leaves_current_files_alone(tmp_path, capsys):
    """An unchanged file keeps its time stamp, and nothing is said."""
    gen.write(tmp_path, HELLO)
    before = (tmp_path / "docs" / "hello.md").stat().st_mtime_ns
    capsys.readouterr()
    gen.write(tmp_path, HELLO)
    assert (tmp_path / "docs" / "hello.md").stat().st_mtime_ns == before
    assert capsys.readouterr().out == ""


def test_every_registered_file_carries_the_marker_and_has_one_generator():
    """The marker is how other checks tell a generated file from a written one."""
    paths = [generator.path for generator in gen.GENERATORS]
    assert len(paths) == len(set(paths))
    for generator in gen.GENERATORS:
        assert gen.MARKER in "\n".join(generator.text().splitlines()[: gen.MARKER_WITHIN]), generator.path


def test_the_command_knows_both_modes(tmp_path, monkeypatch):
    """`--check` and plain, as the Makefile calls them."""
    monkeypatch.setattr(gen, "GENERATORS", HELLO)
    assert gen.main(["--check"], tmp_path) == 1
    assert gen.main([], tmp_path) == 0
    assert gen.main(["--check"], tmp_path) == 0
