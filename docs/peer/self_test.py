"""`--self-test`: every known answer of docs/protocol.md §18, read from the document itself, and
published ones of what OpenSSL does not do for us.
"""

import hashlib
import os
import re

import handshake as hs
import mlkem
from packets import Opener, Sealer, parse_header
from primitives import (
    OTHER, Fault, fingerprint, hkdf_expand, hkdf_extract, mac, sha256, x25519,
)

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "protocol.md")

# RFC 7748 §5.2, both vectors.
X25519_ANSWERS = [
    ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
    ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
]

# Go's crypto/mlkem, TestAccumulated with 100 rounds: one hash over encapsulation keys, ciphertexts,
# secrets and implicit rejections, all from SHAKE128 of nothing.
MLKEM_AFTER_100 = "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"

# RFC 8448 §3.
TLS_EARLY = "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"
TLS_DERIVED = "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"


class Answers:
    """The known answers of §18 by name; at the end, those that nobody asked for are a failure too."""

    def __init__(self):
        with open(DOCUMENT, encoding="utf-8") as file:
            section = file.read().split("\n## 18. ")[1].split("\n## ")[0]
        blocks = section.split("```")[1::2]
        lines = [line for block in blocks for line in block.splitlines()]
        found = [re.fullmatch(r"(\S.*?) +([0-9a-f]{6,})", line) for line in lines]
        self.left = {match[1]: match[2] for match in found if match}
        self.checked = 0

    def check(self, name, value):
        expected = self.left.pop(name, None)
        if expected is None:
            raise Fault(OTHER, f"docs/protocol.md §18 has no known answer named {name}")
        self.equal(name, value, expected)

    def equal(self, name, value, expected):
        text = value if isinstance(value, str) else value.hex()
        if text != expected:
            raise Fault(OTHER, f"{name} is {text} and should be {expected}")
        self.checked += 1


def self_test():
    answers = Answers()
    for check in (x25519_answers, mlkem_answers, tls_framing, packet_answers, schedule_answers):
        check(answers)
    if answers.left:
        raise Fault(OTHER, f"known answers that were not checked: {', '.join(answers.left)}")
    print(f"{answers.checked} known answers are right")
    return 0


def x25519_answers(answers):
    for scalar, point, expected in X25519_ANSWERS:
        result = x25519(bytes.fromhex(scalar), bytes.fromhex(point))
        answers.equal("X25519 of RFC 7748", result, expected)


def mlkem_answers(answers):
    size = 64 + 32 + mlkem.CT_LEN
    stream = hashlib.shake_128().digest(100 * size)
    sink = hashlib.shake_128()
    for at in range(0, len(stream), size):
        d, z, m = (stream[at + i : at + i + 32] for i in (0, 32, 64))
        ek, dk = mlkem.keygen_from(d, z)
        secret, ct = mlkem.encaps_from(ek, m)
        if mlkem.decaps(dk, ct) != secret:
            raise Fault(OTHER, "ML-KEM's two ends do not agree")
        rejected = mlkem.decaps(dk, stream[at + 96 : at + size])
        sink.update(ek + ct + secret + rejected)
    answers.equal("ML-KEM-768 a hundred times", sink.digest(32), MLKEM_AFTER_100)

    # A first coefficient of 3329, which is 0 written in another way.
    for bad in (b"\x01\x0d" + b"\0" + ek[3:], ek[:-1]):
        try:
            mlkem.check_key(bad)
        except mlkem.BadKey:
            continue
        raise Fault(OTHER, "an invalid ML-KEM key was not refused")


def tls_framing(answers):
    early = hkdf_extract(bytes(32), bytes(32))
    answers.equal("TLS's early secret", early, TLS_EARLY)
    derived = hs.xl(early, b"derived", sha256(), 32, prefix=b"tls13 ")
    answers.equal("TLS's derived secret", derived, TLS_DERIVED)


