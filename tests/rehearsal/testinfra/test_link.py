"""The private link."""

from tests.rehearsal.testinfra.conftest import Target

# 1280 bytes of MTU less the headers of IPv4 and ICMP.
LARGEST_PAYLOAD = 1252


def test_large_packets_pass(mac: Target, vps: Target) -> None:
    """Small ones pass with too big an MTU as well, and then TCP moves nothing."""
    for here, there in ((mac, vps), (vps, mac)):
        sent = here.host.run(f"ping -c 3 -s {LARGEST_PAYLOAD} {there.link_address}")
        assert sent.rc == 0, f"{here.name} to {there.name}:\n{sent.stdout}{sent.stderr}"


def test_only_the_mac_dials(vps: Target) -> None:
    """An Endpoint in the VPS's file would be the Mac's address of yesterday."""
    configuration = vps.host.file("/etc/wireguard/portiere.conf").content_string
    assert "Endpoint" not in configuration
    assert "MTU = 1280" in configuration


def test_handshake_is_fresh(vps: Target) -> None:
    """A session ends after 180 s without one."""
    now = int(vps.host.check_output("date +%s"))
    shaken = int(vps.host.check_output("wg show portiere latest-handshakes").split()[1])
    assert now - shaken < 180
