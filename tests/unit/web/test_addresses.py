"""Whose address is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings_api import ApiSettings
from app.web.addresses import origin_of
from app.web.masking import mask

TUNNEL = ApiSettings(tunnel_peers="127.0.0.0/8,::1,172.30.0.0/16").tunnel_networks


def origin(peer: str, *told: str) -> tuple[str, bool]:
    headers = [(b"cf-connecting-ip", one.encode("latin-1")) for one in told]
    scope = {"type": "http", "client": (peer, 4000), "headers": headers}
    found = origin_of(scope, TUNNEL)
    return found.address, found.through_tunnel


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "172.30.4.2", "::ffff:127.0.0.1"])
def test_our_own_tunnel_is_believed_whom_it_speaks_for(peer: str) -> None:
    assert origin(peer, "203.0.113.9") == ("203.0.113.9", True)
    assert origin(peer, "2001:DB8:0:0::1") == ("2001:db8::1", True)


def test_a_local_program_is_no_visitor() -> None:
    assert origin("127.0.0.1") == ("127.0.0.1", False)


@given(st.ip_addresses().map(str))
def test_nobody_else_can_say_who_they_are(told: str) -> None:
    assert origin("10.86.0.9", told)[0] == "10.86.0.9"
    # That they tried to doesn't take them past the door of visitors.
    assert origin("10.86.0.9", told)[1]


@given(st.text(st.characters(codec="latin-1")))
def test_what_is_no_address_is_not_one_of_a_visitor(told: str) -> None:
    assert origin("127.0.0.1", told, "203.0.113.9") == ("127.0.0.1", True)


@given(st.ip_addresses())
def test_a_masked_address_is_of_a_network_only(address: object) -> None:
    masked = mask(str(address))
    assert masked.endswith(("/24", "/48"))


def test_a_mask_covers_what_is_no_address() -> None:
    assert mask("nonsense") == "?"
    assert mask("203.0.113.77") == "203.0.113.0/24"