def packet_answers(answers):
    base_key = bytes(range(32))
    metadata, text = bytes.fromhex("10deadbeef"), b"hello mjpeg chunk"
    for name in [name for name in answers.left if name.startswith("CTR ")]:
        ctr = int(name.removeprefix("CTR "), 0)
        packet = Sealer(base_key, 5).seal_as(ctr, metadata, text)
        answers.check(name, packet[5:])
        cid, kid, seen, header_len = parse_header(packet)
        answers.equal("CID, KID and CTR", f"{cid:x} {kid} {seen}", f"deadbeef 5 {ctr}")
        if ctr < 2**26:
            answers.equal("opened", Opener(base_key, 5).open(packet, ctr, header_len), text.hex())


def schedule_answers(answers):
    modulus = {name: b"\x80" + fill * 382 + b"\x01" for name, fill in (("s", b"\x11"), ("c", b"\x22"))}
    fp, camera_id = fingerprint(modulus["s"]), fingerprint(modulus["c"])
    answers.check("fp", fp)
    answers.check("camera_id", camera_id)
    answers.check("mac1_key", hs.mac1_key(fp))

    hello = hs.hello(fp, b"\xa1" * 32)
    address = (bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]), 40000)
    value = hs.cookie_value(b"\xcc" * 32, 7, address, hs.parse_hello(fp, hello))
    answers.check("cookie", value)
    cookie = hs.cookie(fp, b"\xa1" * 32, value, modulus["s"])
    answers.equal("n_s of COOKIE", hs.parse_cookie(fp, cookie).modulus, modulus["s"].hex())

    head = hs.key_head(b"\xa1" * 32, value, 0xC0C0C0C0, b"\xc1" * 32, b"\xc7" * 384, camera_id)
    key = hs.key(fp, head, b"\x51" * 384)
    answers.equal("ct of KEY", hs.parse_key(fp, key).ct, "c7" * 384)
    th1 = hs.transcript1(fp, key)
    accept = hs.accept_head(0xC0C0C0C0, 0x50505050, b"\x5a" * 32, b"\xc2" * 32)
    th2 = hs.transcript2(th1, key, accept)
    secret = hs.handshake_secret(b"\x4b" * 32, th1, b"\x25" * 32)
    accept += hs.finished(secret, th2)
    answers.check("th1", th1)
    answers.check("th2", th2)
    answers.check("ES", hs.early_secret(b"\x4b" * 32))
    answers.check("HS", secret)
    answers.check("finished", hs.parse_accept(accept).finished)
    for name, datagram in (("HELLO", hello), ("COOKIE", cookie), ("KEY", key), ("ACCEPT", accept)):
        answers.check(f"SHA-256 of {name}", sha256(datagram))

    e, t = hs.first_epoch(secret, th2)
    answers.check("E_0", e)
    check_base_keys(answers, 0, e, t)
    secrets = b"\x68" * 32 + b"\x26" * 32
    e, t = hs.next_epoch(e, t, b"\xe1" * 1216, b"\xe2" * 1120, secrets)
    answers.check("T_1", t)
    answers.check("E_1", e)
    check_base_keys(answers, 1, e, t)

    exporter = hs.xl(secret, b"exporter", th2, 32)
    answers.check("exporter", exporter)
    pair_key = hkdf_expand(hkdf_extract(fp, b"\x5e" * 16), b"scl1 pair key", 32)
    answers.check("pair_key", pair_key)
    answers.check("pairing MAC", mac(pair_key, b"scl1 pair auth v1\0", th1))
    code = int.from_bytes(hs.xl(exporter, b"pair code", b"", 4), "big") % 10**6
    answers.check("six digits", f"{code:06}")


def check_base_keys(answers, number, e, t):
    for name, value in zip(("c2s", "s2c"), hs.base_keys(e, t)):
        answers.check(f"base_key {name}, epoch {number}", value)
