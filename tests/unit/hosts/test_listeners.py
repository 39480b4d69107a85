"""Reading who listens, and the comparison with what was meant."""

from tests.rehearsal.testinfra.environment import Listening
from tests.rehearsal.testinfra.listeners import (
    Listener,
    difference,
    parse_lsof,
    parse_netstat,
    parse_ss,
)

LINK = "10.86.0.2"

LSOF = """\
p70
csshd
PTCP
n*:22
PTCP
n[::1]:631
p1158
cwireguard-go
PUDP
n*:47086
p88
cmDNSResponder
PUDP
n127.0.0.1:5353->127.0.0.1:9
PUDP
n*:*
PTCP
n[fe80::1%en0]:88
"""

SS = """\
udp UNCONN 0 0 0.0.0.0:51820 0.0.0.0:* users:(("wireguard-go",pid=22,fd=4))
udp UNCONN 0 0 [::]:51820 [::]:*
tcp LISTEN 0 4096 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=2))
tcp LISTEN 0 4096 10.86.0.2:8080 0.0.0.0:* users:(("docker-proxy",pid=9,fd=9))
"""

NETSTAT = """\
Active Internet connections (including servers)
tcp4       0      0  127.0.0.1.8080         *.*                    LISTEN
tcp4       0      0  10.86.0.2.50000        10.86.0.1.6379         ESTABLISHED
tcp6       0      0  *.22                   *.*                    LISTEN
udp4       0      0  *.5353                 *.*
"""


def wanted(
    protocol: str, address: str | None, port: int | None, process: str | None = None
) -> Listening:
    return Listening.model_validate(
        {
            "protocol": protocol,
            "address": address,
            "port": port,
            "process": process,
            "reason": "so that the test has one",
        }
    )


def test_lsof() -> None:
    assert parse_lsof(LSOF) == {
        Listener("tcp", "*", 22, "sshd"),
        Listener("tcp", "::1", 631, "sshd"),
        Listener("udp", "*", 47086, "wireguard-go"),
        Listener("tcp", "fe80::1", 88, "mDNSResponder"),
    }


def test_ss() -> None:
    assert parse_ss(SS) == {
        Listener("udp", "*", 51820, "wireguard-go"),
        Listener("udp", "*", 51820, "?"),
        Listener("tcp", "127.0.0.53", 53, "systemd-resolve"),
        Listener("tcp", LINK, 8080, "docker-proxy"),
    }


def test_netstat() -> None:
    assert parse_netstat(NETSTAT) == {
        Listener("tcp", "127.0.0.1", 8080),
        Listener("tcp", "*", 22),
        Listener("udp", "*", 5353),
    }


def test_nothing_differs() -> None:
    present = [Listener("tcp", LINK, 8080, "python3"), Listener("tcp", "127.0.0.1", 4711, "x")]
    assert difference(present, LINK, [wanted("tcp", LINK, 8080)], []) == []


def test_what_is_wanted_and_missing() -> None:
    found = difference([], LINK, [wanted("tcp", "127.0.0.1", 6379)], [])
    assert found == ["- tcp 127.0.0.1:6379 (so that the test has one)"]


def test_an_address_of_all_is_not_the_one_that_was_wanted() -> None:
    found = difference(
        [Listener("tcp", "*", 8080, "python3")], LINK, [wanted("tcp", LINK, 8080)], []
    )
    assert [line[0] for line in found] == ["+", "-"]


def test_the_link_is_no_free_place() -> None:
    found = difference([Listener("tcp", LINK, 9999, "nc")], LINK, [wanted("tcp", LINK, 8080)], [])
    assert found[0] == "+ tcp 10.86.0.2:9999 (nc)"


def test_exceptions_hold_for_their_program_only() -> None:
    exceptions = [wanted("udp", None, None, "wireguard")]
    present = [Listener("udp", "*", 1, "wireguard-go"), Listener("udp", "*", 2, "nc")]
    assert difference(present, LINK, [], exceptions) == ["+ udp *:2 (nc)"]


def test_loopback_of_both_families() -> None:
    present = [Listener("tcp", "127.0.0.53", 53, "x"), Listener("tcp", "::1", 631, "x")]
    assert difference(present, LINK, [], []) == []
