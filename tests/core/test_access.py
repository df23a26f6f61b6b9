import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.errors import Refused
from listenkey.core.access import address_allowed, address_in, any_allows, check_allow_list, client_address
from tests.core.making import api_key

# Allow-lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry, block",
    [
        ("192.0.2.7", "192.0.2.7/32"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_entries_are_kept_in_one_spelling(entry, block):
    """What an administrator writes is shown and compared as a block."""
    assert check_allow_list([entry]) == (block,)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "example.org",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.0/33",
        "2001:db8::/129",
        "1.2.3.4:80",
    ],
)
def test_what_is_no_address_is_refused(entry):
    """A list with a slip in it would let nobody in, or worse, everybody."""
    with pytest.raises(Refused) as refusal:
        check_allow_list(["192.0.2.7", entry])
    assert refusal.value.code == "bad_ip_allow"
    assert refusal.value.remedy


@pytest.mark.parametrize(
    "address, entries, allowed",
    [
        ("192.0.2.7", (), True),
        ("192.0.2.7", ("192.0.2.7/32",), True),
        ("192.0.2.8", ("192.0.2.7/32",), False),
        ("192.0.2.8", ("192.0.2.7/32", "192.0.2.8/32"), True),
        ("192.0.2.255", ("192.0.2.0/24",), True),
        ("192.0.3.0", ("192.0.2.0/24",), False),
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), True),
        ("::ffff:c000:207", ("192.0.2.7/32",), True),
        ("::ffff:192.0.3.7", ("192.0.2.0/24",), False),
        ("::192.0.2.7", ("192.0.2.0/24",), False),
        ("2001:db8::7", ("2001:db8::/32",), True),
        ("2001:DB8:0:0::7", ("2001:db8::7/128",), True),
        ("2001:db9::7", ("2001:db8::/32",), False),
        ("192.0.2.7", ("2001:db8::/32",), False),
        ("192.0.2.7", ("::/0",), False),
        ("2001:db8::7", ("0.0.0.0/0",), False),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("fe80::1%eth0", ("fe80::1%eth0/128",), True),
        ("", ("0.0.0.0/0", "::/0"), False),
        ("unix:", ("0.0.0.0/0", "::/0"), False),
        ("unix:", (), True),
    ],
)
def test_a_list_lets_in_what_lies_in_its_blocks(address, entries, allowed):
    """An empty list lets everybody in; any other only what is an address of one of its blocks."""
    assert address_allowed(address, entries) is allowed


def test_one_of_the_api_keys_behind_a_key_is_enough():
    """A socket passes where one unrevoked API key that used the listen key lets its address in."""
    home, office = (
        api_key("home", ip_allow=("192.0.2.7/32",)),
        api_key("office", ip_allow=("198.51.100.0/24",)),
    )
    assert any_allows([home, office], "198.51.100.9")
    assert not any_allows([home, office], "203.0.113.1")
    assert any_allows([home, api_key("open")], "203.0.113.1")


def test_without_any_api_key_nobody_is_let_in():
    """A listen key whose API keys are all revoked opens for no address at all."""
    assert not any_allows([], "192.0.2.7")


# Behind proxies ----------------------------------------------------------------------------------------

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    "peer, forwarded, wanted",
    [
        pytest.param("203.0.113.9", "", "203.0.113.9", id="no proxy"),
        pytest.param("203.0.113.9", "192.0.2.7", "203.0.113.9", id="a stranger's word"),
        pytest.param("203.0.113.9", "10.0.0.1", "203.0.113.9", id="a stranger who claims to be a proxy"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="a proxy that says nothing"),
        pytest.param("10.0.0.1", "192.0.2.7", "192.0.2.7", id="one proxy"),
        pytest.param("10.0.0.1", "192.0.2.7, 10.0.0.2", "192.0.2.7", id="two proxies"),
        pytest.param("10.0.0.1", "192.0.2.7,203.0.113.9", "203.0.113.9", id="what a client put in front"),
        pytest.param("10.0.0.1", "10.9.9.9, 203.0.113.9, 10.0.0.2", "203.0.113.9", id="a forged trusted hop"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="proxies all the way"),
        pytest.param("10.0.0.1", "unknown", "10.0.0.1", id="no address"),
        pytest.param("10.0.0.1", "192.0.2.7, unknown", "10.0.0.1", id="no address behind one"),
        pytest.param("10.0.0.1", "192.0.2.7:4711", "192.0.2.7", id="with a port"),
        pytest.param("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7", id="IPv6 with a port"),
        pytest.param("10.0.0.1", "[2001:db8::7]", "2001:db8::7", id="IPv6 in brackets"),
        pytest.param("10.0.0.1", "2001:db8::7", "2001:db8::7", id="IPv6"),
        pytest.param("10.0.0.1", "192.0.2.7, 10.0.0.2:80", "192.0.2.7", id="a proxy with a port"),
        pytest.param("10.0.0.1", "192.0.2.7:", "10.0.0.1", id="no port"),
        pytest.param("10.0.0.1", "192.0.2.7:port", "10.0.0.1", id="not a port"),
        pytest.param("10.0.0.1", "[192.0.2.7]x", "10.0.0.1", id="half in brackets"),
        pytest.param("10.0.0.1", "[", "10.0.0.1", id="a bracket"),
        pytest.param("10.0.0.1", "192.0.2.7,", "10.0.0.1", id="an empty hop"),
        pytest.param("fd00::1", "2001:DB8::7", "2001:db8::7", id="IPv6"),
        pytest.param("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7", id="a mapped proxy"),
        pytest.param("10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7", id="a mapped client"),
        pytest.param("::ffff:203.0.113.9", "", "203.0.113.9", id="a mapped stranger"),
        pytest.param("fe80::1%eth0", "", "fe80::1", id="a link's own address"),
        pytest.param("unix:", "192.0.2.7", "unix:", id="a peer without address"),
    ],
)
def test_the_header_is_believed_as_far_as_its_hops_are_trusted(peer, forwarded, wanted):
    """What a client writes into the header itself never becomes its address."""
    assert client_address(peer, forwarded, PROXIES) == wanted


ADDRESSES = st.one_of(st.ip_addresses().map(str), st.text(max_size=12))


@given(st.ip_addresses(v=4).map(str), st.lists(ADDRESSES, max_size=5))
def test_without_trusted_proxies_the_header_means_nothing(peer, hops):
    """The default: an address is where the packets come from."""
    assert client_address(peer, ",".join(hops), ()) == peer


@given(st.lists(ADDRESSES, max_size=5))
def test_a_forged_header_never_reaches_past_the_last_proxy(hops):
    """The hop that the outermost proxy itself wrote is the address, whatever came before."""
    assert client_address("10.0.0.1", ",".join([*hops, "203.0.113.9", "10.0.0.2"]), PROXIES) == "203.0.113.9"


@given(ADDRESSES)
def test_any_text_is_in_a_block_or_is_not(text):
    """Looking an address up is total: what is no address is in no block."""
    assert address_in(text, ("0.0.0.0/0", "::/0")) in (True, False)
