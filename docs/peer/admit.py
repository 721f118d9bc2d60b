"""The display's side of the handshake (docs/protocol.md §4): HELLO and KEY in, COOKIE and ACCEPT out.

The order of §4's steps is kept. Not here are the token buckets of steps 6 and 8 and the places of
step 8: this display serves one camera at a time and meets no attacker.
"""

import base64
import binascii
import hmac
import ipaddress
import os

import handshake
from primitives import (
    TRUST, Fault, OpensslRefused, fingerprint, load_modulus, mac, oaep_decrypt, pss_verify, sha256,
    valid_modulus, x25519_pair,
)
from session import SECOND, Session, now, random_u32, x25519_or_none

COOKIE_WINDOW = 10 * SECOND


def read_cameras(path):
    """{camera_id: (modulus, name)} of a file as §5 describes it."""
    cameras = {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    except OSError as e:
        raise Fault(TRUST, f"cannot read {path}: {e.strerror}") from None
    for words in lines:
        try:
            kind, text, name = words
            modulus = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            kind = modulus = None
        if kind != "scl1-camera" or not valid_modulus(modulus):
            raise Fault(TRUST, f"{path} has a line that is not scl1-camera, a modulus and a name")
        cameras[fingerprint(modulus)] = (modulus, name)
    return cameras


def mapped(sender):
    """An address as the cookie holds it: 16 bytes of IPv6, and the port (§3.2)."""
    ip = ipaddress.ip_address(sender[0].split("%")[0])
    packed = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    return packed, sender[1]


class Door:
    def __init__(self, key_file, cameras, log):
        self.key_file, self.cameras, self.log = key_file, cameras, log
        self.modulus = load_modulus(key_file)
        self.fp = fingerprint(self.modulus)
        self.cookie_master, self.reject_key = os.urandom(32), os.urandom(32)
        self.started = now()
        self.taken = {}

    def window(self):
        return (now() - self.started) // COOKIE_WINDOW

    def hello(self, data, sender):
        """The COOKIE for a HELLO, or None."""
        asked = handshake.parse_hello(self.fp, data)
        if asked is None:
            return None
        value = handshake.cookie_value(self.cookie_master, self.window(), mapped(sender), asked)
        return handshake.cookie(self.fp, asked.client_random, value, self.modulus)

    def key(self, data, sender):
        """(ACCEPT, new session or None for an ACCEPT sent again), or None for silence."""
        key = handshake.parse_key(self.fp, data)
        if key is None or not self.cookie_right(key, sender):
            return None
        digest = sha256(data)[:16]
        if digest in self.taken:
            return self.taken[digest], None
        if handshake.VERSION not in handshake.version_list(key.offered):
            return None
        modulus, name = self.cameras.get(key.camera_id, (None, None))
        if modulus is None:
            self.log("an unknown camera knocks")
            return None
        th1 = handshake.transcript1(self.fp, data)
        if not pss_verify(modulus, handshake.signed_text(th1), key.auth):
            self.log(f"a bad signature for {name}")
            return None
        made = self.accept(data, key, th1)
        if made is not None:
            self.taken = {digest: made[0]}
            self.log(f"handshake with {name}")
        return made

    def cookie_right(self, key, sender):
        windows = [i for i in (self.window(), self.window() - 1) if i >= 0]
        values = [
            handshake.cookie_value(self.cookie_master, i, mapped(sender), key) for i in windows
        ]
        return any(hmac.compare_digest(value, key.cookie) for value in values)

    def accept(self, data, key, th1):
        try:
            k_t = oaep_decrypt(self.key_file, key.ct)
        except OpensslRefused:
            k_t = b""
        if len(k_t) != 32:
            k_t = mac(self.reject_key, key.ct)
        private, x_s = x25519_pair()
        secret = x25519_or_none(private, key.x_c)
        if secret is None:
            return None
        server_cid = random_u32()
        accept = handshake.accept_head(key.client_cid, server_cid, os.urandom(32), x_s)
        th2 = handshake.transcript2(th1, data, accept)
        hs = handshake.handshake_secret(k_t, th1, secret)
        first = handshake.first_epoch(hs, th2)
        session = Session("display", server_cid, key.client_cid, *first)
        return accept + handshake.finished(hs, th2), session
