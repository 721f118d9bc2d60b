"""The handshake's four datagrams (docs/protocol.md §3) and the key schedule (§6).

Functions from values to bytes and back, without a clock or a socket: a parser answers None for what
§3 calls malformed, and the roles decide what follows.
"""

import hmac
from collections import namedtuple
from struct import pack, unpack_from

from primitives import hkdf_expand, hkdf_extract, mac, sha256, valid_modulus

HELLO_LEN, COOKIE_LEN, KEY_LEN, ACCEPT_LEN = 1200, 476, 932, 108
VERSION = 1
PAIRING = 1
AUTH_SIGNATURE = 1
VERSIONS = bytes([1, 1, 0, 0, 0, 0, 0, 0])
SUITE = b"scl1 RSA3072-OAEP-SHA256 PSS-SHA256 X25519 MLKEM768 HKDF-SHA256 SFRAME-0001"

Hello = namedtuple("Hello", "flags client_random offered")
Cookie = namedtuple("Cookie", "flags client_random versions cookie modulus")
Key = namedtuple("Key", "flags client_random offered cookie client_cid x_c ct camera_id auth")
Accept = namedtuple("Accept", "client_cid server_cid server_random x_s finished")


def mac1_key(fp):
    return mac(fp, b"scl1 mac1")


def version_list(data):
    """The versions of a list of 8 bytes, or None."""
    count = data[0]
    versions = list(data[1 : 1 + count])
    ascending = all(a < b for a, b in zip(versions, versions[1:]))
    if not 1 <= count <= 7 or versions[0] < 1 or not ascending or any(data[1 + count :]):
        return None
    return versions


def sealed_by_mac1(fp, body):
    return body + mac(mac1_key(fp), body)[:16]


def mac1_right(fp, datagram):
    return hmac.compare_digest(sealed_by_mac1(fp, datagram[:-16]), datagram)


# --- §3.1 HELLO ---


def hello(fp, client_random, flags=0):
    head = bytes([0x01, VERSION]) + pack(">H", flags) + client_random + VERSIONS
    return sealed_by_mac1(fp, head.ljust(HELLO_LEN - 16, b"\0"))


def parse_hello(fp, data):
    if len(data) != HELLO_LEN or data[0] != 0x01 or data[1] != VERSION:
        return None
    flags = unpack_from(">H", data, 2)[0]
    offered = data[36:44]
    if flags & ~PAIRING or version_list(offered) is None or any(data[44:1184]):
        return None
    if not mac1_right(fp, data):
        return None
    return Hello(flags, data[4:36], offered)


# --- §3.2 COOKIE ---


def cookie_value(master, window, address, asked):
    """`address` is (16 bytes of IPv6, port); `asked` the HELLO, or the KEY that repeats its fields."""
    window_key = mac(master, pack(">Q", window))
    host, port = address
    body = host + pack(">HH", port, asked.flags) + asked.client_random + asked.offered
    return bytes([window % 256]) + mac(window_key, b"scl1 cookie", body)[:31]


def cookie(fp, client_random, value, modulus, flags=0):
    head = bytes([0x02, VERSION]) + pack(">H", flags) + client_random + VERSIONS
    return sealed_by_mac1(fp, head + value + modulus)


def parse_cookie(fp, data):
    if len(data) != COOKIE_LEN or data[0] != 0x02 or data[1] != VERSION:
        return None
    flags = unpack_from(">H", data, 2)[0]
    versions = version_list(data[36:44])
    if flags & ~1 or versions is None or not mac1_right(fp, data):
        return None
    if not valid_modulus(data[76:460]):
        return None
    return Cookie(flags, data[4:36], versions, data[44:76], data[76:460])


# --- §3.3 KEY ---


def key_head(client_random, cookie_bytes, client_cid, x_c, ct, camera_id, flags=0):
    """Bytes 0..532, which th1 covers."""
    head = bytes([0x03, VERSION]) + pack(">H", flags) + client_random + VERSIONS + cookie_bytes
    auth_type = bytes([AUTH_SIGNATURE, 0, 0, 0])
    return head + pack(">I", client_cid) + x_c + ct + auth_type + camera_id


def key(fp, head, auth):
    return sealed_by_mac1(fp, head + auth)


def signed_text(th1):
    return b"scl1 client auth v1\0" + th1


def parse_key(fp, data):
    if len(data) != KEY_LEN or data[0] != 0x03 or data[1] != VERSION:
        return None
    flags = unpack_from(">H", data, 2)[0]
    offered = data[36:44]
    # auth_type 2 is the pairing run, which ends here as it does in the programs (§5).
    if flags or version_list(offered) is None or data[496:500] != bytes([AUTH_SIGNATURE, 0, 0, 0]):
        return None
    if not mac1_right(fp, data):
        return None
    cid = unpack_from(">I", data, 76)[0]
    return Key(
        flags, data[4:36], offered, data[44:76], cid, data[80:112], data[112:496], data[500:532],
        data[532:916],
    )


# --- §3.4 ACCEPT ---


def accept_head(client_cid, server_cid, server_random, x_s):
    return bytes([0x04, VERSION, 0, 0]) + pack(">II", client_cid, server_cid) + server_random + x_s


def parse_accept(data):
    if len(data) != ACCEPT_LEN or data[:4] != bytes([0x04, VERSION, 0, 0]):
        return None
    client_cid, server_cid = unpack_from(">II", data, 4)
    return Accept(client_cid, server_cid, data[12:44], data[44:76], data[76:])


# --- §6 ---


def transcript1(fp, key_datagram):
    return sha256(b"scl1 th1", fp, key_datagram[:532])


def transcript2(th1, key_datagram, accept_datagram):
    return sha256(b"scl1 th2", th1, key_datagram[532:916], accept_datagram[:76])


def xl(secret, label, context, length, prefix=b"scl1 "):
    info = pack(">HB", length, len(prefix + label)) + prefix + label
    return hkdf_expand(secret, info + bytes([len(context)]) + context, length)


def early_secret(k_t):
    return hkdf_extract(sha256(SUITE), k_t)


def handshake_secret(k_t, th1, x25519_secret):
    return hkdf_extract(xl(early_secret(k_t), b"derived", th1, 32), x25519_secret)


def finished(hs, th2):
    return mac(xl(hs, b"s finished", b"", 32), th2)


def first_epoch(hs, th2):
    """E_0 and T_0."""
    return xl(hs, b"epoch", th2, 32), th2


def next_epoch(e, t, share, answer, secrets):
    """E_{n+1} and T_{n+1}; `secrets` is ML-KEM's and then X25519's."""
    after = sha256(b"scl1 kex", t, share, answer)
    mixed = hkdf_extract(xl(e, b"next", t, 32), secrets)
    return xl(mixed, b"epoch", after, 32), after


def base_keys(e, t):
    """Camera to display, and display to camera."""
    return xl(e, b"c2s", t, 32), xl(e, b"s2c", t, 32)
