"""Which name servers a namespace is told: those that it can reach, in the C library's form (resolv.conf(5))."""

from tidegate.network.resolvers import FILES, RESOLV_CONF, Resolvers, read

SYSTEMD, MANAGER = FILES[1:]
STUB = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch home.example\n"


def test_servers_in_their_order_three_at_most():
    text = "# by hand\nnameserver 192.0.2.53\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
    assert read({RESOLV_CONF: text}).servers == ("192.0.2.53", "10.0.0.1", "10.0.0.2")


def test_a_stub_on_loopback_is_passed_over_for_what_it_asks_itself():
    found = read({RESOLV_CONF: STUB, SYSTEMD: "nameserver 192.0.2.53\nsearch other.example\n"})
    assert found.servers == ("192.0.2.53",)
    assert found.as_file() == "nameserver 192.0.2.53\noptions edns0 trust-ad\nsearch home.example\n"


def test_network_manager_is_asked_last():
    assert read({RESOLV_CONF: STUB, MANAGER: "nameserver 192.0.2.1\n"}).servers == ("192.0.2.1",)


def test_ipv6_broken_and_unspecified_servers_are_none():
    text = "nameserver 2001:db8::53\nnameserver 0.0.0.0\nnameserver\nnameserver dns.example\nnameserver 127.0.0.1\n"
    assert read({RESOLV_CONF: text}) == Resolvers()


def test_without_any_file_there_is_no_server_and_an_empty_text():
    assert read({}).as_file() == ""


def test_one_server_may_stand_for_all():
    assert Resolvers(("192.0.2.53",), ("search a.example",)).as_file("10.0.2.3") == (
        "nameserver 10.0.2.3\nsearch a.example\n"
    )
