import asyncio
import json

import pytest

from listenkey.base.errors import StoreError, StoreFull
from listenkey.config import Http
from listenkey.core.records import Ban
from tests.edge.gate import BINGX, SPOT, USDM

TRADE = {"e": "ORDER_TRADE_UPDATE", "E": 1}
MILLISECOND = 1000

CALLS = [
    ("POST", "/v1/accounts", "admin"),
    ("GET", "/v1/accounts", "read"),
    ("DELETE", "/v1/accounts/alice", "admin"),
    ("POST", "/v1/accounts/alice/api-keys", "admin"),
    ("GET", "/v1/api-keys", "read"),
    ("DELETE", "/v1/api-keys/x", "admin"),
    ("GET", "/v1/listen-keys", "read"),
    ("DELETE", "/v1/listen-keys/1", "admin"),
    ("GET", "/v1/connections", "read"),
    ("DELETE", "/v1/connections/c1", "admin"),
    ("POST", "/v1/tokens", "admin"),
    ("GET", "/v1/tokens", "read"),
    ("DELETE", "/v1/tokens/x", "admin"),
    ("GET", "/v1/bans", "read"),
    ("DELETE", "/v1/bans/x", "admin"),
    ("POST", "/v1/publish", "publish"),
    ("GET", "/v1/journal/alice/binance-usdm", "read"),
    ("POST", "/v1/store/backup", "admin"),
]
LISTS = [path.rpartition("/")[2] for method, path, _ in CALLS if method == "GET" and path.count("/") == 2]
SCOPES = {"admin": {"admin", "publish", "read"}, "publish": {"publish"}, "read": {"read"}}


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def error_code(response):
    """The code of an error answer, whose shape must be whole."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert all(error.values()), error
    return error["code"]


class TestAccess:
    async def test_every_call_needs_a_token_of_its_scope(self, gate):
        """Without one 401, with one of another scope 403, with the right one neither."""
        tokens = {}
        for scope in SCOPES:
            made = (await gate.call("POST", "/v1/tokens", {"scope": scope})).json()
            assert made["scope"] == scope
            tokens[scope] = made["token"]
        for method, path, needed in CALLS:
            for headers in (
                {},
                bearer("wrong"),
                {"authorization": "Basic Og=="},
                {"authorization": "Bearer"},
            ):
                response = await gate.call(method, path, headers=headers)
                assert (response.status_code, error_code(response)) == (401, "unauthorized"), (method, path)
                assert response.headers["www-authenticate"] == "Bearer"
            for scope, token in tokens.items():
                response = await gate.call(method, path, {"scope": "none"}, headers=bearer(token))
                refused = needed not in SCOPES[scope]
                assert (response.status_code == 403) == refused, (method, path, scope)
                if refused:
                    assert error_code(response) == "forbidden"

    async def test_a_revoked_token_is_worth_nothing(self, gate):
        """From the answer on."""
        made = (await gate.call("POST", "/v1/tokens", {"scope": "read"})).json()
        assert (await gate.call("GET", "/v1/accounts", headers=bearer(made["token"]))).status_code == 200
        assert (await gate.call("DELETE", f"/v1/tokens/{made['id']}")).status_code == 200
        assert (await gate.call("GET", "/v1/accounts", headers=bearer(made["token"]))).status_code == 401
        again = await gate.call("DELETE", f"/v1/tokens/{made['id']}")
        assert (again.status_code, error_code(again)) == (404, "unknown_token")

    async def test_health_and_metrics_need_none(self, gate):
        """For probes and scrapers."""
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert (await gate.call("GET", path, headers={})).status_code == 200

    @pytest.mark.parametrize(
        "headers,code",
        [
            ({"host": "evil.example"}, "bad_host"),
            ({"host": "localhost.evil.example"}, "bad_host"),
            ({"host": "127.0.0.1.evil.example:80"}, "bad_host"),
            ({"host": "["}, "bad_host"),
            ({"origin": "http://evil.example"}, "bad_origin"),
            ({"origin": "null"}, "bad_origin"),
        ],
    )
    async def test_pages_of_elsewhere_are_kept_out(self, gate, headers, code):
        """A name that was rebound to 127.0.0.1, or a page that posts from another site, reaches nothing."""
        for path in ("/v1/accounts", "/", "/metrics"):
            response = await gate.call("GET", path, headers=bearer(gate.token) | headers)
            assert (response.status_code, error_code(response)) == (403, code)

    @pytest.mark.parametrize("host", ["localhost", "localhost:8081", "127.0.0.1", "[::1]:8081", "LOCALHOST"])
    async def test_local_names_are_let_in(self, gate, host):
        """However the operator calls this machine."""
        assert (await gate.call("GET", "/health/live", headers={"host": host})).status_code == 200

    async def test_unknown_calls_and_methods_are_told_apart(self, gate):
        """404 and 405, as JSON; the second says which methods there are (RFC 9110 section 15.5.6)."""
        nothing = await gate.call("GET", "/v2/accounts")
        assert (nothing.status_code, error_code(nothing)) == (404, "not_found")
        method = await gate.call("PATCH", "/v1/accounts")
        assert (method.status_code, error_code(method)) == (405, "method_not_allowed")
        assert method.headers["allow"] == "POST, GET"


class TestAccounts:
    async def test_an_account_is_made_listed_and_removed(self, gate):
        """And a name is taken while it is there."""
        made = await gate.call("POST", "/v1/accounts", {"name": "alice"})
        assert made.status_code == 201
        assert made.json() == {"name": "alice", "created_at": gate.clock.wall() // MILLISECOND}
        taken = await gate.call("POST", "/v1/accounts", {"name": "alice"})
        assert (taken.status_code, error_code(taken)) == (409, "account_exists")
        assert [item["name"] for item in (await gate.call("GET", "/v1/accounts")).json()["items"]] == [
            "alice"
        ]
        assert (await gate.call("DELETE", "/v1/accounts/alice")).status_code == 200
        gone = await gate.call("DELETE", "/v1/accounts/alice")
        assert (gone.status_code, error_code(gone)) == (404, "unknown_account")

    @pytest.mark.parametrize("name", ["", "Alice", "a b", "x" * 65, "ä", "demo"])
    async def test_bad_names_are_refused(self, gate, name):
        """1 to 64 of `a-z 0-9 . _ -`, and `demo` is for --demo."""
        response = await gate.call("POST", "/v1/accounts", {"name": name})
        assert (response.status_code, error_code(response)) == (400, "bad_name")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"name":1}',
            b'{"nom":"alice"}',
            b'{"name":"a","x":1}',
            b"\xff",
            b"[" * 5000,
        ],
    )
    async def test_bad_bodies_are_refused(self, gate, body):
        """400 with the reason, never a fault."""
        response = await gate.call("POST", "/v1/accounts", content=body)
        assert (response.status_code, error_code(response)) == (400, "bad_body")

    async def test_a_body_too_long_or_too_late_is_refused(self, make_gate):
        """413 and 408, as JSON."""
        async with make_gate(http=Http(body_seconds=1)) as gate:
            response = await gate.call("POST", "/v1/accounts", content=b" " * 70_000)
            assert (response.status_code, error_code(response)) == (413, "too_large")
            raw = await gate.raw(
                f"POST /v1/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.token}\r\n"
                "Content-Length: 10\r\n\r\nabc".encode(),
                admin=True,
            )
            status, _, body = await raw.answer()
            assert (status, json.loads(body)["error"]["code"]) == (408, "body_too_slow")

    async def test_an_api_key_is_shown_once_and_masked_afterwards(self, gate):
        """I7: of the key the first and last four, of the secret nothing."""
        await gate.call("POST", "/v1/accounts", {"name": "alice"})
        wanted = {
            "permissions": ["read", "trade"],
            "ip_allow": ["192.0.2.7", "2001:db8::/32"],
            "key": "k" * 20,
            "secret": "s3cret",
        }
        made = await gate.call("POST", "/v1/accounts/alice/api-keys", wanted)
        assert made.status_code == 201
        assert (made.json()["key"], made.json()["secret"]) == ("k" * 20, "s3cret")
        listed = await gate.call("GET", "/v1/api-keys")
        (item,) = listed.json()["items"]
        assert item == {
            "id": made.json()["id"], "account": "alice", "key": "kkkk…kkkk", "permissions": ["read", "trade"],
            "ip_allow": ["192.0.2.7/32", "2001:db8::/32"], "created_at": gate.clock.wall() // MILLISECOND,
        }  # fmt: skip
        assert "s3cret" not in listed.text
        await gate.call("POST", "/v1/accounts", {"name": "bob"})
        assert (await gate.call("GET", "/v1/api-keys?account=bob")).json()["items"] == []
        twice = await gate.call("POST", "/v1/accounts/alice/api-keys", wanted)
        assert (twice.status_code, error_code(twice)) == (409, "api_key_exists")

    @pytest.mark.parametrize(
        "wanted,code",
        [
            ({"permissions": ["fly"]}, "bad_permission"),
            ({"ip_allow": ["nowhere"]}, "bad_ip_allow"),
            ({"key": "with space"}, "bad_api_key"),
            ({"key": ""}, "bad_api_key"),
            ({"permissions": "read"}, "bad_body"),
            ({"ip_alow": ["192.0.2.7"]}, "bad_body"),
        ],
    )
    async def test_bad_api_keys_are_refused(self, gate, wanted, code):
        """And nothing is made."""
        await gate.call("POST", "/v1/accounts", {"name": "alice"})
        response = await gate.call("POST", "/v1/accounts/alice/api-keys", wanted)
        assert (response.status_code, error_code(response)) == (400, code)
        assert (await gate.call("GET", "/v1/api-keys")).json()["items"] == []

    async def test_api_keys_of_nobody_are_refused(self, gate):
        """404 where there is no such account or key."""
        response = await gate.call("POST", "/v1/accounts/nobody/api-keys", {})
        assert (response.status_code, error_code(response)) == (404, "unknown_account")
        gone = await gate.call("DELETE", "/v1/api-keys/nothing")
        assert (gone.status_code, error_code(gone)) == (404, "unknown_api_key")


class TestLists:
    async def test_pages_join_to_the_whole_list(self, gate):
        """Each item once, in order, whatever the page's length; `next` is null on the last page and only
        there."""
        names = [f"account-{number:02}" for number in range(25)]
        for name in reversed(names):
            await gate.call("POST", "/v1/accounts", {"name": name})
        for limit in (1, 7, 25, 26, 1000):
            found, query, pages = [], f"?limit={limit}", 0
            while query:
                page = (await gate.call("GET", f"/v1/accounts{query}")).json()
                assert 0 < len(page["items"]) <= limit
                found += [item["name"] for item in page["items"]]
                query = page["next"] and f"?limit={limit}&cursor={page['next']}"
                pages += 1
            assert found == names
            assert pages == -(-25 // limit)

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1e3", "9" * 20, "1001"])
    @pytest.mark.parametrize("of", LISTS)
    async def test_bad_limits_are_refused(self, gate, limit, of):
        """400 on every list, not the whole list and not a shorter page than was asked for."""
        response = await gate.call("GET", f"/v1/{of}?limit={limit}")
        assert (response.status_code, error_code(response)) == (400, "bad_limit")

    @pytest.mark.parametrize("cursor", ["-1/", "A b", "%2E%2E%2F", "x" * 65])
    @pytest.mark.parametrize("of", LISTS)
    async def test_cursors_that_no_list_gave_are_refused(self, gate, cursor, of):
        """400 on every list: a page from nowhere would look like the end of the list."""
        response = await gate.call("GET", f"/v1/{of}?cursor={cursor}")
        assert (response.status_code, error_code(response)) == (400, "bad_cursor")

    @pytest.mark.parametrize("of", ["api-keys", "listen-keys"])
    async def test_the_list_of_an_account_that_is_not_there_is_refused(self, gate, of):
        """A name with a letter too many would look like an account without keys."""
        response = await gate.call("GET", f"/v1/{of}?account=alicee")
        assert (response.status_code, error_code(response)) == (404, "unknown_account")

    async def test_connections_and_keys_are_paged_too(self, gate):
        """By their ids, in their order."""
        api_key = await gate.api_key()
        for _ in range(3):
            await gate.dial(f"/ws/{await gate.listen_key(api_key)}")
        first = (await gate.call("GET", "/v1/connections?limit=2")).json()
        rest = (await gate.call("GET", f"/v1/connections?limit=2&cursor={first['next']}")).json()
        assert len({item["id"] for item in first["items"] + rest["items"]}) == 3
        assert rest["next"] is None
        for cursor in ("x", "-1", "c", "9" * 30):
            assert (await gate.call("GET", f"/v1/listen-keys?cursor={cursor}")).status_code == 400
            assert (await gate.call("GET", f"/v1/connections?cursor={cursor}")).status_code == 400


class TestListenKeys:
    async def test_a_key_is_listed_without_its_string(self, gate):
        """Ids, holders and times; never what opens a stream."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        listed = await gate.call("GET", "/v1/listen-keys?account=alice&stream=binance-usdm")
        assert key not in listed.text
        (item,) = listed.json()["items"]
        (holder,) = (await gate.call("GET", "/v1/api-keys")).json()["items"]
        now = gate.clock.wall() // MILLISECOND
        assert item == {
            "id": item["id"],
            "account": "alice",
            "key_space": "binance-usdm",
            "scope": "",
            "api_key": holder["id"],
            "state": "active",
            "created_at": now,
            "expires_at": now + 3_600_000,
        }

    async def test_filters_by_account_and_stream(self, gate):
        """A stream stands for its key space, an isolated one for its symbol."""
        alice, bob = await gate.api_key("alice"), await gate.api_key("bob")
        for path in (USDM, SPOT, BINGX, "/sapi/v1/userDataStream/isolated?symbol=BTCUSDT"):
            await gate.listen_key(alice, path)
        await gate.listen_key(bob)

        async def found(query):
            items = (await gate.call("GET", f"/v1/listen-keys?{query}")).json()["items"]
            return [(item["account"], item["key_space"]) for item in items]

        assert await found("stream=binance-pm-pro&account=alice") == [("alice", "binance-usdm")]
        assert await found("stream=bingx-swap") == [("alice", "bingx")]
        assert await found("stream=binance-margin-isolated%3ABTCUSDT") == [
            ("alice", "binance-margin-isolated")
        ]
        assert await found("stream=binance-margin-isolated%3AETHUSDT") == []
        assert await found("account=bob") == [("bob", "binance-usdm")]
        assert len(await found("")) == 5
        assert (await gate.call("GET", "/v1/listen-keys?stream=nothing")).status_code == 404

    async def test_closing_one_tells_its_sockets(self, gate):
        """By id; a second time there is no such live key."""
        key = await gate.listen_key(await gate.api_key())
        socket = await gate.dial(f"/ws/{key}")
        (item,) = (await gate.call("GET", "/v1/listen-keys")).json()["items"]
        assert (await gate.call("DELETE", f"/v1/listen-keys/{item['id']}")).status_code == 200
        assert (await socket.json())["e"] == "listenKeyExpired"
        for number in (item["id"], "0", "x", "9" * 30):
            response = await gate.call("DELETE", f"/v1/listen-keys/{number}")
            assert (response.status_code, error_code(response)) == (404, "unknown_listen_key")

    async def test_a_key_whose_time_is_up_is_never_shown_as_active(self, gate):
        """Expiry is exact, also before the sweep has been there."""
        await gate.listen_key(await gate.api_key())
        gate.clock.advance(3600 * 10**6)
        (item,) = (await gate.call("GET", "/v1/listen-keys")).json()["items"]
        assert item["state"] == "expired"


