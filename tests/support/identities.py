"""Keys, self-signed certificates and PKCS#10 requests as SCEP clients bring them, every knob bendable."""

import datetime
import functools
import hashlib
import os
import secrets

import der
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa

HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256,
          "sha384": hashes.SHA384, "sha512": hashes.SHA512}
RSA_SIGNATURES = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5", "sha224": "1.2.840.113549.1.1.14",
                  "sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12", "sha512": "1.2.840.113549.1.1.13"}
EC_SIGNATURES = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1", "sha256": "1.2.840.10045.4.3.2",
                 "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
DIGEST_INFOS = {"sha256": bytes.fromhex("3031300d060960864801650304020105000420")}
RSASSA_PSS = "1.2.840.113549.1.1.10"
FIELDS = {"CN": "2.5.4.3", "C": "2.5.4.6", "O": "2.5.4.10", "OU": "2.5.4.11", "serialNumber": "2.5.4.5",
          "unstructuredName": "1.2.840.113549.1.9.2"}
CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"


class HugeRsa:
    """An RSA key of any size out of many small primes: worthless, valid, and made in seconds rather than minutes."""

    def __init__(self, size):
        self.size = size
        primes = [rsa.generate_private_key(65537, 1024).private_numbers().p for _ in range(size // 512)]
        self.n, order = 1, 1
        for prime in primes:
            self.n *= prime
            order *= prime - 1
        self.n, self.primes = self.n, primes
        self.d = pow(65537, -1, order)

    def sign(self, data):
        size = (self.n.bit_length() + 7) // 8
        digest = DIGEST_INFOS["sha256"] + hashlib.sha256(data).digest()
        block = int.from_bytes(b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest, "big")
        return self.power(block).to_bytes(size, "big")

    def power(self, number):
        """number ** d mod n, a prime at a time."""
        result, modulus = 0, 1
        for prime in self.primes:
            part = pow(number % prime, self.d % (prime - 1), prime)
            result += modulus * ((part - result) * pow(modulus, -1, prime) % prime)
            modulus *= prime
        return result

    def spki(self):
        return der.seq(der.seq(der.oid("1.2.840.113549.1.1.1"), der.null()),
                       der.bits(der.seq(der.integer(self.n), der.integer(65537))))


class PssRsa:
    """An RSA key that may sign with RSASSA-PSS alone, and says so in its SubjectPublicKeyInfo (RFC 4055 section 1.2)."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)

    def sign(self, data):
        return self.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    def algorithm(self):
        sha256 = der.seq(der.oid("2.16.840.1.101.3.4.2.1"), der.null())
        mgf1 = der.seq(der.oid("1.2.840.113549.1.1.8"), sha256)
        return der.seq(der.oid(RSASSA_PSS), der.seq(der.tlv(0xA0, sha256), der.tlv(0xA1, mgf1), der.tlv(0xA2, der.integer(32))))

    def spki(self):
        numbers = self.key.public_key().public_numbers()
        return der.seq(der.seq(der.oid(RSASSA_PSS)), der.bits(der.seq(der.integer(numbers.n), der.integer(numbers.e))))


@functools.lru_cache(maxsize=None)
def cached_key(kind, size, number):
    """Keys are dear and tests do not need fresh ones: the n-th of its kind."""
    del number
    if kind == "rsa":
        return rsa.generate_private_key(65537, size) if size <= 8192 else HugeRsa(size)
    if kind == "ec":
        return ec.generate_private_key({256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}[size]())
    if kind == "dsa":
        return dsa.generate_private_key(size)
    return ed25519.Ed25519PrivateKey.generate()


def key(kind="rsa", size=2048, number=0):
    return cached_key(kind, {"ec": 256, "ed25519": 0}.get(kind, 2048) if size == 2048 else size, number)


def fresh_key(kind="rsa", size=2048):
    return key(kind, size, secrets.token_hex(8))


def spki(private):
    if isinstance(private, (HugeRsa, PssRsa)):
        return private.spki()
    return private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(private, data, digest="sha256", pss=False):
    if isinstance(private, (HugeRsa, PssRsa)):
        return private.sign(data)
    algorithm = HASHES[digest]()
    if isinstance(private, rsa.RSAPrivateKey):
        if pss:
            return private.sign(data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
        return private.sign(data, padding.PKCS1v15(), algorithm)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(algorithm))
    if isinstance(private, dsa.DSAPrivateKey):
        return private.sign(data, algorithm)
    return private.sign(data)


def signature_algorithm(private, digest="sha256"):
    if isinstance(private, PssRsa):
        return private.algorithm()
    if isinstance(private, (rsa.RSAPrivateKey, HugeRsa)):
        return der.seq(der.oid(RSA_SIGNATURES[digest]), der.null())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return der.seq(der.oid(EC_SIGNATURES[digest]))
    if isinstance(private, dsa.DSAPrivateKey):
        return der.seq(der.oid("2.16.840.1.101.3.4.3.2"))
    return der.seq(der.oid("1.3.101.112"))


def name(fields, tag=der.UTF8):
    """X.501 Name of [("CN", "device")] or "CN=device,O=maker"."""
    if isinstance(fields, str):
        fields = [tuple(part.split("=", 1)) for part in fields.split(",") if part]
    return der.seq(*(der.set_of(der.seq(der.oid(FIELDS.get(kind, kind)), der.text(value, tag))) for kind, value in fields))


def extension(dotted, value, critical=False):
    return der.seq(der.oid(dotted), *([der.tlv(1, b"\xff")] if critical else []), der.octets(value))


def subject_alternative_name(sans):
    """[("dns", "a.example"), ("email", …), ("uri", …), ("ip", bytes)]"""
    tags = {"email": 0x81, "dns": 0x82, "uri": 0x86, "ip": 0x87}
    entries = [der.tlv(tags[kind], value if isinstance(value, bytes) else value.encode()) for kind, value in sans]
    return extension("2.5.29.17", der.seq(*entries))


def csr(private, subject="CN=device", challenge=None, *, challenge_tag=der.PRINTABLE, sans=(), extension_oid=EXTENSION_REQUEST,
        digest="sha256", bad_signature=False, attributes=(), version=0):
    """CertificationRequest. `attributes` are more of them, DER."""
    found = list(attributes)
    if challenge is not None:
        found.append(der.seq(der.oid(CHALLENGE_PASSWORD), der.set_of(der.text(challenge, challenge_tag))))
    if sans:
        found.append(der.seq(der.oid(extension_oid), der.set_of(der.seq(subject_alternative_name(sans)))))
    info = der.seq(der.integer(version), subject if isinstance(subject, bytes) else name(subject), spki(private),
                   der.tlv(0xA0, b"".join(sorted(found))))
    signature = sign(private, info, digest)
    if bad_signature:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    return der.seq(info, signature_algorithm(private, digest), der.bits(signature))


class Identity:
    """A key and a certificate to sign requests with: self-signed as a first enrolment has it, or as given."""

    def __init__(self, kind="rsa", size=2048, *, private=None, subject="CN=device", digest="sha256", key_usage=True,
                 serial=None, certificate=None):
        self.key = private or fresh_key(kind, size)
        self.certificate = certificate or self.self_signed(subject, digest, key_usage, serial)
        node = der.read_one(self.certificate)[0].children()
        fields = [part for part in node if part.tag != 0xA0]
        self.serial, self.issuer = fields[0].raw, fields[2].raw
        self.spki = fields[5].raw

    def self_signed(self, subject, digest, key_usage, serial):
        now = datetime.datetime.utcnow()
        validity = der.seq(*(der.text(moment.strftime("%y%m%d%H%M%SZ"), der.UTC)
                             for moment in (now - datetime.timedelta(days=1), now + datetime.timedelta(days=30))))
        usage = [der.tlv(0xA3, der.seq(extension("2.5.29.15", der.tlv(der.BITS, b"\x05\xa0"), True)))] if key_usage else []
        algorithm = signature_algorithm(self.key, digest)
        tbs = der.seq(der.tlv(0xA0, der.integer(2)), der.integer(serial or int.from_bytes(os.urandom(8), "big") | 1), algorithm,
                      name(subject), validity, name(subject), spki(self.key), *usage)
        return der.seq(tbs, algorithm, der.bits(sign(self.key, tbs, digest)))

    @property
    def ski(self):
        return hashlib.sha1(der.read_one(self.spki)[1].content[1:]).digest()


def load(certificate):
    return x509.load_der_x509_certificate(certificate)


def is_ca(certificate):
    try:
        return load(certificate).extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
