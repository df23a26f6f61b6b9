import pytest

from tools import limits
from tools.gen import MARKER


@pytest.fixture
def tree(tmp_path):
    for folder in limits.FOLDERS:
        (tmp_path / folder).mkdir()
    return tmp_path


def function(lines, name="f"):
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


def test_what_is_at_the_limit_passes(tree, capsys):
    """Both limits are inclusive, and the figures are printed."""
    (tree / "src" / "a.py").write_text(function(limits.FUNCTION_LIMIT))
    (tree / "tests" / "b.py").write_text("pass\n" * limits.FILE_LIMIT)
    assert limits.main(tree) == 0
    assert "median" in capsys.readouterr().out


def test_a_line_more_is_named(tree, capsys):
    """One file and one function over the limit are both reported, with where they are."""
    (tree / "src" / "a.py").write_text(function(limits.FUNCTION_LIMIT + 1, "too_long"))
    (tree / "tools" / "b.py").write_text("pass\n" * (limits.FILE_LIMIT + 1))
    assert limits.main(tree) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in errors] == ["tools/b.py", "src/a.py:1 too_long"]


def test_long_functions_of_tests_and_generated_files_do_not_count(tree):
    """A test may tell a long story, and nobody reads generated code."""
    (tree / "tests" / "a.py").write_text(function(limits.FUNCTION_LIMIT * 2))
    (tree / "src" / "b.py").write_text(f"# {MARKER}\n" + "pass\n" * limits.FILE_LIMIT)
    assert limits.main(tree) == 0


def test_installed_packages_below_a_test_are_not_measured(tree):
    """What npm unpacks beside a test is not ours."""
    (tree / "tests" / "node_modules").mkdir()
    (tree / "tests" / "node_modules" / "a.js").write_text("0;\n" * (limits.FILE_LIMIT + 1))
    assert limits.main(tree) == 0


def test_an_empty_tree_has_figures_too(tree, capsys):
    """No file yet is no reason to fail."""
    assert limits.main(tree) == 0
    assert capsys.readouterr().out == "files: none; functions in src: none\n"
