"""The checks that hold the whole run together, tried on runs of their own."""

import os
import subprocess
import sys
import tomllib
import zipfile

import pytest

from tools.tracked import ROOT


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_skip_fails_the_continuous_build_and_no_other(tmp_path, ci, status):
    """The reason is printed, and the closing line stays pytest's."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no such thing here')\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CI": ci},
    )
    assert run.returncode == status, run.stdout
    assert ("skipped tests fail this run" in run.stdout) == bool(status)
    assert run.stdout.splitlines()[-1].startswith("1 passed, 1 skipped")


def test_the_wheel_holds_the_package_its_data_and_nothing_else(tmp_path):
    """What an installed gateway needs is in it: types, dialects, licence, command."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", str(tmp_path), str(ROOT)),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src"
    wanted = {
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.suffix in {".py", ".toml", ".typed"}
    }
    assert wanted <= names
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    allowed = ("listenkey/", f"listenkey-{version}.dist-info/")
    assert [name for name in names if not name.startswith(allowed)] == []
    assert f"listenkey-{version}.dist-info/licenses/LICENSE" in names
