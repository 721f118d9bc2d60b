"""What a handshake leaves at either end: CIDs, epochs, and which of them seals and opens
(docs/protocol.md §7, §8). Times are microseconds of `now()`.
"""

import os
import time
from struct import unpack

import handshake
from messages import parse
from packets import Dropped, Opener, Sealer, parse_header
from primitives import x25519

SECOND = 1_000_000
EPOCH_LIFE = 900 * SECOND


def now():
    return time.monotonic_ns() // 1000


def wire_time(at):
    """A timestamp as messages carry it (§9)."""
    return at & 0xFFFFFFFF


def since(earlier, later):
    """By how much one 32-bit value is ahead of another, by the sign of the wrapping difference."""
    ahead = (later - earlier) & 0xFFFFFFFF
    return ahead - 2**32 if ahead >= 2**31 else ahead


def random_u32():
    return unpack(">I", os.urandom(4))[0]


def x25519_or_none(private, share):
    """The shared secret, or None where §1 refuses it."""
    secret = x25519(private, share)
    return secret if any(secret) else None


class Rtt:
    """RFC 6298 §2, in microseconds."""

    def __init__(self):
        self.smoothed = self.variance = None

    def sample(self, value):
        if self.smoothed is None:
            self.smoothed, self.variance = value, value // 2
        else:
            self.variance = (3 * self.variance + abs(self.smoothed - value)) // 4
            self.smoothed = (7 * self.smoothed + value) // 8

    def value(self):
        return 100_000 if self.smoothed is None else self.smoothed


class Epoch:
    def __init__(self, role, number, e, t):
        c2s, s2c = handshake.base_keys(e, t)
        seals, opens = (c2s, s2c) if role == "camera" else (s2c, c2s)
        self.e, self.t = e, t
        self.sealer = Sealer(seals, number % 8)
        self.opener = Opener(opens, number % 8)
        self.since = now()
        self.previous_dies = None


class Session:
    """`role` is "camera" or "display", as in the table of §9."""

    def __init__(self, role, my_cid, peer_cid, e, t):
        self.role = role
        self.other = "display" if role == "camera" else "camera"
        self.my_cid, self.peer_cid = my_cid, peer_cid
        self.epochs = {0: Epoch(role, 0, e, t)}
        self.sealing = 0
        self.newest = 0
        self.dropped = 0

    def seal(self, message):
        return self.sealer().seal(self.peer_cid, message)

    def sealer(self):
        return self.epochs[self.sealing].sealer

    def ready(self, count):
        """Has everything at hand that so many packets and their answers want of `openssl`."""
        epoch = self.epochs[self.sealing]
        epoch.sealer.ready(epoch.sealer.next_ctr, count)
        epoch.opener.ready(epoch.opener.highest + 1, 8)

    def exchange(self, share, answer, secrets):
        """The epoch after the newest. The camera seals in it at once, the display later (§8)."""
        e, t = self.epochs[self.newest].e, self.epochs[self.newest].t
        e, t = handshake.next_epoch(e, t, share, answer, secrets)
        self.newest += 1
        self.epochs[self.newest] = Epoch(self.role, self.newest, e, t)
        if self.role == "camera":
            self.sealing = self.newest

    def open(self, data, rtt):
        """(epoch, name, fields) of the message; `Dropped` and `Violation` as in §7 and §9."""
        try:
            cid, kid, ctr, header_len = parse_header(data)
            if cid != self.my_cid:
                raise Dropped("another session's CID")
            number = self._epoch_of(kid)
            text = self.epochs[number].opener.open(data, ctr, header_len)
        except Dropped:
            self.dropped += 1
            raise
        self._opened_in(number, rtt)
        return number, *parse(text, self.other, number)

    def _epoch_of(self, kid):
        self._forget()
        for number in self.epochs:
            if number % 8 == kid:
                return number
        raise Dropped("a KID of no live epoch")

    def _opened_in(self, number, rtt):
        epoch = self.epochs[number]
        if number == self.newest and epoch.previous_dies is None and number > 0:
            epoch.previous_dies = now() + min(max(SECOND, 3 * rtt), 3 * SECOND)
            self.sealing = number

    def _forget(self):
        at = now()
        for number in list(self.epochs):
            dies = self.epochs[number].previous_dies
            if dies is not None and at > dies:
                self.epochs.pop(number - 1, None)

    def alone(self):
        """Whether the previous epoch's receive keys are gone, so that a rekey may begin."""
        self._forget()
        return len(self.epochs) == 1

    def outlived(self):
        return now() - self.epochs[self.sealing].since > EPOCH_LIFE


