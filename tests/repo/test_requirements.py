import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tools.tracked import ROOT

LOCKS = ("server", "dev")


def requirements(name):
    """The entries of a lock file, each as one line without its comments."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def pins(name):
    """Project name to version."""
    return dict(line.split()[0].split("==") for line in requirements(name))


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(name):
    """No option line either: where packages come from is for the installing machine to say."""
    for line in requirements(name):
        assert re.match(r"[a-z0-9-]+==\S+( ; .+?)?( --hash=sha256:[0-9a-f]{64})+$", line), line


def test_the_tools_run_beside_the_very_same_dependencies():
    """What is tested is what is served."""
    assert pins("server").items() <= pins("dev").items()


def test_every_dependency_of_the_package_is_locked():
    """Also the bounds that a plain install goes by are met by what is locked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins("dev")
    for text in [*project["dependencies"], *project["optional-dependencies"]["server"]]:
        requirement = Requirement(text)
        assert locked[requirement.name] in requirement.specifier, text
