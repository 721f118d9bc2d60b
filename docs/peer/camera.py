"""The camera's role in a session (docs/protocol.md §8 to §11, §17): JPEGs in turn, again and again,
to a display that runs; then CLOSE 0.

A whole camera dials again when a session ends. Here every end but the wished one is a `Fault`.
"""

import os

import messages
import mlkem
from dial import dial
from packets import Dropped
from primitives import NETWORK, OTHER, SOURCE, TRUST, Fault, fingerprint, load_modulus, x25519_pair
from session import SECOND, Rtt, now, random_u32, since, wire_time, x25519_or_none

MS = 1000
CAPTURING = 1
STEPS = 8
UNKNOWN_BUFFER = 212_992
# A rekey may not begin within this of the last change (§8).
REKEY_GAP = 10 * SECOND


class Camera:
    def __init__(self, link, fp, wishes, log):
        self.link, self.fp, self.wishes, self.log = link, fp, wishes, log
        self.session = self.config = self.share = self.answer = None
        self.rtt = Rtt()
        self.started = self.last_heard = self.last_sent = now()
        self.measured_at = None
        self.feedback = self.media_since = None
        self.silent_since = None
        self.missed = 0
        self.frames = Pacer(wishes.pictures)
        self.next_status = self.next_frame = None
        self.next_ping = None
        self.next_kex = self.kex_wait = None

    def run(self):
        """Streams as wished and answers how many frames the display completed."""
        key_file = self.wishes.key
        camera_id = fingerprint(load_modulus(key_file))
        begun = now()
        self.session = dial(
            self.link, self.fp, key_file, camera_id, self.wishes.patience * SECOND, self.log
        )
        self.log(f"handshake done after {(now() - begun) / 1000:.0f} ms: epoch 0")
        self.started = self.last_heard = now()
        self.begin_exchange()
        try:
            while not self.finished():
                self.turn()
        except KeyboardInterrupt:
            self.log("told to end")
        self.close(0)
        self.log(f"closed; {self.session.dropped} packets dropped")
        return self.frames.number - self.missed

    # --- one turn: datagrams until the next timer is due, then the timers ---

    def turn(self):
        timers = [self.next_kex, self.next_status, self.next_frame, self.frames.due, self.next_ping]
        # 50 ms at the most, since the ends of silence and of the wishes have no timer of their own.
        due = min([t for t in timers if t is not None] + [now() + 50 * MS])
        while (data := self.link.receive(due)) is not None:
            self.hear(data)
        at = now()
        if at - self.last_heard > 5 * SECOND:
            raise Fault(NETWORK, "the display fell silent: nothing that opens came for 5 s")
        if self.session.outlived():
            raise Fault(OTHER, "900 s without a new epoch")
        if self.answer is not None and self.frames.due is None:
            self.end_exchange()
        elif self.next_kex is not None and at >= self.next_kex:
            self.send_share()
        self.rekey_if_wished(at)
        self.move_if_wished()
        if self.next_status is not None and at >= self.next_status:
            self.send_status(at)
        self.ping_if_due(at)
        self.stream(at)

    def finished(self):
        if self.frames.number < self.wishes.frames or self.frames.due is not None:
            return False
        if self.feedback is not None and since(self.frames.number, self.feedback.done_frame) >= 0:
            return True
        if now() - self.frames.ended > 3 * SECOND:
            raise Fault(OTHER, "the display has not said within 3 s what became of the last frame")
        return False

    def send(self, message):
        self.link.send(self.session.seal(message))
        self.last_sent = now()

    def hear(self, data):
        try:
            epoch, name, fields = self.session.open(data, self.rtt.value())
            self.last_heard = now()
            answer = getattr(self, "on_" + name, None)
            if answer is not None:
                answer(fields)
        except Dropped:
            pass
        except messages.Violation as violation:
            self.close(1)
            raise Fault(OTHER, f"the display broke the protocol: {violation}") from None

    # --- the exchange of keys, §8 and §9.4 ---

    def begin_exchange(self):
        self.x_private, x_share = x25519_pair()
        ek, self.dk = mlkem.keygen_from(os.urandom(32), os.urandom(32))
        self.share = ek + x_share
        self.kex_wait = max(2 * self.rtt.value(), 50 * MS)
        self.send_share()

    def send_share(self):
        for half in messages.kex_init(self.session.newest + 1, self.share):
            self.send(half)
        self.next_kex = now() + self.kex_wait
        self.kex_wait = min(2 * self.kex_wait, SECOND)

    def on_kex_resp(self, fields):
        number, answer = fields
        if number != (self.session.newest + 1) % 256 or self.share is None:
            if since_epoch(number, self.session.newest) <= 0:
                return
            raise messages.Violation("KEX_RESP for an epoch that was not asked for")
        self.answer = answer

    def end_exchange(self):
        """Not in `on_kex_resp`: this takes so long in Python that a frame half sent would be late."""
        answer, session = self.answer, self.session
        shared = mlkem.decaps(self.dk, answer[: mlkem.CT_LEN])
        secret = x25519_or_none(self.x_private, answer[mlkem.CT_LEN :])
        if secret is None:
            raise messages.Violation("KEX_RESP with an X25519 share of low order")
        session.exchange(self.share, answer, shared + secret)
        self.share = self.answer = self.dk = self.x_private = self.next_kex = None
        self.log(f"epoch {session.newest} after {(now() - self.started) / 1000:.0f} ms")
        self.send(messages.ping(random_u32()))
        if self.next_status is None:
            self.next_status = now()

    def rekey_if_wished(self, at):
        session = self.session
        after = self.wishes.rekey_after
        if not after or self.share is not None or not session.alone():
            return
        if self.frames.due is not None:
            return
        if at - session.epochs[session.newest].since > max(after * SECOND, REKEY_GAP):
            self.begin_exchange()

    # --- what the display says ---

    def on_ping(self, token):
        self.send(messages.pong(token))

    def on_path_challenge(self, data):
        self.log("the display asks whether this is our new address")
        self.send(messages.path_response(data))

    def on_close(self, reason):
        code = TRUST if reason == 3 else OTHER
        raise Fault(code, f"the display closed the session, {messages.CLOSE_REASONS[reason]}")

    def on_config(self, config):
        if self.config is None:
            self.log(
                f"CONFIG: frames of up to {config.max_frame} bytes, receive buffer "
                f"{config.buffer}, budget {config.budget_ms} ms"
            )
            if max(map(len, self.wishes.pictures)) > config.max_frame:
                raise Fault(SOURCE, f"the display takes no frame over {config.max_frame} bytes")
            self.next_frame = now()
        self.config = config
        self.frames.buffer = config.buffer or UNKNOWN_BUFFER

    def on_feedback(self, feedback):
        at = now()
        self.media_since = self.silent_since = None
        if feedback.hold != messages.NO_SAMPLE:
            took = since(feedback.echo, wire_time(at)) - 10 * feedback.hold
            if took >= 0:
                self.rtt.sample(took)
                self.measured_at = at
        before = self.feedback
        self.feedback = feedback
        if before is None or before.done_frame != feedback.done_frame:
            self.missed += (feedback.missed - (before.missed if before else 0)) % 256
            self.log(
                f"FEEDBACK: frames done up to {feedback.done_frame}, {self.missed} missed; packets "
                f"{feedback.received} received, {feedback.lost} lost; RTT {self.rtt.value()} us"
            )

    # --- what goes out by itself ---

    def send_status(self, at):
        srtt = rttvar = messages.NO_SAMPLE
        if self.rtt.smoothed is not None:
            # Who has measured nothing for a second tells that time, if it is longer (§9.5).
            unmeasured = at - self.measured_at
            told = max(self.rtt.smoothed, unmeasured if unmeasured > SECOND else 0)
            srtt = min(told // 100, messages.NO_SAMPLE)
            rttvar = min(self.rtt.variance // 100, messages.NO_SAMPLE)
        if self.wishes.srtt is not None:
            srtt = rttvar = min(10 * self.wishes.srtt, messages.NO_SAMPLE)
        self.send(
            messages.status(
                messages.Status(
                    state=CAPTURING,
                    in_state_ms=(at - self.started) // MS & 0xFFFFFFFF,
                    fps10=round(10 * self.wishes.fps),
                    captured=self.frames.number,
                    not_sent=0,
                    srtt=srtt,
                    rttvar=rttvar,
                    clock=wire_time(at),
                )
            )
        )
        self.next_status = at + 250 * MS

    def ping_if_due(self, at):
        """Keepalive, and the breaker of §11, while which no media goes out."""
        unheard = self.media_since is not None and at - self.media_since > 500 * MS
        if unheard and self.silent_since is None:
            self.log("no FEEDBACK for 500 ms: the stream pauses")
            self.silent_since = self.next_ping = at
            self.frames.give_up()
        if self.silent_since is None:
            self.next_ping = None
        elif at >= self.next_ping:
            self.send(messages.ping(random_u32()))
            self.next_ping = at + 250 * MS
        if at - self.last_sent > SECOND:
            self.send(messages.ping(random_u32()))

    def stream(self, at):
        frames = self.frames
        if self.config is None or self.silent_since is not None:
            return
        interval = int(SECOND / self.wishes.fps)
        ready = frames.due is None and at >= self.next_frame
        if ready and frames.number < self.wishes.frames:
            # As with `end_exchange`: a frame once begun waits for nothing.
            self.session.ready(len(frames.next()) // messages.PAYLOAD + 8)
            at = now()
            frames.begin(at, at - self.wishes.age * MS, interval)
            self.next_frame = max(self.next_frame + interval, at)
        for piece in frames.leaving(at):
            fields = piece._replace(send_ts=wire_time(now()))
            self.send(messages.chunk(fields, self.session.sealer()))
            if self.media_since is None:
                self.media_since = now()
        took = now() - frames.begun
        if not frames.waiting and took > 50 * MS and frames.ended == at:
            # Whoever looks at the display's missing frames has to know which are this machine's.
            self.log(f"frame {frames.number} took {took // MS} ms to leave")

    def move_if_wished(self):
        if self.wishes.move_after and self.frames.number > self.wishes.move_after:
            self.wishes.move_after = 0
            self.link.move()
            self.log("moved to another port")

    def close(self, reason):
        for _ in range(3):
            self.send(messages.close(reason))
            until = now() + min(self.rtt.value(), 250 * MS)
            while self.link.receive(until) is not None:
                pass


class Pacer:
    """Cuts a frame into chunks and says when they leave: in eight steps, and in no larger bursts
    than the display's receive buffer allows (§17)."""

    def __init__(self, pictures):
        self.pictures = pictures
        self.buffer = UNKNOWN_BUFFER
        self.number = 0
        self.due = None
        self.begun = self.ended = now()
        self.waiting = []
        self.tokens, self.filled_at = 0, 0

    def next(self):
        """The picture whose turn it is."""
        return self.pictures[self.number % len(self.pictures)]

    def begin(self, at, taken_at, interval):
        jpeg, size = self.next(), messages.PAYLOAD
        self.number += 1
        pieces = [jpeg[i : i + size] for i in range(0, len(jpeg), size)]
        count, tail = len(pieces), len(pieces[-1])
        self.waiting = [
            messages.Chunk(
                2 if i == count - 1 else 0, self.number, i, count, tail, wire_time(taken_at), 0, piece
            )
            for i, piece in enumerate(pieces)
        ]
        self.count, self.begun = count, at
        self.spread = min(interval * 8 // 10, 25 * MS)
        self.due = at

    def leaving(self, at):
        """The chunks whose time has come."""
        if self.due is None or at < self.due:
            return []
        step_time = max(self.spread // STEPS, MS)
        burst = max(1, self.buffer // 2 // 1200)
        self.tokens += burst * (at - self.filled_at) / step_time
        self.tokens, self.filled_at = min(self.tokens, burst), at
        gap = max(1, self.spread // (STEPS - 1))
        step = min((at - self.begun) // gap + 1, STEPS)
        gone = self.count - len(self.waiting)
        allowed = min(-(-self.count * step // STEPS) - gone, int(self.tokens))
        out, self.waiting = self.waiting[:allowed], self.waiting[allowed:]
        self.tokens -= len(out)
        if self.waiting:
            self.due = max(self.begun + step * gap, at + MS)
        else:
            self.due, self.ended = None, at
        return out

    def give_up(self):
        self.waiting, self.due, self.ended = [], None, now()


def since_epoch(number, newest):
    """By how much an epoch as messages carry it, mod 256, is ahead of the newest."""
    ahead = (number - newest) % 256
    return ahead - 256 if ahead >= 128 else ahead
