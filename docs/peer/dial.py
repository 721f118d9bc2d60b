"""The camera's side of the handshake (docs/protocol.md §3, §4): from an address and a fingerprint to
a session in epoch 0.

One attempt, with its repetitions. A whole camera also has a second attempt beside the first, pauses,
and dials again; here a person is told what went wrong instead.
"""

import hmac
import os
import random
import select
import socket

import handshake
from primitives import (
    NETWORK, TRUST, Fault, fingerprint, oaep_encrypt, pss_sign, x25519_pair,
)
from session import SECOND, Session, now, random_u32, x25519_or_none

IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2
KEY_PATIENCE = 8 * SECOND


class Link:
    """A UDP socket that hears one address only."""

    def __init__(self, host, port):
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError as e:
            raise Fault(NETWORK, f"cannot find {host}: {e.strerror}") from None
        self.family, _, _, _, self.peer = found[0]
        self.socket = None
        self.move()

    def move(self):
        """A new port of this machine, as after a change of network."""
        old, self.socket = self.socket, socket.socket(self.family, socket.SOCK_DGRAM)
        if old is not None:
            old.close()
        # Unconnected, so that an ICMP error ends nothing (§11); DF set (§1).
        if self.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)

    def send(self, data):
        try:
            self.socket.sendto(data, self.peer)
        except OSError as e:
            raise Fault(NETWORK, f"cannot send to {self.peer[0]}: {e.strerror}") from None

    def receive(self, until):
        """One datagram of the peer's, or None when it is `until`."""
        while True:
            patience = max(0, until - now()) / SECOND
            if not select.select([self.socket], [], [], patience)[0]:
                return None
            data, sender = self.socket.recvfrom(2048)
            if sender[:2] == self.peer[:2]:
                return data


def dial(link, fp, key_file, camera_id, patience, log):
    """A session in epoch 0, or the reason why there is none. `patience` is for the COOKIE."""
    client_random = os.urandom(32)
    cookie = await_cookie(link, fp, client_random, patience, log)
    cookie_at = now()
    client_cid = random_u32()
    private, x_c = x25519_pair()
    k_t = os.urandom(32)
    head = handshake.key_head(
        client_random, cookie.cookie, client_cid, x_c, oaep_encrypt(cookie.modulus, k_t), camera_id
    )
    th1 = handshake.transcript1(fp, head)
    key = handshake.key(fp, head, pss_sign(key_file, handshake.signed_text(th1)))

    first = now()
    repeats = [first + SECOND // 4, first + SECOND // 2]
    link.send(key)
    while now() < cookie_at + KEY_PATIENCE:
        data = link.receive(min(repeats[0], cookie_at + KEY_PATIENCE))
        if data is None:
            link.send(key)
            repeats = repeats[1:] or [now() + SECOND]
            continue
        session = session_of(data, key, th1, k_t, private, client_cid)
        if session is not None:
            return session
    raise Fault(
        TRUST,
        "the display answered HELLO and not KEY: it does not know this camera "
        "(`sealcam-server authorize` lets it in), or has no place free",
    )


def await_cookie(link, fp, client_random, patience, log):
    hello = handshake.hello(fp, client_random)
    give_up = now() + patience
    wait = SECOND // 4
    told = False
    while now() < give_up:
        link.send(hello)
        again = min(give_up, now() + int(wait * random.uniform(0.75, 1.25)))
        wait = min(2 * wait, SECOND)
        while (data := link.receive(again)) is not None:
            cookie = handshake.parse_cookie(fp, data)
            if cookie is None or cookie.client_random != client_random:
                continue
            if handshake.VERSION not in cookie.versions:
                continue
            if fingerprint(cookie.modulus) == fp:
                return cookie
            if not told:
                log("a COOKIE showed another key than the trusted one: forged, and ignored")
                told = True
    raise Fault(
        NETWORK,
        f"no answer from {link.peer[0]} port {link.peer[1]}: nothing listens there, the way is "
        "blocked, or the display's fingerprint is another one (to which it is silent)",
    )


def session_of(data, key, th1, k_t, private, client_cid):
    """The session of an ACCEPT that is whole and verifies, else None (§4)."""
    accept = handshake.parse_accept(data)
    if accept is None or accept.client_cid != client_cid:
        return None
    secret = x25519_or_none(private, accept.x_s)
    if secret is None:
        return None
    th2 = handshake.transcript2(th1, key, data)
    hs = handshake.handshake_secret(k_t, th1, secret)
    if not hmac.compare_digest(handshake.finished(hs, th2), accept.finished):
        return None
    return Session("camera", client_cid, accept.server_cid, *handshake.first_epoch(hs, th2))
