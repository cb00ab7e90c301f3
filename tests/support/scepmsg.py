"""SCEP requests of every shape, and CertReps taken apart byte by byte: RFC 8894 a second time, in Python, sharing nothing with the
gateway's own code."""

import hashlib
import os
import secrets
from dataclasses import dataclass, field

import der
import identities
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ID_DATA, SIGNED_DATA, ENVELOPED_DATA = (f"1.2.840.113549.1.7.{n}" for n in (1, 2, 3))
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (f"1.2.840.113549.1.9.{n}" for n in (3, 4, 5))
VERISIGN = "2.16.840.1.113733.1.9."
MESSAGE_TYPE, PKI_STATUS, FAIL_INFO, SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION_ID = (VERISIGN + str(n) for n in range(2, 8))
FAIL_INFO_TEXT = "1.3.6.1.5.5.7.24.1"
RSA_ENCRYPTION, RSA_OAEP, RSA_PSS, MGF1 = (f"1.2.840.113549.1.1.{n}" for n in (1, 7, 10, 8))
PBKDF2, PWRI_KEK = "1.2.840.113549.1.5.12", "1.2.840.113549.1.9.16.3.9"
DIGESTS = {"md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4",
           "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
CIPHERS = {"aes128": ("2.16.840.1.101.3.4.1.2", 16, 16), "aes192": ("2.16.840.1.101.3.4.1.22", 24, 16),
           "aes256": ("2.16.840.1.101.3.4.1.42", 32, 16), "3des": ("1.2.840.113549.3.7", 24, 8), "des": ("1.3.14.3.2.7", 8, 8),
           "rc2": ("1.2.840.113549.3.2", 16, 8), "blowfish": ("1.3.6.1.4.1.3029.1.2", 16, 8)}
BAD_ALG, BAD_MESSAGE_CHECK, BAD_REQUEST, BAD_TIME, BAD_CERT_ID = range(5)
SUCCESS, FAILURE, PENDING = 0, 2, 3


def cipher_of(kind, content_key, iv):
    if kind in ("3des", "des"):
        return Cipher(algorithms.TripleDES(content_key * (3 if kind == "des" else 1)), modes.CBC(iv))
    return Cipher(algorithms.AES(content_key), modes.CBC(iv))


def encrypt(kind, content_key, iv, plain, pad=True):
    block = CIPHERS[kind][2]
    if kind in ("rc2", "blowfish"):
        return os.urandom(len(plain) // block * block + block)  # nobody is expected to get as far as decrypting it
    if pad:
        count = block - len(plain) % block
        plain += bytes([count]) * count
    encryptor = cipher_of(kind, content_key, iv).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def oaep(digest, mgf):
    return padding.OAEP(padding.MGF1(identities.HASHES[mgf]()), identities.HASHES[digest](), None)


def oaep_parameters(digest, mgf):
    return der.seq(der.tlv(0xA0, der.seq(der.oid(DIGESTS[digest]), der.null())),
                   der.tlv(0xA1, der.seq(der.oid(MGF1), der.seq(der.oid(DIGESTS[mgf]), der.null()))))


def certificate_fields(certificate):
    """(serial, issuer, subject) of a certificate, DER each."""
    fields = [part for part in der.read_one(certificate)[0].children() if part.tag != 0xA0]
    return fields[0].raw, fields[2].raw, fields[4].raw


def subject_key_identifier(certificate):
    """As the certificate says; for one that does not say, the SHA-1 of its key."""
    try:
        return identities.load(certificate).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(identities.load(certificate).public_key()).digest


def password_recipient(content_key, password, iterations):
    """PasswordRecipientInfo: PBKDF2 with SHA-1, and the key wrapped as in RFC 3211 with AES-128. A count that nobody would wait for
    is told, not done."""
    salt, iv, checked = os.urandom(8), os.urandom(16), bytes(octet ^ 0xFF for octet in content_key[:3])
    wrapping = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, min(iterations, 100000), 16)
    block = bytes([len(content_key)]) + checked + content_key
    block += os.urandom(-len(block) % 16)
    once = encrypt("aes128", wrapping, iv, block, pad=False)
    secret = encrypt("aes128", wrapping, once[-16:], once, pad=False)
    derivation = der.seq(der.octets(salt), der.integer(iterations), der.integer(16))
    cipher = der.seq(der.oid(CIPHERS["aes128"][0]), der.octets(iv))
    return der.tlv(0xA3, der.integer(0) + der.tlv(0xA0, der.oid("1.2.840.113549.1.5.12") + derivation) +
                   der.seq(der.oid("1.2.840.113549.1.9.16.3.9"), cipher) + der.octets(secret))


@dataclass
class Envelope:
    """EnvelopedData for some recipients."""

    recipients: list
    cipher: str = "aes128"
    transport: str = "v15"  # or "oaep"
    oaep_digest: str = "sha256"
    mgf1_digest: str = "sha256"
    oaep_parameters: bytes = None  # in place of those that say the digests
    recipient_id: str = "issuer_serial"  # or "ski", or "wrapped": the extension's value, an OCTET STRING in an OCTET STRING
    content_type: str = ID_DATA
    corrupt: str = ""  # "ciphertext", "padding", "key", "iv", "block": not a multiple of the block; "empty"
    ber: bool = False
    password: str = ""  # one more recipient, by password (RFC 5652 section 6.2.4)
    iterations: int = 1000

    def build(self, plain):
        identifier, key_size, block = CIPHERS[self.cipher]
        content_key, iv = os.urandom(key_size), os.urandom(block)
        if self.corrupt == "padding":
            body = plain + b"\0" * (block - len(plain) % block)
            secret = encrypt(self.cipher, content_key, iv, body, pad=False)
        else:
            secret = encrypt(self.cipher, content_key, iv, plain)
        if self.corrupt == "ciphertext":
            middle = len(secret) // 2
            secret = secret[:middle] + bytes([secret[middle] ^ 0x80]) + secret[middle + 1:]
        secret = {"block": secret[:-3], "empty": b""}.get(self.corrupt, secret)
        parameters = der.octets(iv[:-1] if self.corrupt == "iv" else iv)
        infos = [self.recipient(certificate, content_key) for certificate in self.recipients]
        if self.password:
            infos.append(password_recipient(content_key, self.password, self.iterations))
        infos = der.tlv(der.SET, b"".join(infos))
        algorithm = der.seq(der.oid(identifier), parameters)
        if not self.ber:
            encrypted = der.seq(der.oid(self.content_type), algorithm, der.tlv(0x80, secret))
            return der.seq(der.oid(ENVELOPED_DATA), der.tlv(0xA0, der.seq(der.integer(self.version()), infos, encrypted)))
        pieces = b"".join(der.octets(secret[at:at + 100]) for at in range(0, len(secret), 100))
        encrypted = der.indefinite(der.SEQUENCE, der.oid(self.content_type) + algorithm + der.indefinite(0xA0, pieces))
        data = der.indefinite(der.SEQUENCE, der.integer(self.version()) + infos + encrypted)
        return der.indefinite(der.SEQUENCE, der.oid(ENVELOPED_DATA) + der.indefinite(0xA0, data))

    def version(self):
        return 3 if self.password else 0 if self.recipient_id == "issuer_serial" else 2

    def recipient(self, certificate, content_key):
        public = identities.load(certificate).public_key()
        if self.transport == "oaep":
            secret = public.encrypt(content_key, oaep(self.oaep_digest, self.mgf1_digest))
            told = oaep_parameters(self.oaep_digest, self.mgf1_digest) if self.oaep_parameters is None else self.oaep_parameters
            algorithm = der.seq(der.oid(RSA_OAEP), told)
        else:
            secret = public.encrypt(content_key, padding.PKCS1v15())
            algorithm = der.seq(der.oid(RSA_ENCRYPTION), der.null())
        if self.corrupt == "key":
            secret = secret[:-1] + bytes([secret[-1] ^ 1])
        if self.recipient_id in ("ski", "wrapped"):
            value = subject_key_identifier(certificate)
            identifier, version = der.tlv(0x80, der.octets(value) if self.recipient_id == "wrapped" else value), 2
        else:
            serial, issuer, _ = certificate_fields(certificate)
            identifier, version = der.seq(issuer, serial), 0
        return der.seq(der.integer(version), identifier, algorithm, der.octets(secret))


@dataclass
class Request:
    """A pkiMessage from a client. The defaults make a proper PKCSReq; every field may be bent."""

    identity: identities.Identity
    recipients: list  # certificates, DER
    payload: bytes = b""  # the messageData: a CSR for a PKCSReq
    message_type: object = "19"
    transaction_id: object = field(default_factory=lambda: secrets.token_hex(20))
    sender_nonce: bytes = field(default_factory=lambda: os.urandom(16))
    digest: str = "sha256"
    signature: str = "digest"  # "digest": shaNWithRSA; "rsa": rsaEncryption; "pss"; an OID
    signer_id: str = "issuer_serial"  # or "ski"
    signers: int = 1
    certificates: list = None  # None: the signer's
    crls: tuple = ()
    unsigned: tuple = ()  # (oid, DER value): unsigned attributes
    text_tag: int = der.PRINTABLE
    omit: tuple = ()  # OIDs of attributes to leave out
    duplicate: tuple = ()  # OIDs to bring twice
    more: tuple = ()  # (oid, DER value) to add
    replace: dict = field(default_factory=dict)  # oid -> DER of the whole SET of values
    content: object = None  # in place of the envelope; False: no eContent at all
    content_type: str = ID_DATA
    break_signature: bool = False
    break_content: bool = False  # change the content after it was signed
    ber: bool = False
    envelope: dict = field(default_factory=dict)  # fields of Envelope

    def attributes(self, content):
        values = [
            (CONTENT_TYPE, der.set_of(der.oid(self.content_type))),
            (MESSAGE_DIGEST, der.set_of(der.octets(hashlib.new(self.digest, content).digest()))),
            (TRANSACTION_ID, der.set_of(der.text(self.transaction_id, self.text_tag))),
            (MESSAGE_TYPE, der.set_of(der.text(self.message_type, self.text_tag))),
            (SENDER_NONCE, der.set_of(der.octets(self.sender_nonce))),
        ]
        values += [(identifier, der.set_of(value)) for identifier, value in self.more]
        values += [pair for pair in values if pair[0] in self.duplicate]
        return [der.seq(der.oid(identifier), self.replace.get(identifier, value)) for identifier, value in values
                if identifier not in self.omit]

    def signer_info(self, content):
        attributes = b"".join(sorted(self.attributes(content)))
        pss = self.signature == "pss"
        signature = identities.sign(self.identity.key, der.tlv(der.SET, attributes), self.digest, pss)
        if self.break_signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        algorithm = identities.signature_algorithm(self.identity.key, self.digest)
        if self.signature == "rsa":
            algorithm = der.seq(der.oid(RSA_ENCRYPTION), der.null())
        elif "." in self.signature:
            algorithm = der.seq(der.oid(self.signature), der.null())
        if pss:
            size = identities.HASHES[self.digest].digest_size
            parameters = der.read_one(oaep_parameters(self.digest, self.digest)).content + der.tlv(0xA2, der.integer(size))
            algorithm = der.seq(der.oid(RSA_PSS), der.tlv(der.SEQUENCE, parameters))
        if self.signer_id == "ski":
            identifier, version = der.tlv(0x80, self.identity.ski), 3
        else:
            identifier, version = der.seq(self.identity.issuer, self.identity.serial), 1
        signed = der.tlv(0xA0, attributes) if attributes else b""
        more = b"".join(der.seq(der.oid(kind), der.set_of(value)) for kind, value in self.unsigned)
        return der.seq(der.integer(version), identifier, der.seq(der.oid(DIGESTS[self.digest]), der.null()), signed, algorithm,
                       der.octets(signature), der.tlv(0xA1, more) if more else b"")

    def build(self):
        content = self.content
        if content is None:
            content = Envelope(self.recipients, **({"ber": self.ber} | self.envelope)).build(self.payload)
        infos = der.tlv(der.SET, b"".join(self.signer_info(content or b"") for _ in range(self.signers)))
        if self.break_content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        certificates = [self.identity.certificate] if self.certificates is None else self.certificates
        bag = der.tlv(0xA0, b"".join(certificates)) if certificates else b""
        bag += der.tlv(0xA1, b"".join(self.crls)) if self.crls else b""
        algorithms_used = der.set_of(der.seq(der.oid(DIGESTS[self.digest]), der.null()))
        version = der.integer(3 if self.signer_id == "ski" else 1)
        if not self.ber:
            inner = b"" if content is False else der.tlv(0xA0, der.octets(content))
            data = der.seq(version, algorithms_used, der.seq(der.oid(self.content_type), inner), bag, infos)
            return der.seq(der.oid(SIGNED_DATA), der.tlv(0xA0, data))
        pieces = b"".join(der.octets(content[at:at + 250]) for at in range(0, len(content), 250))
        inner = der.indefinite(0xA0, der.indefinite(0x24, pieces))
        encapsulated = der.indefinite(der.SEQUENCE, der.oid(self.content_type) + inner)
        data = der.indefinite(der.SEQUENCE, version + algorithms_used + encapsulated + bag + infos)
        return der.indefinite(der.SEQUENCE, der.oid(SIGNED_DATA) + der.indefinite(0xA0, data))


def name_of_oid(table, dotted):
    """The key whose (first) OID this is."""
    return next((key for key, value in table.items() if dotted == (value if isinstance(value, str) else value[0])), dotted)


class Reply:
    """A CertRep. Reading it asserts the form of sections 3.2 and 3.3.2: DER throughout, each attribute once, each with its one
    string type, the algorithm of the signature rsaEncryption."""

    ATTRIBUTE_TAGS = {TRANSACTION_ID: der.PRINTABLE, MESSAGE_TYPE: der.PRINTABLE, PKI_STATUS: der.PRINTABLE,
                      FAIL_INFO: der.PRINTABLE, FAIL_INFO_TEXT: der.UTF8, SENDER_NONCE: der.OCTETS, RECIPIENT_NONCE: der.OCTETS,
                      MESSAGE_DIGEST: der.OCTETS, CONTENT_TYPE: der.OID, SIGNING_TIME: der.UTC}

    def __init__(self, message):
        outer = der.read_one(message)
        assert outer.tag == der.SEQUENCE and der.dotted(outer[0]) == SIGNED_DATA and outer[1].tag == 0xA0
        parts = der.read_one(outer[1].content).children()
        assert parts[0].raw == der.integer(1), "SignedData is not version 1"
        self.digest_algorithms = [der.dotted(algorithm[0]) for algorithm in parts[1].children()]
        encapsulated = parts[2].children()
        assert der.dotted(encapsulated[0]) == ID_DATA, "eContentType is not id-data"
        self.content = None
        if len(encapsulated) == 2:
            assert encapsulated[1].tag == 0xA0
            octets = der.read_one(encapsulated[1].content)
            assert octets.tag == der.OCTETS
            self.content = octets.content
        rest = {part.tag: part for part in parts[3:]}
        self.certificates = [node.raw for node in rest[0xA0].children()] if 0xA0 in rest else []
        signers = rest[der.SET].children()
        assert len(signers) == 1, "not exactly one SignerInfo"
        self.read_signer(signers[0].children())

    def read_signer(self, parts):
        version, identifier, digest, attributes, algorithm, signature = parts
        assert version.raw == der.integer(1), "SignerInfo is not version 1"
        assert identifier.tag == der.SEQUENCE, "the signer is not named by issuer and serial number"
        self.signer_id = (identifier[0].raw, identifier[1].raw)
        self.digest = name_of_oid(DIGESTS, der.dotted(digest[0]))
        assert attributes.tag == 0xA0
        self.signed_attributes = der.tlv(der.SET, attributes.content)
        encoded = [node.raw for node in attributes.children()]
        assert encoded == sorted(encoded), "the signed attributes are not in DER's order"
        assert algorithm.raw == der.seq(der.oid(RSA_ENCRYPTION), der.null()), "the signature algorithm is not rsaEncryption"
        self.signature = signature.content
        self.attributes = {}
        for node in attributes.children():
            identifier, values = der.dotted(node[0]), node[1].children()
            assert identifier in self.ATTRIBUTE_TAGS, f"an attribute {identifier} that no client expects"
            assert identifier not in self.attributes and len(values) == 1, f"attribute {identifier} is not there exactly once"
            assert values[0].tag == self.ATTRIBUTE_TAGS[identifier], f"attribute {identifier} has tag {values[0].tag:#x}"
            self.attributes[identifier] = values[0].content

    def text(self, identifier):
        value = self.attributes.get(identifier)
        return None if value is None else value.decode()

    @property
    def status(self):
        return int(self.text(PKI_STATUS))

    @property
    def fail_info(self):
        value = self.text(FAIL_INFO)
        return None if value is None else int(value)

    @property
    def ra(self):
        return next(certificate for certificate in self.certificates
                    if certificate_fields(certificate)[:2] == (self.signer_id[1], self.signer_id[0]))

    def check(self, request, ra=None):
        """Everything that must hold between a request and its reply, whatever the outcome."""
        assert self.text(MESSAGE_TYPE) == "3"
        wanted = request.transaction_id
        assert self.attributes[TRANSACTION_ID] == (wanted if isinstance(wanted, bytes) else wanted.encode())
        assert self.attributes[RECIPIENT_NONCE] == request.sender_nonce
        assert len(self.attributes[SENDER_NONCE]) == 16 and self.attributes[SENDER_NONCE] != request.sender_nonce
        assert self.text(PKI_STATUS) in ("0", "2", "3")
        assert self.attributes[CONTENT_TYPE] == der.read_one(der.oid(ID_DATA)).content
        assert self.digest_algorithms == [DIGESTS[self.digest]]
        assert ra is None or self.ra == ra, "signed by another certificate than the alias' RA"
        self.verify()
        if self.status == FAILURE:
            assert self.text(FAIL_INFO) in ("0", "1", "2", "3", "4")
        else:
            assert FAIL_INFO not in self.attributes and FAIL_INFO_TEXT not in self.attributes
        assert (self.content is not None) == (self.status == SUCCESS), "only SUCCESS carries an envelope"
        return self

    def verify(self):
        content = self.content or b""
        assert self.attributes[MESSAGE_DIGEST] == hashlib.new(self.digest, content).digest(), "messageDigest is wrong"
        public = identities.load(self.ra).public_key()
        try:
            public.verify(self.signature, self.signed_attributes, padding.PKCS1v15(), identities.HASHES[self.digest]())
        except InvalidSignature:
            raise AssertionError("the signature of the CertRep does not verify") from None

    def enveloped(self):
        """(version, the one RecipientInfo, cipher, iv, ciphertext) of the EnvelopedData."""
        outer = der.read_one(self.content)
        assert der.dotted(outer[0]) == ENVELOPED_DATA
        version, recipients, encrypted = der.read_one(outer[1].content).children()
        assert len(recipients.children()) == 1
        assert der.dotted(encrypted[0]) == ID_DATA and encrypted[2].tag == 0x80
        cipher = name_of_oid(CIPHERS, der.dotted(encrypted[1][0]))
        return version.content[0], recipients[0], cipher, encrypted[1][1].content, encrypted[2].content

    def envelope(self):
        """(cipher, transport, recipient id, encrypted key, iv, ciphertext) of a KeyTransRecipientInfo."""
        version, recipient, cipher, iv, ciphertext = self.enveloped()
        info_version, identifier, algorithm, secret = recipient.children()
        assert version == 0 and info_version.raw == der.integer(0) and recipient.tag == der.SEQUENCE
        return cipher, algorithm, identifier, secret.content, iv, ciphertext

    def transport(self):
        algorithm = self.envelope()[1]
        return "oaep" if der.dotted(algorithm[0]) == RSA_OAEP else "v15"

    def open(self, request):
        """The degenerate SignedData inside, decrypted with the key that signed the request."""
        cipher, algorithm, identifier, secret, iv, ciphertext = self.envelope()
        assert identifier.raw == der.seq(request.identity.issuer, request.identity.serial), "encrypted to another certificate"
        if der.dotted(algorithm[0]) == RSA_OAEP:
            fields = Envelope([], **request.envelope)
            content_key = request.identity.key.decrypt(secret, oaep(fields.oaep_digest, fields.mgf1_digest))
        else:
            assert algorithm.raw == der.seq(der.oid(RSA_ENCRYPTION), der.null())
            content_key = request.identity.key.decrypt(secret, padding.PKCS1v15())
        return decrypt(cipher, content_key, iv, ciphertext)

    def password_recipient(self):
        """(salt, iterations, wrapping cipher, its iv, encrypted key) of a PasswordRecipientInfo, its form asserted (RFC 5652
        section 6.2.4, RFC 3211)."""
        version, recipient, *_ = self.enveloped()
        assert version == 3 and recipient.tag == 0xA3, "no PasswordRecipientInfo"
        info_version, derivation, wrap, secret = recipient.children()
        assert info_version.raw == der.integer(0) and derivation.tag == 0xA0
        assert der.dotted(derivation[0]) == PBKDF2 and der.dotted(wrap[0]) == PWRI_KEK
        salt, iterations, *_ = derivation[1].children()
        assert salt.tag == der.OCTETS and len(salt.content) >= 8
        cipher = name_of_oid(CIPHERS, der.dotted(wrap[1][0]))
        return salt.content, int.from_bytes(iterations.content, "big"), cipher, wrap[1][1].content, secret.content

    def open_with_password(self, password):
        """The degenerate SignedData inside, decrypted with a challenge password."""
        salt, iterations, wrapping, wrap_iv, secret = self.password_recipient()
        *_, cipher, iv, ciphertext = self.enveloped()
        key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, iterations, CIPHERS[wrapping][1])
        return decrypt(cipher, unwrap(wrapping, key, wrap_iv, secret), iv, ciphertext)

    def issued(self, request):
        """The certificates of a SUCCESS, the issued one first; the form of section 3.4 asserted byte by byte."""
        return degenerate_certificates(self.open(request))

    def issued_by_password(self, password):
        return degenerate_certificates(self.open_with_password(password))


