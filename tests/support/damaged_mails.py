"""Sample mails with bytes cut out, doubled, overwritten or filled in."""

from hypothesis import strategies as st

from tests.support import reservation_mails as mails

RAW = [mails.raw(name) for name in mails.names()]
# Bytes that mean something to a parser somewhere on the way.
PIECES = [
    *(b"\r", b"\n", b"\r\n\r\n", b"\x00", b"\xff", b"=?utf-8?q?=", b"?=", b"=?x?b?", b"\t", b"  "),
    *(b"<", b">", b"@", b'"', b"(", b")", b";", b":", b",", b"=", b"[", b"\\", b"--", b"boundary="),
    *(b"Content-Type: multipart/mixed; boundary=x\n", b"Content-Type: message/rfc822\n\n"),
    *(b"Content-Transfer-Encoding: base64\n", b"charset=utf-7", b"charset=none", b"From: a@b\n"),
    *(b"Date: Fri, 99 Nov 9999999999 25:00\n", b"00/00/0000", b"31 February", b"<td>", b"<div>"),
    *("\u2028 \u0660\u0661 \u00df \u0130 \u200d \u1e9b\u0323".encode(), b"1" * 40, b"Check-in:"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A mail of the samples with up to four places cut out, doubled, overwritten or filled."""
    raw = draw(st.sampled_from(RAW))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 60)))
        new = draw(st.sampled_from([*PIECES, b"", raw[start:end] * 3]) | st.binary(max_size=12))
        raw = raw[:start] + new + raw[end:]
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.integers(0, 3)) == 0 else raw
