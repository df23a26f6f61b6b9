import base64
import hashlib
import re

import pytest
import structlog

from listenkey.base.clock import SECOND
from listenkey.config import Admin
from listenkey.edge.admin.recent import RecentErrors, recent_errors
from listenkey.edge.admin.upstreams import span
from listenkey.service.upstreams import UpstreamFigures

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def sign_in(gate, token=None):
    """The answer to the login form, and the session cookie if one was set."""
    body = f"token={token or gate.token}"
    response = await gate.call("POST", "/login", content=body, headers=FORM)
    cookie = response.headers.get("set-cookie", "").partition(";")[0]
    gate.http.cookies.clear()
    return response, {"cookie": cookie} if cookie else {}


class TestSession:
    async def test_without_a_session_there_is_only_the_login(self, gate):
        """Nothing of what runs is shown to a stranger."""
        await gate.api_key("alice")
        response = await gate.call("GET", "/", headers={})
        assert response.status_code == 200
        assert 'name="token"' in response.text
        assert "Sockets" not in response.text
        forged = await gate.call("GET", "/", headers={"cookie": "listenkey_session=forged"})
        assert "Sockets" not in forged.text

    async def test_the_token_opens_the_page_by_a_guarded_cookie(self, gate):
        """HttpOnly and SameSite=Strict, so that neither script nor other site can use it; the token is not in
        it."""
        response, cookie = await sign_in(gate)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        attributes = response.headers["set-cookie"].split("; ")[1:]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
        assert gate.token not in response.headers["set-cookie"]
        page = await gate.call("GET", "/", headers=cookie)
        assert "Sockets" in page.text
        assert gate.token not in page.text

    @pytest.mark.parametrize("body", ["token=wrong", "token=", "", "x=y", "token=%ff", "token=" + "x" * 5000])
    async def test_a_wrong_token_opens_nothing(self, gate, body):
        """Whatever the form holds."""
        response = await gate.call("POST", "/login", content=body, headers=FORM)
        assert response.status_code in {400, 401}
        assert "set-cookie" not in response.headers

    async def test_a_publishers_token_opens_nothing(self, gate):
        """The page wants a scope that may read."""
        tokens = {
            scope: (await gate.call("POST", "/v1/tokens", {"scope": scope})).json()["token"]
            for scope in ("publish", "read")
        }
        assert (await sign_in(gate, tokens["publish"]))[0].status_code == 401
        assert (await sign_in(gate, tokens["read"]))[0].status_code == 303

    async def test_a_session_ends_with_its_token_and_in_time(self, gate):
        """Revoking the token signs its holder out; half a day does too."""
        made = (await gate.call("POST", "/v1/tokens", {"scope": "read"})).json()
        _, cookie = await sign_in(gate, made["token"])
        assert "Sockets" in (await gate.call("GET", "/", headers=cookie)).text
        await gate.call("DELETE", f"/v1/tokens/{made['id']}")
        assert "Sockets" not in (await gate.call("GET", "/", headers=cookie)).text
        _, cookie = await sign_in(gate)
        gate.clock.advance(12 * 3600 * 10**6)
        assert "Sockets" not in (await gate.call("GET", "/", headers=cookie)).text

    async def test_signing_out_wants_the_forms_own_word(self, gate):
        """Without the CSRF token nobody is signed out; with it the session is gone on the server too."""
        _, cookie = await sign_in(gate)
        page = (await gate.call("GET", "/", headers=cookie)).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        for body in ("", "csrf=", "csrf=wrong"):
            assert (
                await gate.call("POST", "/logout", content=body, headers=FORM | cookie)
            ).status_code == 403
        assert (await gate.call("POST", "/logout", content=f"csrf={csrf}", headers=FORM)).status_code == 403
        assert "Sockets" in (await gate.call("GET", "/", headers=cookie)).text
        gone = await gate.call("POST", "/logout", content=f"csrf={csrf}", headers=FORM | cookie)
        assert gone.status_code == 303
        assert "Sockets" not in (await gate.call("GET", "/", headers=cookie)).text

    async def test_a_session_is_no_token(self, gate):
        """The cookie opens the page and no call of the API."""
        _, cookie = await sign_in(gate)
        assert (await gate.call("GET", "/v1/accounts", headers=cookie)).status_code == 401

    async def test_other_sites_cannot_sign_in(self, gate):
        """A login form on another site gets nowhere."""
        headers = FORM | {"origin": "http://evil.example"}
        response = await gate.call("POST", "/login", content=f"token={gate.token}", headers=headers)
        assert response.status_code == 403
        own = FORM | {"origin": gate.admin}
        assert (
            await gate.call("POST", "/login", content=f"token={gate.token}", headers=own)
        ).status_code == 303

    async def test_sessions_do_not_pile_up(self, gate):
        """Of many, the newest are kept."""
        first = (await sign_in(gate))[1]
        for _ in range(100):
            last = (await sign_in(gate))[1]
        assert "Sockets" not in (await gate.call("GET", "/", headers=first)).text
        assert "Sockets" in (await gate.call("GET", "/", headers=last)).text


