"""cloudflared and Cloudflare's edge: a rehearsal's stand-in.

The connector takes the real flags, `config.yml` and credentials file, is as strict about ingress
rules, dials out to region1 and region2 on port 7844 with four connections, reconnects, drains on
SIGTERM and serves /ready, /healthcheck and /metrics. The edge knows which hostname belongs to
which tunnel and hands a visitor's request to one of the tunnel's live connectors.

What it can't show: QUIC and HTTP/2, TLS and certificates on either side, Cloudflare's caching,
limits, firewall and load, which connector the real edge would prefer (this one draws lots),
Access, tokens and remote configuration, `service install`, WebSockets and other upgrades of
visitors, and origins other than HTTP. The real image has no shell; the rehearsal's has one.
"""

VERSION = "2026.8.2"
EDGE_PORT = 7844
REGIONS = ("region1.v2.argotunnel.com", "region2.v2.argotunnel.com")
