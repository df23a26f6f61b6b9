"""What nobody should send: refused or explained in bounded time and memory, and nothing of it happens."""

import json
import resource
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listenkey.base.errors import Refused
from listenkey.reference.foreign import explain, read_collection, read_line, tell
from tests.postman.saying import DAY, DIALECTS, V21, collection, item

MEMORY = 400 * 1024 * 1024
"""Address space that a command may have."""
TIME = 30
"""Seconds that it may take on a busy machine; by itself it takes less than one."""


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command, with little memory."""
    done = subprocess.run(
        [sys.executable, "-m", "listenkey", "docs", *arguments],
        input=given, capture_output=True, check=False, timeout=TIME,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal is."""
    assert (done.returncode, done.stdout) == (1, ""), done
    (said,) = done.stderr.splitlines()
    return said


def nested(depth: int) -> bytes:
    """Folders in folders."""
    return b'{"info":{"schema":"v2.1.0"},"item":[' + b'{"name":"f","item":[' * depth + b"]}" * depth + b"]}"


HOSTILE = {
    "50 MB": (b'{"item":[' + b'{"request":"https://x.example/a"},' * 1_500_000, "larger than 16 MiB"),
    "many entries": (collection(*[item("https://x.example/a")] * 20_000), "more than 10000 entries"),
    "many objects": (b'{"item":[' + b"{}," * 4_000_000 + b"{}]}", "too many parts"),
    "many lists": (b'{"item":[{"request":{"url":{"path":[' + b"[]," * 4_000_000, "too many parts"),
    "deep folders": (nested(60), "too deep in each other"),
    "deeper folders": (nested(100_000), "too deep in each other"),
    "deep nonsense": (b'{"item":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too deep in each other"),
    "broken JSON": (b'{"info":{"name":"x"},"item":[{]}', "is no JSON"),
    "a wrong version": (collection(schema="https://schema.example/v4.0.0/"), "of another format"),
    "a reference": (b'{"info":{},"item":[{"name":"a","item":[{"$ref":"#/item/0"}]}]}', "is a `$ref`"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_gets_one_line(what, tmp_path):
    """The import ends soon, with a sentence and with nothing else, in little memory."""
    content, says = HOSTILE[what]
    file = tmp_path / "c.json"
    file.write_bytes(content)
    assert says in refused(run("import", str(file)))


@pytest.mark.parametrize("file", ["/dev/zero", "/nowhere/c.json", "."])
def test_what_is_no_file_gets_one_line(file):
    """An endless one, a missing one, a folder."""
    refused(run("import", file))


@pytest.mark.parametrize("text", ["curl 'abc", "hello", "curl " + "x" * 100_000])
def test_a_hostile_line_gets_one_line(text):
    """As for a file."""
    refused(run("explain", text))


def test_values_that_grow_are_left(tmp_path):
    """Ten variables that each name the next ten times would be gigabytes; they stay as they are written."""
    variables = [{"key": f"v{n}", "value": f"{{{{v{n + 1}}}}}" * 10} for n in range(10)]
    variables.append({"key": "v10", "value": "boom"})
    file = tmp_path / "c.json"
    file.write_bytes(collection(*[item("https://x.example/{{v0}}")] * 3000, variable=variables))
    done = run("import", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "boom" not in done.stdout


def test_shell_variables_that_grow_are_left():
    """The same in a line."""
    text = "a=boom\n" + "".join(
        f"{new}={f'${old}' * 10}\n" for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
    )
    (request,) = read_line(text + 'curl "https://x.example/$k"')
    assert len(request.path) < 70_000


def test_nothing_of_a_file_is_run_or_opened(tmp_path):
    """A script, a command in a line and a file that it names leave no trace."""
    mark, secret = tmp_path / "ran", tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    script = {"listen": "prerequest", "script": {"exec": [f"require('fs').writeFileSync('{mark}', 'x')"]}}
    body = {"mode": "formdata", "formdata": [{"key": "a", "type": "file", "src": str(secret)}]}
    file = tmp_path / "c.json"
    file.write_bytes(
        collection(item({"method": "POST", "url": "https://x.example/a", "body": body}), event=[script])
    )
    told = run("import", str(file))
    touch = f"touch {mark}"
    line = f'curl -K {secret} -d @{secret} -H @{secret} "https://x.example/$({touch})`{touch}`"; {touch}'
    asked = run("explain", line)
    assert (told.returncode, asked.returncode) == (0, 0)
    assert "Scripts of the file were not run" in told.stdout
    assert "not opened" in asked.stdout
    assert "hunter2" not in told.stdout + asked.stdout
    assert not mark.exists()


KNOWN = """item request url raw host path query key value header body mode urlencoded formdata auth type
apikey event variable name method disabled info schema $ref collection id port protocol listen"""
NAMES = KNOWN.split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(NAMES),
        inner,
        max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_explained_or_refused(document):
    """Nothing else comes out of a file, whatever is in which place."""
    content = json.dumps({"info": {"schema": V21}, "item": [document, {"request": document}]}).encode()
    for each in (content, json.dumps(document).encode()):
        try:
            requests = read_collection(each).requests
        except Refused:
            continue
        assert "\n".join(tell(explain(requests, DIALECTS, DAY))) is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content):
    """What is no collection is refused in one line."""
    with pytest.raises(Refused) as error:
        read_collection(content)
    assert "\n" not in str(error.value)


WORDS = """curl wscat ' " \\ $' $( ) ` ${A} A=b; & | # ^ -X PUT -H -d --data-urlencode -G --next @f -sk -- -
{{x}} %zz 'X-MBX-APIKEY:a' https://api.binance.com/api/v3/userDataStream wss://h/ws/ ?a=b"""
PIECES = st.sampled_from(
    [*WORDS.split(), " ", " ", "\n", "\x00", "\ue000", "\ue001", "é", "\udcff", "$'\\ud800'", "a=b"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_any_line_is_explained_or_refused(text):
    """Nothing else comes out of a line, however it is quoted."""
    try:
        requests = read_line(text)
    except Refused:
        return
    assert list(tell(explain(requests, DIALECTS, DAY)))