def decrypt(kind, content_key, iv, ciphertext):
    decryptor = cipher_of(kind, content_key, iv).decryptor()
    plain = decryptor.update(ciphertext) + decryptor.finalize()
    count, block = plain[-1], CIPHERS[kind][2]
    assert 1 <= count <= block and plain[-count:] == bytes([count]) * count, "wrong padding"
    return plain[:-count]


def unwrap(kind, key, iv, wrapped):
    """RFC 3211 section 2.3.2: the last block tells the IV that the whole was encrypted under the second time."""
    block = CIPHERS[kind][2]
    assert len(wrapped) >= 2 * block and len(wrapped) % block == 0
    last = cipher_of(kind, key, wrapped[-2 * block:-block]).decryptor().update(wrapped[-block:])
    outer = cipher_of(kind, key, last).decryptor()
    inner = outer.update(wrapped)[:-block] + last
    plain = cipher_of(kind, key, iv).decryptor().update(inner)
    size, check, content_key = plain[0], plain[1:4], plain[4:4 + plain[0]]
    assert bytes(octet ^ 0xFF for octet in check) == content_key[:3], "the password is wrong"
    assert len(content_key) == size
    return content_key


def degenerate_certificates(data):
    """The certificates of a certs-only SignedData, which must have no signers, no digests and no content at all."""
    return degenerate(data, 0xA0)


def degenerate_crls(data):
    """The same with revocation lists, and no certificates."""
    return degenerate(data, 0xA1)


def degenerate(data, tag):
    outer = der.read_one(data)
    assert der.dotted(outer[0]) == SIGNED_DATA
    parts = der.read_one(outer[1].content).children()
    assert [part.tag for part in parts] == [der.INTEGER, der.SET, der.SEQUENCE, tag, der.SET], "not degenerate, or of another kind"
    assert parts[0].raw == der.integer(1) and parts[1].content == b"" and parts[4].content == b""
    assert parts[2].raw == der.seq(der.oid(ID_DATA)), "a degenerate SignedData has no content field"
    return [node.raw for node in parts[3].children()]


def public_key_of(certificate):
    return identities.load(certificate).public_key().public_bytes(serialization.Encoding.DER,
                                                                  serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(certificate):
    return identities.load(certificate).fingerprint(hashes.SHA256()).hex()
