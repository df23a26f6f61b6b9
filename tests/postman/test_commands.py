"""`listenkey docs import` and `docs explain`, as their user runs them."""

import json
import subprocess
import sys

import pytest

from tests.postman.saying import KEY, collection, item
from tests.postman.venues import configuration

SPOT = "https://api.binance.com/api/v3/userDataStream"

WITHOUT_SERVER = """
import sys
sys.modules.update(dict.fromkeys(["apsw", "cryptography", "jinja2", "pygments", "uvicorn"]))
from listenkey.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def docs(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """The command, on the bare install's terms: it needs none of the server's libraries."""
    command = [sys.executable, "-c", WITHOUT_SERVER, "docs", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path):
    """The calls of spot as the venue's own old collection had them, and one that is nobody's."""
    header = [
        {"key": "Content-Type", "value": "application/json"},
        {"key": "X-MBX-APIKEY", "value": "{{api-key}}"},
    ]

    def call(name, method, query=""):
        return item(
            {"method": method, "header": header, "url": {"raw": f"{{{{url}}}}/api/v3/userDataStream{query}"}},
            name,
        )

    folder = {
        "name": "User Data Stream",
        "item": [
            call("Create", "POST"),
            call("Ping", "PUT", "?listenKey="),
            call("Close", "DELETE", "?listenKey=listen-key"),
        ],
    }
    path = tmp_path / "spot.postman_collection.json"
    order = item({"method": "GET", "url": "{{url}}/api/v3/order?symbol=BTCUSDT"}, "Order")
    path.write_bytes(collection(folder, order, variable=[{"key": "url", "value": "https://api.binance.com"}]))
    return path


def test_an_import_is_told_to_people(file):
    """What each is, since when it is gone, what is wrong, and the rest by a line."""
    done = docs("import", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout
    assert told.startswith("mine: 4 requests\n")
    assert "User Data Stream / Ping\nPUT https://api.binance.com/api/v3/userDataStream?listenKey=\n" in told
    assert told.count("which the venue removed on 2026-02-20; it answers 410 since") == 3
    assert "wrong: `listenKey` is empty." in told
    assert "wrong: `listenKey` has the form of a stand-in" in told
    assert told.endswith(
        "Unknown, nothing to do with keys: 1\n  GET https://api.binance.com/api/v3/order\n\n"
    )


def test_an_import_is_told_to_programs(file):
    """The same as JSON, in the order of the file."""
    told = json.loads(docs("import", "--json", str(file)).stdout)
    assert told["name"] == "mine"
    assert [each["is"] for each in told["requests"]] == ["operation", "operation", "operation", "unknown"]
    assert [each["matches"][0]["kind"] for each in told["requests"][:3]] == ["create", "extend", "close"]
    assert told["requests"][0]["matches"][0]["removal"]["since"] == "2026-02-20"


def test_an_import_reads_standard_input(file):
    """As other commands that read files do."""
    assert docs("import", "-", given=file.read_text(encoding="utf-8")).stdout.startswith("mine: 4 requests\n")


def test_a_line_is_told_to_people_and_programs():
    """A line between quotes, or from standard input."""
    line = f"curl -X PUT -H 'X-MBX-APIKEY: abc' '{SPOT}?listenKey={KEY}'"
    for done in (docs("explain", line), docs("explain", "-", given=line)):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"PUT {SPOT}?listenKey=…\n  extends a listen key of binance-spot\n")
    (told,) = json.loads(docs("explain", "--json", line).stdout)
    assert (told["is"], told["findings"]) == ("operation", [])


def test_a_dialect_of_ones_own_is_known(tmp_path):
    """Calls of a dialect file are explained like those of the built-in ones."""
    line = "curl -X POST -H 'X-Acme-Key: abc' https://api.example.com/user/v1/listen-key"
    assert (
        "creates a listen key of acme"
        in docs("explain", "--config", str(configuration(tmp_path)), line).stdout
    )
    assert "creates" not in docs("explain", line).stdout


def test_what_cannot_be_read_is_one_line(tmp_path):
    """Status 1, and what to do."""
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    for done in (docs("import", str(broken)), docs("import", str(tmp_path)), docs("explain", "curl 'x")):
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith("listenkey: ")
