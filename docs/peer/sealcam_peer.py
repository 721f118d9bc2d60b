#!/usr/bin/env python3
"""A second Sealcam, to check the first: written from docs/protocol.md alone, in another language and
on other cryptography. README.md beside this file says how to run it and what it proves.
"""

import argparse
import base64
import os
import signal
import sys

from admit import read_cameras
from camera import Camera
from dial import Link
from display import Display
from primitives import (
    OTHER, SOURCE, USAGE, Fault, fingerprint, fingerprint_text, load_modulus, make_key,
    parse_fingerprint,
)
from probe import Probe
from self_test import self_test
from session import now

BEGUN = now()


def log(text):
    print(f"{(now() - BEGUN) / 1e6:8.3f} {text}", file=sys.stderr, flush=True)


def main():
    parser = arguments()
    wishes = parser.parse_args()
    if wishes.self_test:
        return self_test()
    if wishes.command is None:
        parser.error("say what to do: --self-test, identity, camera, display or probe")
    return wishes.does(wishes)


def arguments():
    parser = argparse.ArgumentParser(description="A witness for Sealcam's protocol.")
    parser.add_argument("--self-test", action="store_true", help="check all known answers")
    commands = parser.add_subparsers(dest="command")

    identity = commands.add_parser("identity", help="make a key once, print its line and fingerprint")
    identity.add_argument("--key", required=True, metavar="FILE")
    identity.add_argument("--name", default="python", help="what the display calls this camera")
    identity.set_defaults(does=show_identity)

    camera = commands.add_parser("camera", help="send JPEGs to a display, in turn, again and again")
    camera.add_argument("--key", required=True, metavar="FILE")
    camera.add_argument("--frames", type=int, default=30, help="how many frames (default 30)")
    camera.add_argument("--fps", type=float, default=10.0, help="frames a second (default 10)")
    camera.add_argument("--patience", type=int, default=10, help="seconds to wait for an answer")
    camera.add_argument("--rekey-after", type=int, default=0, metavar="S", help="10 s or more")
    camera.add_argument("--move-after", type=int, default=0, metavar="N", help="frames, then a new port")
    camera.add_argument("--age", type=int, default=0, metavar="MS", help="how old the pictures shall be")
    camera.add_argument("--srtt", type=int, metavar="MS", help="a false SRTT to tell (6554: unmeasured)")
    camera.add_argument("address", metavar="HOST:PORT")
    camera.add_argument("fingerprint", metavar="SHA256:…")
    camera.add_argument("--unseen", action="store_true", help="send files that are no JPEGs, too")
    camera.add_argument("pictures", metavar="JPEG", nargs="+")
    camera.set_defaults(does=stream)

    display = commands.add_parser("display", help="let cameras in and write their frames to files")
    display.add_argument("--key", required=True, metavar="FILE")
    display.add_argument("--cameras", required=True, metavar="FILE", help="lines of `identity`")
    display.add_argument("--frames", type=int, default=30, help="how many to take (default 30)")
    display.add_argument("--patience", type=int, default=30, help="seconds to wait for a camera")
    display.add_argument("address", metavar="HOST:PORT")
    display.add_argument("out", metavar="DIR")
    display.set_defaults(does=show)

    probe = commands.add_parser("probe", help="send a display what a camera must not (minutes)")
    probe.add_argument("--key", required=True, metavar="FILE")
    probe.add_argument("address", metavar="HOST:PORT")
    probe.add_argument("fingerprint", metavar="SHA256:…")
    probe.set_defaults(does=ask)
    return parser


def show_identity(wishes):
    if not os.path.exists(wishes.key):
        make_key(wishes.key)
    modulus = load_modulus(wishes.key)
    print(f"scl1-camera {base64.b64encode(modulus).decode()} {wishes.name}")
    print(f"this key: {fingerprint_text(fingerprint(modulus))}", file=sys.stderr)
    return 0


def host_and_port(address, lowest):
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not lowest <= int(port) <= 65535:
        raise Fault(USAGE, f"not HOST:PORT: {address}")
    return host.strip("[]"), int(port)


def show(wishes):
    wishes.host, wishes.port = host_and_port(wishes.address, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    frames = Display(wishes, read_cameras(wishes.cameras), log).run()
    log(f"{frames} frames written")
    return 0 if frames else OTHER


def ask(wishes):
    host, port = host_and_port(wishes.address, 1)
    Probe(host, port, parse_fingerprint(wishes.fingerprint), wishes.key, log).run()
    return 0


def stream(wishes):
    host, port = host_and_port(wishes.address, 1)
    if wishes.frames < 1 or not 0.1 <= wishes.fps <= 1000:
        raise Fault(USAGE, "--frames from 1, --fps from 0.1 to 1000")
    fp = parse_fingerprint(wishes.fingerprint)
    wishes.pictures = [read_picture(path, wishes.unseen) for path in wishes.pictures]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    link = Link(host, port)
    shown = Camera(link, fp, wishes, log).run()
    log(f"{shown} frames complete at the display")
    if shown < 1:
        raise Fault(OTHER, "the display has completed no frame")
    return 0


def read_picture(path, unseen):
    try:
        with open(path, "rb") as file:
            picture = file.read()
    except OSError as e:
        raise Fault(SOURCE, f"cannot read {path}: {e.strerror}") from None
    if not picture:
        raise Fault(SOURCE, f"{path} is empty")
    if not unseen and (picture[:2] != b"\xff\xd8" or picture[-2:] != b"\xff\xd9"):
        raise Fault(SOURCE, f"{path} is not one JPEG from SOI to EOI")
    return picture


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Fault as fault:
        print(f"sealcam_peer: {fault}", file=sys.stderr)
        sys.exit(fault.code)
    except KeyboardInterrupt:
        sys.exit(OTHER)