class TestConnections:
    async def test_sockets_of_every_kind_are_listed_and_can_be_closed(self, gate):
        """Venue and native, with what they carry and how far they are."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        venue = await gate.dial(f"/ws/{key}")
        native = await gate.dial("/lk/v1/stream?stream=binance-usdm", additional_headers=bearer(api_key))
        await gate.publish(TRADE)
        assert await venue.json() == TRADE
        listed = await gate.call("GET", "/v1/connections")
        assert key not in listed.text
        items = listed.json()["items"]
        subscription = {"account": "alice", "stream": "binance-usdm", "offset": 1, "head": 1}
        for item, confirmed in zip(items, ({0, 1}, {None}), strict=True):
            assert item["subscriptions"][0].pop("confirmed") in confirmed
            assert item["address"] == "127.0.0.1"
            assert item["opened_at"] == gate.clock.wall() // MILLISECOND
            assert item["subscriptions"] == [subscription]
            assert item["queued_bytes"] == 0
            assert (await gate.call("DELETE", f"/v1/connections/{item['id']}")).status_code == 200
        assert (await venue.closed())[0] == 1008
        assert (await native.closed())[0] == 1000
        gone = await gate.call("DELETE", f"/v1/connections/{items[0]['id']}")
        assert (gone.status_code, error_code(gone)) == (404, "unknown_connection")


class TestOperations:
    async def test_metrics_count_what_happened(self, gate):
        """Prometheus text; neither account nor key is anywhere in it."""
        api_key = await gate.api_key()
        key = await gate.listen_key(api_key)
        socket = await gate.dial(f"/ws/{key}")
        await gate.publish(TRADE)
        await socket.json()
        response = await gate.call("GET", "/metrics", headers={})
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = response.text.splitlines()
        for line in (
            "listenkey_events_published_total 1.0",
            "listenkey_sockets 1.0",
            "listenkey_keys_active 1.0",
        ):
            assert line in lines
        assert not any(word in response.text for word in (key, api_key, "alice", "127.0.0.1"))

    async def test_a_store_in_trouble_is_said(self, gate, monkeypatch):
        """Not ready for who probes, 503 or 507 for who asks; alive all the same."""

        def fail(*arguments):
            raise StoreError("the disk is gone", "get another")

        def overflow(*arguments):
            raise StoreFull("the disk is full", "make room")

        monkeypatch.setattr(gate.gateway.store, "read_next_expiry", fail)
        ready = await gate.call("GET", "/health/ready", headers={})
        assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "reason": "store"})
        assert (await gate.call("GET", "/health/live", headers={})).status_code == 200
        for error, status, code in ((fail, 503, "store"), (overflow, 507, "store_full")):
            monkeypatch.setattr(gate.gateway.store, "add_account", error)
            response = await gate.call("POST", "/v1/accounts", {"name": "alice"})
            assert (response.status_code, error_code(response)) == (status, code)

    async def test_a_backup_is_written_and_not_over_a_file(self, gate, tmp_path):
        """A consistent copy while running."""
        await gate.api_key()
        wanted = {"path": str(tmp_path / "copy")}
        made = await gate.call("POST", "/v1/store/backup", wanted)
        assert made.status_code == 200
        assert made.json() == wanted | {"bytes": (tmp_path / "copy").stat().st_size}
        again = await gate.call("POST", "/v1/store/backup", wanted)
        assert (again.status_code, error_code(again)) == (409, "file_exists")
        for path in ("copy", f"{tmp_path}/co\0py"):
            bad = await gate.call("POST", "/v1/store/backup", {"path": path})
            assert (bad.status_code, error_code(bad)) == (400, "bad_path")
        for path in ("copy/copy", "none/copy", "x" * 300):
            bad = await gate.call("POST", "/v1/store/backup", {"path": f"{tmp_path}/{path}"})
            assert (bad.status_code, error_code(bad)) == (400, "bad_path"), path

    async def test_a_backup_leaves_others_files_alone(self, gate, tmp_path):
        """A file of somebody's that is named as an unfinished copy might be stays; two copies at once are
        whole or refused."""
        (tmp_path / "copy.part").write_text("mine")
        wanted = {"path": str(tmp_path / "copy")}
        answers = await asyncio.gather(*(gate.call("POST", "/v1/store/backup", wanted) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert (tmp_path / "copy.part").read_text() == "mine"
        assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == ["copy", "copy.part"]

    async def test_bans_are_listed_and_lifted(self, gate):
        """Whoever is shut out can be let in again, and is not listed any more."""
        now = gate.clock.wall()
        ban = Ban("b1", "binance-spot|ban|ip:192.0.2.1", "binance-spot", now, now + 120 * 10**6, 2)
        await gate.gateway.store.put_ban(ban, now)
        gate.gateway.limiter.load(now)
        (item,) = (await gate.call("GET", "/v1/bans")).json()["items"]
        assert item == {
            "id": "b1", "dialect": "binance-spot", "bucket": ban.bucket, "since": now // MILLISECOND,
            "until": now // MILLISECOND + 120_000, "strikes": 2,
        }  # fmt: skip
        assert (await gate.call("DELETE", "/v1/bans/b1")).status_code == 200
        assert (await gate.call("GET", "/v1/bans")).json() == {"items": [], "next": None}
        unknown = await gate.call("DELETE", "/v1/bans/x")
        assert (unknown.status_code, error_code(unknown)) == (404, "unknown_ban")

    async def test_an_unexpected_fault_is_500_and_tells_nothing(self, gate, monkeypatch):
        """And is counted."""

        def fail(*arguments):
            raise RuntimeError("secret detail")

        monkeypatch.setattr(gate.gateway.tokens, "all", fail)
        response = await gate.call("GET", "/v1/tokens")
        assert (response.status_code, error_code(response)) == (500, "internal")
        assert "secret" not in response.text
        assert gate.gateway.metrics.internal_errors == 1
