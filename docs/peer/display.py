"""The display's role (docs/protocol.md §4, §8 to §11): lets one enrolled camera in at a time, answers
its exchanges of keys, and writes each whole frame to a file.

It does not follow a camera to another address, and knows no places and no buckets.
"""

import os
import select
import socket

import messages
import mlkem
from admit import Door
from frames import Slots, Times
from packets import Dropped
from primitives import NETWORK, OTHER, Fault, x25519_pair
from session import SECOND, now, random_u32, x25519_or_none

MS = 1000
BUDGET_MS = 100
MAX_FRAME = 1 << 20
CHANGE_GAP = 5 * SECOND


class Display:
    def __init__(self, wishes, cameras, log):
        self.wishes, self.log = wishes, log
        self.door = Door(wishes.key, cameras, log)
        family = socket.AF_INET6 if ":" in wishes.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.socket.bind((wishes.host, wishes.port))
        except OSError as e:
            raise Fault(NETWORK, f"cannot listen on {wishes.host}: {e.strerror}") from None
        self.guest = self.pending = None
        self.frames = 0
        self.ended = False
        os.makedirs(wishes.out, exist_ok=True)

    def run(self):
        """Until so many frames were written, or the camera's work is done; how many were written."""
        self.log(f"listening on port {self.socket.getsockname()[1]}")
        waiting_since = now()
        try:
            while not self.ended and self.frames < self.wishes.frames:
                self.turn()
                if self.guest is None and now() - waiting_since > self.wishes.patience * SECOND:
                    raise Fault(NETWORK, "no camera that is let in has come")
        except KeyboardInterrupt:
            self.log("told to end")
        if self.guest is not None and not self.ended:
            self.guest.close(4)
        return self.frames

    def turn(self):
        if select.select([self.socket], [], [], 0.005)[0]:
            data, sender = self.socket.recvfrom(2048)
            if data[:1] == b"\x01":
                self.answer(self.door.hello(data, sender), sender)
            elif data[:1] == b"\x03":
                self.knock(data, sender)
            else:
                self.packet(data)
        if self.guest is not None:
            self.guest.timers()

    def answer(self, data, sender):
        if data is not None:
            self.socket.sendto(data, sender)

    def knock(self, data, sender):
        made = self.door.key(data, sender)
        if made is None:
            return
        accept, session = made
        if session is not None:
            self.pending = Guest(self, session, sender)
        self.answer(accept, sender)

    def packet(self, data):
        if self.pending is not None and self.pending.hear(data):
            if self.guest is not None:
                self.guest.send(messages.close(5))
            self.guest, self.pending = self.pending, None
        elif self.guest is not None:
            self.guest.hear(data)

    def frame(self, jpeg, age):
        self.frames += 1
        path = os.path.join(self.wishes.out, f"{self.frames:08}.jpg")
        with open(path + ".part", "wb") as file:
            file.write(jpeg)
        os.rename(path + ".part", path)
        self.log(f"frame {self.frames}: {len(jpeg)} bytes, {age // MS} ms old")


