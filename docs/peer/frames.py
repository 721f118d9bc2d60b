"""What the display makes of chunks and timestamps (docs/protocol.md §9.1, §9.2, §9.5): whole frames,
what FEEDBACK says of them, and how old they are.
"""

import messages
from session import SECOND, now, since, wire_time

SLOTS = 3
LONGEST = 5 * SECOND


class Slots:
    def __init__(self, budget):
        self.budget = budget
        self.held = {}
        self.done = self.missed = 0
        self.finished = {}
        self.contradictions = 0

    def add(self, chunk):
        """(JPEG, capture_ts) if this chunk makes its frame whole."""
        at, number = now(), chunk.frame_id
        if number <= self.done or number in self.finished:
            return None
        if number not in self.held and not self._make_room(number):
            return None
        fixed = (chunk.count, chunk.tail_len, chunk.capture_ts)
        frame = self.held.setdefault(number, {"fixed": fixed, "first": at, "parts": {}})
        if frame["fixed"] != fixed:
            self.contradictions += 1
            if self.contradictions >= 4:
                raise messages.Violation("four chunks that contradict their frames")
            return None
        if not chunk.flags & 1:
            frame["last"] = at
        frame["parts"].setdefault(chunk.index, chunk.payload)
        if len(frame["parts"]) < chunk.count:
            return None
        del self.held[number]
        self._finish(number, whole=True)
        parts = [frame["parts"][i] for i in range(chunk.count)]
        parts[-1] = parts[-1][: chunk.tail_len]
        return b"".join(parts), chunk.capture_ts

    def abandon_late(self):
        at = now()
        for number, frame in list(self.held.items()):
            last = frame.get("last", frame["first"])
            ends = max(frame["first"] + self.budget, last + self.budget // 2)
            if at > min(ends, frame["first"] + LONGEST):
                del self.held[number]
                self._finish(number, whole=False)

    def _make_room(self, number):
        if len(self.held) < SLOTS:
            return True
        if number < max(self.held):
            return False
        oldest = min(self.held)
        del self.held[oldest]
        self._finish(oldest, whole=False)
        return True

    def _finish(self, number, whole):
        """done_frame goes up to the last frame that is settled and has none before it that is not."""
        self.finished[number] = whole
        oldest = min(self.held, default=None)
        settled = [n for n in self.finished if oldest is None or n < oldest]
        if not settled:
            return
        done = max(settled)
        self.missed += done - self.done - sum(self.finished.pop(n) for n in settled)
        self.done = done


class Times:
    """The camera's clock as its timestamps tell it, and what FEEDBACK echoes of them."""

    def __init__(self):
        self.newest = self.newest_at = self.reference = None
        self.delays = []
        self.srtt = None

    def take(self, timestamp):
        at = now()
        if self.newest is None or since(self.newest, timestamp) > 0:
            self.newest, self.newest_at = timestamp, at
        self.delays = [d for d in self.delays if at - d[0] < 10 * SECOND]
        self.delays.append((at, self._behind(at, timestamp)))

    def _behind(self, at, timestamp):
        """Arrival less timestamp, in relation to the first one: the clocks start anywhere."""
        difference = (wire_time(at) - timestamp) & 0xFFFFFFFF
        if self.reference is None:
            self.reference = difference
        return since(self.reference, difference)

    def age(self, capture_ts):
        fastest = min(delay for _, delay in self.delays)
        return self._behind(now(), capture_ts) - (fastest - (self.srtt or 0) // 2)

    def echo(self):
        """echo, hold and queue delay, in FEEDBACK's units."""
        if self.newest is None:
            return 0, messages.NO_SAMPLE, 0
        hold = (now() - self.newest_at) // 10
        queue = (self.delays[-1][1] - min(delay for _, delay in self.delays)) // 100
        return self.newest, min(hold, messages.NO_SAMPLE), min(queue, 0xFFFF)
