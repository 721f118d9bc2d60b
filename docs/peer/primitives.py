"""The primitives of docs/protocol.md §1: HMAC, HKDF and X25519 in Python, RSA and AES by `openssl`.

Each call of `openssl` is a process of its own, so AES is asked for the key streams of many packets
at once. Traffic keys stand on its command line for everyone on this machine to read, and nothing
here takes the same time for all secrets: this is a witness, not a camera.
"""

import base64
import hashlib
import hmac
import os
import stat
import subprocess

RSA_LEN = 384
OAEP_LABEL = b"scl1 key transport v1"
SPKI_HEAD = bytes.fromhex(
    "308201a2300d06092a864886f70d01010105000382018f003082018a0282018100"
)
SPKI_TAIL = bytes.fromhex("0203010001")

# The programs' exit codes (README.md), as far as they fit.
OTHER, USAGE, KEYS, TRUST, NETWORK, SOURCE = 1, 2, 3, 4, 5, 6


class Fault(Exception):
    """The end of the program: a sentence for a person, and an exit code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.digest(key, b"".join(parts), "sha256")


def hkdf_extract(salt, ikm):
    return mac(salt, ikm)


def hkdf_expand(prk, info, length):
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block, info, bytes([count]))
        out += block
        count += 1
    return out[:length]


# --- X25519, RFC 7748 §5 ---

P = 2**255 - 19
BASE_POINT = (9).to_bytes(32, "little")


def x25519(scalar, point):
    """The shared secret, 32 bytes; all zeros for a point of low order, which the caller refuses."""
    k = int.from_bytes(scalar, "little")
    k = k & ~(7 | 1 << 255) & (1 << 255) - 1 | 1 << 254
    u = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swapped = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if bit != swapped:
            x2, z2, x3, z3 = x3, z3, x2, z2
            swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def x25519_pair():
    """A new private key and its share."""
    private = os.urandom(32)
    return private, x25519(private, BASE_POINT)


# --- what `openssl` does ---


def openssl(*arguments, data=b"", files=()):
    """Standard output of `openssl`; `files` are handed over in memory, as /dev/fd/N in place of %N."""
    arguments = list(arguments)
    handles = []
    try:
        for i, content in enumerate(files):
            handle = os.memfd_create("sealcam-peer")
            handles.append(handle)
            os.write(handle, content)
            arguments = [a.replace(f"%{i}", f"/dev/fd/{handle}") for a in arguments]
        run = subprocess.run(
            ["openssl", *arguments], input=data, capture_output=True, pass_fds=handles
        )
    except FileNotFoundError:
        raise Fault(OTHER, "openssl is missing (Debian: apt-get install openssl)") from None
    finally:
        for handle in handles:
            os.close(handle)
    if run.returncode != 0:
        raise OpensslRefused(arguments[0], run.stderr.decode(errors="replace").strip())
    return run.stdout


class OpensslRefused(Fault):
    """`openssl` ran and said no, which for a decryption or a verification is an answer."""

    def __init__(self, command, said):
        super().__init__(OTHER, f"openssl {command} failed: {said}")


OAEP = [
    *("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"),
    *("-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt", f"rsa_oaep_label:{OAEP_LABEL.hex()}"),
]
PSS = [
    *("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"),
    *("-sigopt", "rsa_mgf1_md:sha256"),
]


def oaep_encrypt(modulus, message):
    return openssl(
        *("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "%0"), *OAEP,
        data=message, files=[spki(modulus)],
    )


def oaep_decrypt(key_file, ct):
    return openssl("pkeyutl", "-decrypt", "-inkey", key_file, *OAEP, data=ct)


def pss_sign(key_file, message):
    return openssl("dgst", "-sha256", "-sign", key_file, *PSS, data=message)


def pss_verify(modulus, message, signature):
    """Whether it is a signature below n, over this message, with a salt of exactly 32 bytes."""
    if int.from_bytes(signature, "big") >= int.from_bytes(modulus, "big"):
        return False
    try:
        openssl(
            *("dgst", "-sha256", "-keyform", "DER", "-verify", "%0", "-signature", "%1"), *PSS,
            data=message, files=[spki(modulus), signature],
        )
    except OpensslRefused:
        return False
    return True


def aes_keystream(key, blocks):
    """AES-128 of each block, one after the other: the key stream if the blocks are counter blocks."""
    return openssl("enc", "-aes-128-ecb", "-nopad", "-nosalt", "-K", key.hex(), data=blocks)


# --- RSA keys ---


def spki(modulus):
    return SPKI_HEAD + modulus + SPKI_TAIL


def fingerprint(modulus):
    return sha256(spki(modulus))


def valid_modulus(modulus):
    return len(modulus) == RSA_LEN and modulus[0] & 0x80 != 0 and modulus[-1] & 1 != 0


def make_key(key_file):
    """A new RSA-3072 key in PKCS#8 PEM, readable by its owner alone."""
    pem = openssl(
        *("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
        *("-pkeyopt", "rsa_keygen_pubexp:65537"),
    )
    try:
        handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as e:
        raise Fault(KEYS, f"cannot write the key {key_file}: {e.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)


def load_modulus(key_file):
    """The modulus of the private key in this file, which nobody else may read (§5)."""
    try:
        about = os.stat(key_file)
    except OSError as e:
        raise Fault(
            KEYS, f"cannot read the key {key_file}: {e.strerror}; `identity` makes one"
        ) from None
    if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise Fault(KEYS, f"the key {key_file} is not this user's alone: chmod 600 {key_file}")
    der = openssl("pkey", "-in", key_file, "-pubout", "-outform", "DER")
    modulus = der[len(SPKI_HEAD) : -len(SPKI_TAIL)]
    if der != spki(modulus) or not valid_modulus(modulus):
        raise Fault(KEYS, f"the key {key_file} is not RSA with 3072 bits and e = 65537")
    return modulus


def fingerprint_text(fp):
    return "SHA256:" + base64.b64encode(fp).decode().rstrip("=")


def parse_fingerprint(text):
    """32 bytes of `SHA256:` and 43 characters of unpadded base64, in its one canonical form."""
    try:
        fp = base64.b64decode(text.removeprefix("SHA256:") + "=", validate=True)
    except ValueError:
        fp = b""
    if len(fp) != 32 or fingerprint_text(fp) != text:
        raise Fault(USAGE, f"not a fingerprint (SHA256: and 43 characters of base64): {text}")
    return fp