class TestPage:
    async def test_it_shows_what_runs(self, gate):
        """Accounts, keys by state, sockets and listeners, as they are now; no names, no keys."""
        api_key = await gate.api_key("alice")
        key = await gate.listen_key(api_key)
        await gate.dial(f"/ws/{key}")
        _, cookie = await sign_in(gate)
        text = (await gate.call("GET", "/", headers=cookie)).text
        figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", text))
        assert [figures[name] for name in ("Sockets", "Active", "Closed", "Expired", "Accounts")] == list(
            "11001"
        )
        assert gate.venue in text
        assert gate.admin in text
        assert not any(word in text for word in ("alice", key, api_key, gate.token))

    async def test_nothing_from_elsewhere_may_be_loaded(self, gate):
        """The policy allows the page's one style by its hash and nothing else, and the page asks for nothing
        else."""
        for headers in ({}, (await sign_in(gate))[1]):
            response = await gate.call("GET", "/", headers=headers)
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}'" in policy
            assert not re.search(
                r"<script|<link|<img|\sstyle=|\son\w+=|src=|https?://(?!127\.0\.0\.1)", response.text
            )
            assert response.headers["cache-control"] == "no-store"

    async def test_errors_are_shown_as_text(self, gate, monkeypatch):
        """The newest first, and no error can put markup into the page."""
        monkeypatch.setattr(recent_errors, "_errors", RecentErrors()._errors)
        log = structlog.wrap_logger(
            structlog.ReturnLogger(), processors=[structlog.processors.TimeStamper(), recent_errors]
        )
        log.info("not an error")
        log.error("disk_full", path="<script>alert(1)</script>")
        log.critical("last_one")
        _, cookie = await sign_in(gate)
        text = (await gate.call("GET", "/", headers=cookie)).text
        assert "not an error" not in text
        assert "<script>" not in text
        assert text.index("last_one") < text.index("disk_full")
        assert "&lt;script&gt;" in text

    async def test_over_tls_the_cookie_is_for_tls_alone(self, make_gate, certificate):
        """`Secure`, so that it never travels in the clear."""
        async with make_gate(tls=certificate, admin=Admin(listen="127.0.0.1:0")) as gate:
            response, _ = await sign_in(gate)
            assert "Secure" in response.headers["set-cookie"].split("; ")


class TestUpstreams:
    async def test_without_upstreams_there_is_no_word_of_them(self, gate):
        """Who runs no relay need not wonder about one."""
        _, cookie = await sign_in(gate)
        assert "Upstreams" not in (await gate.call("GET", "/", headers=cookie)).text

    async def test_each_upstream_is_shown_with_its_state_and_its_holes(self, gate):
        """What an operator asks first: is it open, since when, how far behind, and is anything missing."""
        good, bad = (
            UpstreamFigures("main", "desk", "binance-spot"),
            UpstreamFigures("<b>", "desk", "bingx-swap"),
        )
        now = gate.clock.wall()
        good.became("connecting", "", now - 7 * 3600 * SECOND)
        good.became("open", "", now - 3 * 3600 * SECOND)
        good.became("open", "again", now)
        good.journaled(b'{"E":%d}' % (now // 1000 - 40), now - 130 * SECOND, backfilled=True)
        good.journaled(b'{"e":"x","E":%d}' % (now // 1000 - 40), now, backfilled=False)
        bad.became("reconnecting", "<timeout>", now - 30 * SECOND)
        bad.gaps = 1234
        gate.gateway.upstreams += [good, bad]
        _, cookie = await sign_in(gate)
        page = (await gate.call("GET", "/", headers=cookie)).text
        rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall("<tr><td.*?</tr>", page)][:2]
        shown = "main binance-spot for desk open for 3.0 h 0 s ago 40 ms / 40 ms 2 1 0"
        assert " ".join(rows[0]) == shown
        assert rows[1][:4] == ["&lt;b&gt;", "bingx-swap", "for", "desk"]
        assert "reconnecting for 30 s &lt;timeout&gt; none yet unknown 0 0 1,234" in " ".join(rows[1])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2.0 h"), (172_800, "2 days")],
)
def test_stretches_of_time_are_said_in_one_unit(seconds, said):
    """Short enough for a table, and never negative where a clock was set."""
    assert span(seconds * SECOND) == said
