"""Asks a display what it does with datagrams and messages that a camera must not send, or need not
(docs/protocol.md §2 to §4, §7 to §9, §12): each answer stands beside the one that the text gives.

A display opens one session of a camera every three seconds (§4 step 8), so this takes minutes.
"""

import os
from struct import pack

import handshake as hs
import messages as m
import mlkem
from dial import Link, session_of
from packets import CTR_LIMIT, DATA, WINDOW, Dropped
from primitives import (
    NETWORK, OTHER, Fault, fingerprint, load_modulus, oaep_encrypt, pss_sign, x25519, x25519_pair,
)
from session import SECOND, now, random_u32

COOKIE, ACCEPT, CLOSE_1 = "COOKIE", "ACCEPT", "CLOSE 1"
NOTHING = "nothing"


class Probe:
    def __init__(self, host, port, fp, key_file, log):
        self.host, self.port, self.fp, self.key_file, self.log = host, port, fp, key_file, log
        self.camera_id = fingerprint(load_modulus(key_file))
        self.asked = self.wrong = 0

    def run(self):
        self.hellos()
        self.keys()
        for name, message in violations_in_epoch_0():
            self.expect_close(name, [message], first_epoch=0)
        for name, share in bad_shares():
            self.expect_close(name, m.kex_init(1, share), first_epoch=0)
        self.expect_close("an epoch beyond the next", m.kex_init(2, good_share()), first_epoch=0)
        halves = [m.kex_init(1, good_share())[0] for _ in range(2)]
        self.expect_close("a first half that differs from the one before", halves, first_epoch=0)
        fine = [m.ping(3) + bytes(9), m.pong(4), m.path_response(bytes(8)), bytes(30)]
        self.expect_close("what epoch 0 may carry", fine, NOTHING, first_epoch=0)
        self.expect_close("KEX_INIT too soon", m.kex_init(2, good_share()))
        self.expect_close("KEX_INIT of an epoch reached", m.kex_init(1, good_share()), NOTHING)
        for name, message in violations():
            self.expect_close(name, [message])
        self.expect_close("PARITY", [b"\x02" + os.urandom(1171)], NOTHING)
        self.expect_close("a frame larger than a slot", [chunk(count=4096)], NOTHING)
        against = [chunk()] + [chunk(capture_ts=i) for i in range(1, 5)]
        self.expect_close("three chunks against their frame", against[:4], NOTHING)
        self.expect_close("four chunks against their frame", against)
        self.exchange_again()
        self.counters()
        if self.wrong:
            raise Fault(OTHER, f"{self.wrong} of {self.asked} answers are not those of the text")
        self.log(f"{self.asked} answers are those of the text")

    def judge(self, name, got, expected):
        self.asked += 1
        self.wrong += got != expected
        verdict = "" if got == expected else f", and should be {expected}"
        self.log(f"{name}: {got}{verdict}")

    # --- the handshake, §3 and §4 ---

    def hellos(self):
        link = Link(self.host, self.port)
        good = self.hello()
        for name, data, expected in (
            ("HELLO", good, COOKIE),
            ("HELLO with PAIRING", self.hello(flags=1), COOKIE),
            ("HELLO that offers version 2 alone", self.hello(offered=[1, 2]), COOKIE),
            ("HELLO that offers seven versions", self.hello(offered=[7, *range(1, 8)]), COOKIE),
            ("HELLO with another flag", self.hello(flags=2), NOTHING),
            ("HELLO with a zero that is none", self.hello(zero=1), NOTHING),
            ("HELLO of layout 2", self.hello(layout=2), NOTHING),
            ("HELLO with no version", self.hello(offered=[0]), NOTHING),
            ("HELLO with eight versions", self.hello(offered=[8, *range(1, 8)]), NOTHING),
            ("HELLO with version 0", self.hello(offered=[1, 0]), NOTHING),
            ("HELLO with versions that descend", self.hello(offered=[2, 2, 1]), NOTHING),
            ("HELLO with more versions than counted", self.hello(offered=[1, 1, 2]), NOTHING),
            ("HELLO with a wrong mac1", good[:-1] + bytes([good[-1] ^ 1]), NOTHING),
            ("HELLO that is short", good[:-1], NOTHING),
            ("HELLO that is long", good + b"\0", NOTHING),
        ):
            self.judge(name, kind(self.ask(link, data)), expected)

    def hello(self, flags=0, offered=(1, 1), zero=0, layout=1):
        head = bytes([1, layout]) + pack(">H", flags) + os.urandom(32)
        body = head + bytes(offered).ljust(8, b"\0") + bytes([zero])
        return hs.sealed_by_mac1(self.fp, body.ljust(hs.HELLO_LEN - 16, b"\0"))

    def keys(self):
        link = Link(self.host, self.port)
        cookie = self.cookie(link)
        good = self.key(cookie)
        self.judge("KEY from another port", kind(self.ask(Link(self.host, self.port), good[0])), NOTHING)
        accept = self.ask(link, good[0])
        self.judge("KEY", kind(accept), ACCEPT)
        self.judge("KEY again: the same ACCEPT", self.ask(link, good[0]) == accept, True)
        forged = self.key(cookie)[0][:915] + b"\0"
        forged = hs.sealed_by_mac1(self.fp, forged)
        self.judge("KEY with another signature", kind(self.ask(link, forged)), NOTHING)
        blind = self.key(cookie, ct=b"\0" + os.urandom(383))
        accept = self.ask(link, blind[0])
        self.judge("KEY with a wrong ct", kind(accept), ACCEPT)
        self.judge("and who can use it", session_of(accept, *blind), None)

    def cookie(self, link):
        client_random = os.urandom(32)
        for _ in range(8):
            data = self.ask(link, hs.hello(self.fp, client_random))
            cookie = data and hs.parse_cookie(self.fp, data)
            if cookie:
                return cookie
        raise Fault(NETWORK, "no COOKIE")

    def key(self, cookie, ct=None):
        """KEY and what `session_of` needs to know about it."""
        k_t, client_cid = os.urandom(32), random_u32()
        private, x_c = x25519_pair()
        ct = ct or oaep_encrypt(cookie.modulus, k_t)
        head = hs.key_head(cookie.client_random, cookie.cookie, client_cid, x_c, ct, self.camera_id)
        th1 = hs.transcript1(self.fp, head)
        key = hs.key(self.fp, head, pss_sign(self.key_file, hs.signed_text(th1)))
        return key, th1, k_t, private, client_cid

    def ask(self, link, data):
        link.send(data)
        return link.receive(now() + SECOND // 2)

    # --- sessions ---

    def session(self, first_epoch):
        """A new one; the display may let us wait for it."""
        link = Link(self.host, self.port)
        for _ in range(10):
            key = self.key(self.cookie(link))
            until = now() + 3 * SECOND
            while now() < until:
                accept = self.ask(link, key[0])
                session = accept and session_of(accept, *key)
                if session:
                    if first_epoch == 1:
                        self.exchange(link, session)
                    return link, session
        raise Fault(NETWORK, "no ACCEPT")

    def exchange(self, link, session):
        private, share = x25519_pair()
        ek, dk = mlkem.keygen_from(os.urandom(32), os.urandom(32))
        for half in m.kex_init(1, ek + share):
            link.send(session.seal(half))
        heard = self.hear(link, session, "kex_resp")
        if not heard:
            raise Fault(NETWORK, "no KEX_RESP")
        answer = heard[0][1]
        secrets = mlkem.decaps(dk, answer[: mlkem.CT_LEN]) + x25519(private, answer[mlkem.CT_LEN :])
        session.exchange(ek + share, answer, secrets)
        link.send(session.seal(m.ping(1)))
        self.hear(link, session, "pong")

    def hear(self, link, session, name):
        """What the messages of this name say that come within half a second."""
        heard, until = [], now() + SECOND // 2
        while (data := link.receive(until)) is not None:
            try:
                _, found, fields = session.open(data, 100_000)
            except Dropped:
                continue
            if found == name:
                heard.append(fields)
        return heard

    def expect_close(self, name, wrong, expected=CLOSE_1, first_epoch=1):
        link, session = self.session(first_epoch)
        for message in wrong:
            link.send(session.seal(message))
        reasons = self.hear(link, session, "close")
        self.judge(name, f"CLOSE {reasons[0]}" if reasons else NOTHING, expected)
        link.send(session.seal(m.close(0)))

    def exchange_again(self):
        link, session = self.session(0)
        halves = m.kex_init(1, good_share())
        heard = []
        for group in (halves, halves[:1], halves[1:]):
            for half in group:
                link.send(session.seal(half))
            heard.append(self.hear(link, session, "kex_resp"))
        counts = [len(answers) for answers in heard]
        self.judge("answers to both halves, the first, the second", counts, [1, 0, 1])
        self.judge("the same answer", heard[0] == heard[2], True)
        link.send(session.seal(m.close(0)))

    def counters(self):
        link, session = self.session(1)
        sealer = session.sealer()

        def pongs(name, ctr, expected, times=1, spoil=None):
            sealer.next_ctr = ctr
            data = bytearray(sealer.seal_as(ctr, bytes([DATA]) + pack(">I", session.peer_cid), m.ping(9)))
            if spoil is not None:
                data[spoil] ^= 1
            for _ in range(times):
                link.send(bytes(data))
            self.judge(name, len(self.hear(link, session, "pong")), expected)

        for at in (1, 4, 5, 6, 10, -1):
            pongs(f"PONGs to a packet with a bit of byte {at} turned", 100, 0, spoil=at)
        pongs("PONGs to the true one, three times", 100, 1, times=3)
        high = 5000
        pongs("PONGs after a jump", high, 1)
        pongs("PONGs 2047 below", high - WINDOW + 1, 1)
        pongs("PONGs 2048 below", high - WINDOW, 0)
        pongs("PONGs beyond CTR's limit", CTR_LIMIT, 0)
        sealer.next_ctr = high + 1
        link.send(session.seal(m.close(0)))
        # What was on its way before the CLOSE does not count.
        self.hear(link, session, "feedback")
        self.judge("FEEDBACK after CLOSE", len(self.hear(link, session, "feedback")), 0)


def kind(data):
    lengths = {hs.COOKIE_LEN: COOKIE, hs.ACCEPT_LEN: ACCEPT}
    return NOTHING if data is None else lengths.get(len(data), f"{len(data)} bytes")


def good_share():
    return mlkem.keygen_from(os.urandom(32), os.urandom(32))[0] + x25519_pair()[1]


def bad_shares():
    share = good_share()
    yield "an ML-KEM key with a coefficient that is too large", b"\xff\xff" + share[2:]
    yield "an X25519 share of low order", share[: mlkem.EK_LEN] + bytes(32)


def chunk(flags=0, index=0, count=2, tail_len=100, capture_ts=0):
    head = pack(">BBIHHHII", 0x01, flags, 1, index, count, tail_len, capture_ts, 0)
    return head + bytes(m.PAYLOAD)


def status(state):
    unmeasured = m.NO_SAMPLE
    return m.status(m.Status(state, 0, 100, 0, 0, unmeasured, unmeasured, 1))


def violations_in_epoch_0():
    half = m.kex_init(1, good_share())[0]
    yield "CHUNK in epoch 0", chunk()
    yield "STATUS in epoch 0", status(1)
    yield "KEX_INIT of another total", pack(">BBHH", 6, 1, 1215, 0) + half[6:]
    yield "KEX_INIT at another offset", pack(">BBHH", 6, 1, 1216, 1) + half[6:]
    yield "KEX_INIT that is short", half[:-1]


def violations():
    yield "FEEDBACK from a camera", bytes([0x03]) + bytes(27)
    yield "CONFIG from a camera", bytes([0x0D]) + bytes(16)
    yield "PATH_CHALLENGE from a camera", m.path_challenge(bytes(8))
    yield "ENROL", bytes([0x08]) + bytes(768)
    yield "ENROL_OK", bytes([0x09])
    yield "type 0x0e", bytes([0x0E]) + bytes(5)
    yield "type 0xff", bytes([0xFF])
    yield "something after a message", m.ping(1) + b"\0\1"
    yield "PADDING with something in it", b"\0\0\1"
    yield "PING that is short", m.ping(1)[:-1]
    yield "STATUS with state 5", status(5)
    yield "STATUS that is short", status(1)[:-1]
    yield "CHUNK with another flag", chunk(flags=4)
    yield "CHUNK beyond the count", chunk(index=2)
    yield "CHUNK of no chunks", chunk(count=0)
    yield "CHUNK of 4097", chunk(count=4097)
    yield "CHUNK with tail_len 0", chunk(tail_len=0)
    yield "CHUNK with tail_len 1153", chunk(tail_len=1153)
    yield "CHUNK that is short", chunk()[:-1]
    yield "PARITY that is short", bytes([0x02]) + bytes(1170)
    yield "CLOSE with reason 6", m.close(6)
