"""The messages inside packets (docs/protocol.md §9), as bytes and back.

`parse` answers (name, fields) or raises `Violation`, whose text says what was not allowed. Which side
may send what, and in which epoch, is checked here; what a message means is the roles' affair.
"""

from collections import namedtuple
from struct import calcsize, pack, unpack_from

PAYLOAD = 1152
SHARE_HALF = 608
SHARE_LEN, ANSWER_LEN = 1216, 1120
MAX_CHUNKS = 4096
CHUNK_DATAGRAM = 1192
NO_SAMPLE = 0xFFFF

CLOSE_REASONS = {
    0: "normal: its work is done",
    1: "protocol: it saw a violation by this peer",
    2: "rekey: too many wrong tags",
    3: "revoked: this camera is not authorized any more",
    4: "going away: the program is stopping",
    5: "superseded: another session of this camera took this one's place",
}

Chunk = namedtuple("Chunk", "flags frame_id index count tail_len capture_ts send_ts payload")
Feedback = namedtuple(
    "Feedback", "epoch highest_ctr received lost echo hold queue_delay done_frame missed entries"
)
Config = namedtuple("Config", "max_frame buffer max_kbits max_fps budget_ms padding")
Status = namedtuple("Status", "state in_state_ms fps10 captured not_sent srtt rttvar clock")

# type: (name, who sends it, whether epoch 0 may carry it)
TYPES = {
    0x00: ("padding", "both", True),
    0x01: ("chunk", "camera", False),
    0x02: ("parity", "camera", False),
    0x03: ("feedback", "display", False),
    0x04: ("ping", "both", True),
    0x05: ("pong", "both", True),
    0x06: ("kex_init", "camera", True),
    0x07: ("kex_resp", "display", True),
    0x0A: ("path_challenge", "display", True),
    0x0B: ("path_response", "camera", True),
    0x0C: ("close", "both", True),
    0x0D: ("config", "display", False),
    0x0F: ("status", "camera", False),
}


class Violation(Exception):
    pass


def ping(token):
    return pack(">BI", 0x04, token)


def pong(token):
    return pack(">BI", 0x05, token)


def path_challenge(data):
    return b"\x0a" + data


def path_response(data):
    return b"\x0b" + data


def close(reason):
    return pack(">BH", 0x0C, reason)


def kex_init(epoch, share):
    """Both halves."""
    return [
        pack(">BBHH", 0x06, epoch % 256, SHARE_LEN, at) + share[at : at + SHARE_HALF]
        for at in (0, SHARE_HALF)
    ]


def kex_resp(epoch, answer):
    return pack(">BB", 0x07, epoch % 256) + answer


def chunk(fields, sealer):
    """A CHUNK with the zeros behind it that make its datagram 1192 bytes long (§10)."""
    head = pack(">BBIHHHII", 0x01, *fields[:-1])
    body = head + fields.payload.ljust(PAYLOAD, b"\0")
    return body + bytes(4 - sealer.ctr_len())


def status(fields):
    return pack(">BBIHIIHHI", 0x0F, *fields)


def config(fields):
    return pack(">BIIIBHB", 0x0D, *fields)


def feedback(fields):
    head = pack(">BBIIIIHHIB", 0x03, *fields[:-1])
    return head + b"\0"


def parse(text, sender, epoch):
    """The message of a packet that `sender` sealed in `epoch`."""
    name, allowed_from, in_epoch_0 = TYPES.get(text[0], (None, None, None))
    if name is None:
        raise Violation(f"a message of type {text[0]:#04x}")
    if allowed_from not in ("both", sender):
        raise Violation(f"{name} from the {sender}")
    if epoch == 0 and not in_epoch_0:
        raise Violation(f"{name} in epoch 0")
    fields, length = PARSERS[name](text)
    if len(text) < length:
        raise Violation(f"a {name} that ends too early")
    if any(text[length:]):
        raise Violation(f"something other than zeros after a {name}")
    return name, fields


def _take(text, form):
    """The fields of a fixed form, its type byte left out, and its length."""
    length = calcsize(form)
    if len(text) < length:
        raise Violation(f"a message of type {text[0]:#04x} that ends too early")
    return unpack_from(form, text)[1:], length


def _token(text):
    fields, length = _take(text, ">BI")
    return fields[0], length


def _eight(text):
    return text[1:9], 9


def _close(text):
    (reason,), length = _take(text, ">BH")
    if reason not in CLOSE_REASONS:
        raise Violation(f"CLOSE with reason {reason}")
    return reason, length


def _kex_init(text):
    (epoch, total, at), head = _take(text, ">BBHH")
    if total != SHARE_LEN or at not in (0, SHARE_HALF):
        raise Violation("KEX_INIT of another length or offset")
    return (epoch, at, text[head : head + SHARE_HALF]), head + SHARE_HALF


def _kex_resp(text):
    (epoch,), head = _take(text, ">BB")
    return (epoch, text[head : head + ANSWER_LEN]), head + ANSWER_LEN


def _chunk(text):
    fields, head = _take(text, ">BBIHHHII")
    message = Chunk(*fields, text[head : head + PAYLOAD])
    if message.flags & ~3 or not 1 <= message.count <= MAX_CHUNKS:
        raise Violation("CHUNK with unknown flags or a count out of range")
    if message.index >= message.count or not 1 <= message.tail_len <= PAYLOAD:
        raise Violation("CHUNK with an index or a tail_len out of range")
    return message, head + PAYLOAD


def _parity(_):
    return None, 20 + PAYLOAD


def _status(text):
    fields, length = _take(text, ">BBIHIIHHI")
    if fields[0] > 4:
        raise Violation(f"STATUS with state {fields[0]}")
    return Status(*fields), length


def _config(text):
    fields, length = _take(text, ">BIIIBHB")
    if fields[-1] > 2:
        raise Violation(f"CONFIG with padding {fields[-1]}")
    return Config(*fields), length


def _feedback(text):
    fields, at = _take(text, ">BBIIIIHHIBB")
    entries = []
    if fields[-1] > 4:
        raise Violation(f"FEEDBACK with {fields[-1]} entries")
    for _ in range(fields[-1]):
        if len(text) < at + 7:
            raise Violation("FEEDBACK with an entry that ends too early")
        frame_id, base, length = unpack_from(">IHB", text, at)
        if not 1 <= length <= 33 or len(text) < at + 7 + length:
            raise Violation("FEEDBACK with a bitmap out of range")
        entries.append((frame_id, base, text[at + 7 : at + 7 + length]))
        at += 7 + length
    return Feedback(*fields[:-1], entries), at


PARSERS = {
    "padding": lambda _: (None, 1),
    "chunk": _chunk,
    "parity": _parity,
    "feedback": _feedback,
    "ping": _token,
    "pong": _token,
    "kex_init": _kex_init,
    "kex_resp": _kex_resp,
    "path_challenge": _eight,
    "path_response": _eight,
    "close": _close,
    "config": _config,
    "status": _status,
}
