"""DATA packets (docs/protocol.md §7): SFrame's framing and keys, the replay window, CTR's limits.

One direction of one epoch is a `Sealer` at one end and an `Opener` at the other.
"""

import hmac
from struct import pack, unpack_from

from primitives import aes_keystream, hkdf_expand, hkdf_extract, mac

DATA = 0x10
TAG_LEN = 10
MIN_LEN, MAX_LEN = 17, 1200
MAX_BLOCKS = 75
CTR_LIMIT = 2**26
WINDOW = 2048
# Key streams are asked for in advance, for this many packets: a call takes some milliseconds.
AHEAD = 64


class Dropped(Exception):
    """A packet that changes nothing but a counter."""


def parse_header(data):
    """(CID, KID, CTR, length of SFrame's header) of a datagram, by the form of §7 alone."""
    if not MIN_LEN <= len(data) <= MAX_LEN or data[0] != DATA:
        raise Dropped("no DATA packet by its first byte and length")
    cid, config = unpack_from(">IB", data, 1)
    kid, low = config >> 4 & 7, config & 7
    if config & 0x80:
        raise Dropped("a KID of more than 3 bits")
    if not config & 8:
        return cid, kid, low, 1
    k = low + 1
    if k > 4 or len(data) < 6 + k + 1 + TAG_LEN:
        raise Dropped("a CTR of more than 4 bytes, or no ciphertext behind it")
    ctr = int.from_bytes(data[6 : 6 + k], "big")
    if sframe_header(kid, ctr) != data[5 : 6 + k]:
        raise Dropped("a CTR that could be shorter")
    return cid, kid, ctr, 1 + k


def sframe_header(kid, ctr):
    if ctr < 8:
        return bytes([kid << 4 | ctr])
    k = (ctr.bit_length() + 7) // 8
    return bytes([kid << 4 | 8 | k - 1]) + ctr.to_bytes(k, "big")


class Direction:
    """The keys that RFC 9605 §4.4.2 makes of a base_key, and what both ends do with them."""

    def __init__(self, base_key, kid):
        secret = hkdf_extract(b"", base_key)
        info = pack(">QH", kid, 0x0001)
        keys = hkdf_expand(secret, b"SFrame 1.0 Secret key " + info, 48)
        self.kid = kid
        self.aes_key, self.auth_key = keys[:16], keys[16:]
        self.salt = int.from_bytes(
            hkdf_expand(secret, b"SFrame 1.0 Secret salt " + info, 12), "big"
        )
        self.streams = {}

    def nonce(self, ctr):
        return (self.salt ^ ctr).to_bytes(12, "big")

    def crypt(self, ctr, text):
        """Counter mode: the same for both ways."""
        if ctr not in self.streams:
            self.prepare(ctr)
        stream = self.streams.pop(ctr)[: len(text)]
        mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(len(text), "big")

    def ready(self, first, count):
        """Makes sure of the key streams of so many packets, so that none of them has to wait."""
        for ctr in range(first, first + count):
            if ctr not in self.streams:
                self.prepare(ctr)

    def prepare(self, first):
        counters = range(first, first + AHEAD)
        blocks = b"".join(
            self.nonce(ctr) + pack(">I", i) for ctr in counters for i in range(MAX_BLOCKS)
        )
        stream = aes_keystream(self.aes_key, blocks)
        size = 16 * MAX_BLOCKS
        for i, ctr in enumerate(counters):
            self.streams[ctr] = stream[size * i : size * (i + 1)]
        for ctr in [c for c in self.streams if c + WINDOW < first]:
            del self.streams[ctr]

    def tag(self, ctr, aad, ciphertext):
        lengths = pack(">QQQ", len(aad), len(ciphertext), TAG_LEN)
        return mac(self.auth_key, lengths, self.nonce(ctr), aad, ciphertext)[:TAG_LEN]


class Sealer(Direction):
    def __init__(self, base_key, kid):
        super().__init__(base_key, kid)
        self.next_ctr = 0

    def seal(self, cid, message):
        if self.next_ctr >= CTR_LIMIT:
            raise OverflowError("the counter has reached its end")
        ctr = self.next_ctr
        self.next_ctr += 1
        return self.seal_as(ctr, bytes([DATA]) + pack(">I", cid), message)

    def seal_as(self, ctr, metadata, message):
        header = sframe_header(self.kid, ctr)
        ciphertext = self.crypt(ctr, message)
        return metadata + header + ciphertext + self.tag(ctr, header + metadata, ciphertext)

    def ctr_len(self):
        """The bytes that the next packet's CTR takes behind the SFrame header's first: k of §7."""
        return len(sframe_header(self.kid, self.next_ctr)) - 1


class Opener(Direction):
    def __init__(self, base_key, kid):
        super().__init__(base_key, kid)
        self.highest = -1
        self.taken = set()
        self.received = 0
        self.wrong_tags = 0

    def open(self, data, ctr, header_len):
        """The plaintext; steps 3 to 6 of §7 but for the epoch's age, in their order."""
        if ctr >= CTR_LIMIT:
            raise Dropped("a CTR beyond the limit")
        if ctr <= self.highest - WINDOW or ctr in self.taken:
            raise Dropped("a CTR that was taken, or is too old to tell")
        metadata, header = data[:5], data[5 : 5 + header_len]
        ciphertext, tag = data[5 + header_len : -TAG_LEN], data[-TAG_LEN:]
        if not hmac.compare_digest(tag, self.tag(ctr, header + metadata, ciphertext)):
            self.wrong_tags += 1
            raise Dropped("a wrong tag")
        self.taken.add(ctr)
        self.received += 1
        if ctr > self.highest:
            self.highest = ctr
            self.taken = {c for c in self.taken if c > ctr - WINDOW}
        return self.crypt(ctr, ciphertext)