class Guest:
    """A camera in its session."""

    def __init__(self, display, session, address):
        self.display, self.session, self.address = display, session, address
        self.log = display.log
        self.begun = self.last_heard = self.last_sent = self.changed_at = now()
        self.rtt_value = 100_000
        self.halves, self.answer = {}, None
        self.slots, self.times = Slots(BUDGET_MS * MS), Times()
        self.next_config = self.next_feedback = None
        self.config_since = None
        self.chunk_since = None

    def send(self, message):
        self.display.socket.sendto(self.session.seal(message), self.address)
        self.last_sent = now()

    def hear(self, data):
        """Whether it opened."""
        try:
            epoch, name, fields = self.session.open(data, self.rtt_value)
        except Dropped:
            return False
        except messages.Violation as violation:
            self.end_by(violation)
        self.last_heard = now()
        if self.config_since is None and self.session.sealing == 1:
            self.log("epoch 1")
            self.config_since = self.next_config = self.next_feedback = now()
            self.timers()
        try:
            handler = getattr(self, "on_" + name, None)
            if handler is not None:
                handler(fields)
        except messages.Violation as violation:
            self.end_by(violation)
        return True

    def end_by(self, violation):
        self.close(1)
        raise Fault(OTHER, f"the camera broke the protocol: {violation}") from None

    def close(self, reason):
        for _ in range(3):
            self.send(messages.close(reason))
            select.select([], [], [], min(self.rtt_value, 250 * MS) / SECOND)

    def timers(self):
        at = now()
        if at - self.last_heard > 5 * SECOND:
            raise Fault(NETWORK, "the camera fell silent: nothing that opens came for 5 s")
        if self.session.outlived():
            raise Fault(OTHER, "900 s without a new epoch")
        self.slots.abandon_late()
        if self.next_config is not None and at >= self.next_config:
            self.send_config(at)
        due = self.next_feedback
        if self.chunk_since is not None and due is not None:
            due = min(due, self.chunk_since + 25 * MS)
        if due is not None and at >= due:
            self.send_feedback(at)
        if at - self.last_sent > SECOND:
            self.send(messages.ping(random_u32()))

    def send_config(self, at):
        size = self.display.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.send(messages.config(messages.Config(MAX_FRAME, size // 2, 0, 0, BUDGET_MS, 0)))
        self.next_config = at + (100 * MS if at - self.config_since < SECOND else SECOND)

    def send_feedback(self, at):
        opener = self.session.epochs[self.session.sealing].opener
        echo, hold, queue = self.times.echo()
        self.send(
            messages.feedback(
                messages.Feedback(
                    epoch=self.session.sealing % 256,
                    highest_ctr=opener.highest,
                    received=opener.received,
                    lost=opener.highest + 1 - opener.received,
                    echo=echo,
                    hold=hold,
                    queue_delay=queue,
                    done_frame=self.slots.done,
                    missed=self.slots.missed % 256,
                    entries=[],
                )
            )
        )
        self.next_feedback, self.chunk_since = at + 200 * MS, None

    # --- what the camera says ---

    def on_ping(self, token):
        self.send(messages.pong(token))

    def on_status(self, status):
        self.times.take(status.clock)
        if status.srtt != messages.NO_SAMPLE:
            self.times.srtt = self.rtt_value = 100 * status.srtt

    def on_chunk(self, chunk):
        if self.chunk_since is None:
            self.chunk_since = now()
        self.times.take(chunk.send_ts)
        whole = self.slots.add(chunk)
        if whole is not None:
            jpeg, capture_ts = whole
            self.display.frame(jpeg, self.times.age(capture_ts))

    def on_padding(self, _):
        # As good as a chunk when FEEDBACK is due, so that our answers tell nothing (§10).
        if self.chunk_since is None:
            self.chunk_since = now()

    def on_close(self, reason):
        self.log(f"the camera closed the session, {messages.CLOSE_REASONS[reason]}")
        if reason != 0:
            raise Fault(OTHER, f"CLOSE {reason}")
        self.display.ended = True

    def on_kex_init(self, fields):
        number, offset, half = fields
        session = self.session
        unconfirmed = session.sealing != session.newest
        asked = session.newest if unconfirmed else session.newest + 1
        if number != asked % 256:
            if (number - session.newest) % 256 >= 128 or number == session.newest % 256:
                return
            raise messages.Violation("KEX_INIT for an epoch beyond the next one")
        if self.halves.setdefault((asked, offset), half) != half:
            raise messages.Violation("a half of a share that differs from the one before it")
        if unconfirmed:
            if offset == messages.SHARE_HALF:
                self.send(messages.kex_resp(number, self.answer))
            return
        if session.newest > 0 and now() - self.changed_at < CHANGE_GAP:
            raise messages.Violation("KEX_INIT within 5 s of the last change")
        halves = [self.halves.get((asked, at)) for at in (0, messages.SHARE_HALF)]
        if None not in halves:
            self.exchange(number, b"".join(halves))

    def exchange(self, number, share):
        try:
            shared, ct = mlkem.encaps_from(share[: mlkem.EK_LEN], os.urandom(32))
        except mlkem.BadKey as bad:
            raise messages.Violation(str(bad)) from None
        private, x_share = x25519_pair()
        secret = x25519_or_none(private, share[mlkem.EK_LEN :])
        if secret is None:
            raise messages.Violation("KEX_INIT with an X25519 share of low order")
        self.answer = ct + x_share
        self.session.exchange(share, self.answer, shared + secret)
        self.halves = {key: half for key, half in self.halves.items() if key[0] == self.session.newest}
        self.changed_at = now()
        self.send(messages.kex_resp(number, self.answer))
        self.log(f"answered the exchange for epoch {self.session.newest}")
