"""ML-KEM-768 from FIPS 203, on hashlib alone: Debian's OpenSSL does not have it.

Written to be compared with the standard, whose algorithms it names, and neither fast nor free of
side channels. Polynomials are lists of 256 integers below Q.
"""

import functools
import hashlib
import hmac

Q = 3329
N = 256
K = 3
ETA = 2
DU, DV = 10, 4

EK_LEN = 384 * K + 32
DK_LEN = 768 * K + 96
CT_LEN = 32 * (DU * K + DV)


class BadKey(Exception):
    """An encapsulation key of another length, or one that FIPS 203 §7.2 refuses."""


def _bit_reverse_7(i):
    return int(f"{i:07b}"[::-1], 2)


ZETAS = [pow(17, _bit_reverse_7(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _bit_reverse_7(i) + 1, Q) for i in range(128)]


def keygen_from(d, z):
    """Algorithm 16, ML-KEM.KeyGen_internal: (ek, dk)."""
    ek, dk_pke = _pke_keygen(d)
    return ek, dk_pke + ek + _h(ek) + z


def encaps_from(ek, m):
    """Algorithm 17, ML-KEM.Encaps_internal, after the checks of §7.2: (shared secret, ciphertext)."""
    check_key(ek)
    g = _g(m + _h(ek))
    return g[:32], _pke_encrypt(ek, m, g[32:])


def decaps(dk, ct):
    """Algorithm 18, ML-KEM.Decaps_internal: the shared secret, or what implicit rejection gives."""
    if len(dk) != DK_LEN or len(ct) != CT_LEN:
        raise ValueError("an ML-KEM-768 decapsulation key or ciphertext of another length")
    dk_pke, ek = dk[: 384 * K], dk[384 * K : 384 * K + EK_LEN]
    h, z = dk[768 * K + 32 : 768 * K + 64], dk[768 * K + 64 :]
    m = _pke_decrypt(dk_pke, ct)
    g = _g(m + h)
    if hmac.compare_digest(ct, _pke_encrypt(ek, m, g[32:])):
        return g[:32]
    return hashlib.shake_256(z + ct).digest(32)


def check_key(ek):
    """FIPS 203 §7.2: the length, and the modulus: decoding and encoding must give the key again."""
    if len(ek) != EK_LEN:
        raise BadKey(f"an encapsulation key of {len(ek)} bytes, not {EK_LEN}")
    for at in range(0, 384 * K, 384):
        part = ek[at : at + 384]
        if _encode([x % Q for x in _decode(part, 12)], 12) != part:
            raise BadKey("an encapsulation key with a coefficient of 3329 or more")


def _h(data):
    return hashlib.sha3_256(data).digest()


def _g(data):
    return hashlib.sha3_512(data).digest()


# --- K-PKE, FIPS 203 §5 ---


def _pke_keygen(d):
    """Algorithm 13."""
    seeds = _g(d + bytes([K]))
    rho, sigma = seeds[:32], seeds[32:]
    a = _matrix(rho)
    s = [_ntt(_cbd(sigma, i)) for i in range(K)]
    e = [_ntt(_cbd(sigma, K + i)) for i in range(K)]
    t = [_add(_dot(a[i], s), e[i]) for i in range(K)]
    return b"".join(_encode(p, 12) for p in t) + rho, b"".join(_encode(p, 12) for p in s)


def _pke_encrypt(ek, m, r):
    """Algorithm 14."""
    t = [_decode(ek[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    a = _matrix(ek[384 * K :])
    y = [_ntt(_cbd(r, i)) for i in range(K)]
    e1 = [_cbd(r, K + i) for i in range(K)]
    e2 = _cbd(r, 2 * K)
    u = [_add(_inverse_ntt(_dot([a[j][i] for j in range(K)], y)), e1[i]) for i in range(K)]
    mu = [_decompress(bit, 1) for bit in _decode(m, 1)]
    v = _add(_add(_inverse_ntt(_dot(t, y)), e2), mu)
    c1 = b"".join(_encode([_compress(x, DU) for x in p], DU) for p in u)
    return c1 + _encode([_compress(x, DV) for x in v], DV)


def _pke_decrypt(dk_pke, ct):
    """Algorithm 15."""
    step = 32 * DU
    u = [[_decompress(y, DU) for y in _decode(ct[step * i : step * (i + 1)], DU)] for i in range(K)]
    v = [_decompress(y, DV) for y in _decode(ct[step * K :], DV)]
    s = [_decode(dk_pke[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    product = _inverse_ntt(_dot(s, [_ntt(p) for p in u]))
    return _encode([_compress((x - y) % Q, 1) for x, y in zip(v, product)], 1)


@functools.lru_cache(maxsize=4)
def _matrix(rho):
    return [[_sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


# --- sampling, encoding and compression, FIPS 203 §4.2 ---


def _sample_ntt(seed):
    """Algorithm 7. hashlib gives no stream, so one that was too short is made again, longer."""
    length = 3 * 168
    while True:
        stream = hashlib.shake_128(seed).digest(length)
        a = []
        for at in range(0, length, 3):
            b0, b1, b2 = stream[at : at + 3]
            for x in (b0 + 256 * (b1 % 16), b1 // 16 + 16 * b2):
                if x < Q and len(a) < N:
                    a.append(x)
        if len(a) == N:
            return a
        length += 168


def _cbd(seed, nonce):
    """Algorithm 8 with eta = 2, of the pseudorandom bytes PRF_2(seed, nonce)."""
    data = hashlib.shake_256(seed + bytes([nonce])).digest(64 * ETA)
    out = []
    for nibble in _decode(data, 4):
        out.append(((nibble & 1) + (nibble >> 1 & 1) - (nibble >> 2 & 1) - (nibble >> 3 & 1)) % Q)
    return out


def _encode(values, bits):
    """Algorithm 5, ByteEncode: little-endian in bits and bytes."""
    number = 0
    for x in reversed(values):
        number = number << bits | x
    return number.to_bytes(len(values) * bits // 8, "little")


def _decode(data, bits):
    """Algorithm 6, ByteDecode. Values of 12 bits are left as they are, for check_key to look at."""
    number = int.from_bytes(data, "little")
    mask = (1 << bits) - 1
    return [number >> bits * i & mask for i in range(len(data) * 8 // bits)]


def _compress(x, bits):
    return ((x << bits) + Q // 2) // Q % (1 << bits)


def _decompress(y, bits):
    return (y * Q + (1 << bits - 1)) >> bits


# --- the number-theoretic transform, FIPS 203 §4.3 ---


def _ntt(f):
    """Algorithm 9."""
    f = list(f)
    i, length = 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
        length //= 2
    return f


def _inverse_ntt(f):
    """Algorithm 10."""
    f = list(f)
    i, length = 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def _multiply(f, g):
    """Algorithms 11 and 12."""
    out = []
    for i, gamma in enumerate(GAMMAS):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out.append((a0 * b0 + a1 * b1 * gamma) % Q)
        out.append((a0 * b1 + a1 * b0) % Q)
    return out


def _add(f, g):
    return [(x + y) % Q for x, y in zip(f, g)]


def _dot(row, column):
    products = [_multiply(f, g) for f, g in zip(row, column)]
    return [sum(terms) % Q for terms in zip(*products)]
