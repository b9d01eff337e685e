"""NTLM as a server with Windows authentication speaks it: the challenge it sends, and the proof of the password it checks.

Source: the open specification [MS-NLMP], version 2 of the response only. The real protocol authenticates a connection; this
server sees single requests, so each of them is authenticated, which a client answers by shaking hands again.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections import deque
from collections.abc import Callable, Mapping

_SIGNATURE = b"NTLMSSP\0"
_TARGET = "SANDBOX"
# Unicode, target wanted, NTLM, always sign, target is a server, extended session security, target info, 128 and 56 bits.
_FLAGS = 0x1 | 0x4 | 0x200 | 0x8000 | 0x20000 | 0x80000 | 0x800000 | 0x20000000 | 0x80000000
_COMPUTER_NAME, _DOMAIN_NAME, _END = 1, 2, 0
_MASK = 0xFFFFFFFF


class Ntlm:
    """The server's side of the handshake; `fresh` gives ever new text for challenges."""

    def __init__(self, fresh: Callable[[], str]) -> None:
        self._fresh = fresh
        # A request does not say which challenge it answers: the last ones are all still open.
        self._open: deque[bytes] = deque(maxlen=64)

    def challenge(self, authorization: str) -> str | None:
        """The ``WWW-Authenticate`` value that goes on with the handshake, None when the header does not begin one."""
        message = _message(authorization)
        if message is None or len(message) < 12 or struct.unpack_from("<I", message, 8)[0] != 1:
            return None
        challenge = bytes.fromhex(self._fresh().replace("-", ""))[-8:]
        self._open.append(challenge)
        target = _TARGET.encode("utf-16-le")
        info = b"".join(struct.pack("<HH", kind, len(target)) + target for kind in (_DOMAIN_NAME, _COMPUTER_NAME))
        info += struct.pack("<HH", _END, 0)
        answer = _SIGNATURE + struct.pack("<I", 2) + struct.pack("<HHI", len(target), len(target), 48)
        answer += struct.pack("<I", _FLAGS) + challenge + bytes(8)
        answer += struct.pack("<HHI", len(info), len(info), 48 + len(target)) + target + info
        return f"NTLM {base64.b64encode(answer).decode()}"

    def user(self, authorization: str, passwords: Mapping[str, str]) -> str | None:
        """The user who has proved to know the password, None without such a proof."""
        message = _message(authorization)
        if message is None or len(message) < 64 or struct.unpack_from("<I", message, 8)[0] != 3:
            return None
        response, domain, name = (_field(message, position) for position in (20, 28, 36))
        if response is None or domain is None or name is None or len(response) < 24:
            return None
        try:
            user = name.decode("utf-16-le")
            whole = user.upper().encode("utf-16-le") + domain
        except UnicodeDecodeError:
            return None
        found = next((known for known in passwords if known.lower() == user.lower()), None)
        if found is None:
            return None
        key = hmac.digest(md4(passwords[found].encode("utf-16-le")), whole, "md5")
        for challenge in self._open:
            if hmac.compare_digest(response[:16], hmac.digest(key, challenge + response[16:], "md5")):
                self._open.remove(challenge)
                return found
        return None


def md4(content: bytes) -> bytes:
    """The MD4 digest (RFC 1320), which NTLM stores passwords as and current OpenSSL no longer computes."""
    padded = content + b"\x80" + bytes((55 - len(content)) % 64) + struct.pack("<Q", 8 * len(content))
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    orders = (tuple(range(16)), tuple(n % 4 * 4 + n // 4 for n in range(16)), _THIRD)
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, start)
        a, b, c, d = state
        for number, order in enumerate(orders):
            for step, index in enumerate(order):
                mixed = (a + _ROUNDS[number](b, c, d) + words[index] + _ADDED[number]) & _MASK
                turn = _TURNS[number][step % 4]
                a, b, c, d = d, ((mixed << turn) | (mixed >> (32 - turn))) & _MASK, b, c
        state = [(old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True)]
    return struct.pack("<4I", *state)


_THIRD = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)
_ADDED = (0, 0x5A827999, 0x6ED9EBA1)
_TURNS = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ROUNDS: tuple[Callable[[int, int, int], int], ...] = (
    lambda x, y, z: (x & y) | (~x & _MASK & z),
    lambda x, y, z: (x & y) | (x & z) | (y & z),
    lambda x, y, z: x ^ y ^ z,
)


def _message(authorization: str) -> bytes | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() not in {"ntlm", "negotiate"}:
        return None
    try:
        message = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return message if message.startswith(_SIGNATURE) else None


def _field(message: bytes, position: int) -> bytes | None:
    length, _, offset = struct.unpack_from("<HHI", message, position)
    return message[offset : offset + length] if offset + length <= len(message) else None
