"""A SCEP server that shares nothing with the gateway: for trying clients, and for answers that no honest server gives."""

import base64
import datetime
import hashlib
import http.server
import os
import threading
import urllib.parse
from dataclasses import dataclass, field

import der
import identities
import scepmsg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

DER = serialization.Encoding.DER


def certify(subject, public_key, issuer, issuer_key, *, ca=False, usage=None, more=()):
    now = datetime.datetime.utcnow()
    names = [subject if isinstance(subject, x509.Name) else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
             x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])]
    builder = (x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(public_key)
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
               .not_valid_after(now + datetime.timedelta(days=30))
               .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
    if usage:
        flags = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                               "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(**(flags | dict.fromkeys(usage, True))), critical=True)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass
class Seen:
    """A request as the server understood it."""

    method: str
    message_type: int
    transaction_id: bytes
    sender_nonce: bytes
    digest: str
    cipher: str
    signer: bytes  # certificate, DER
    payload: bytes


@dataclass
class Answer:
    status: int = scepmsg.SUCCESS
    fail_info: int = None
    fail_text: str = None
    bend: dict = field(default_factory=dict)  # attribute OID -> DER of the whole SET of values; None: leave out
    content: bytes = None  # instead of what belongs there
    signer: tuple = None  # (key, certificate) instead of the RA
    certificates: list = None  # inside the envelope, instead of the issued one
    http_status: int = 200
    embed: bool = True  # the signer's certificate in the reply, which NDES leaves out


class ScepServer:
    """Serves until closed. `decide` gets a Seen and returns an Answer."""

    def __init__(self, decide=lambda seen: Answer(), capabilities="AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSCEPStandard\n"):
        self.decide = decide
        self.capabilities = capabilities
        self.seen, self.targets = [], []  # requests, and what stood in their request lines
        self.ca_type, self.capabilities_type = "application/x-x509-ca-ra-cert", "text/plain"
        self.ca_key, self.ra_key = identities.key(number="ca"), identities.key(number="ra")
        self.ca = certify("Test CA", self.ca_key.public_key(), "Test CA", self.ca_key, ca=True, usage=["key_cert_sign"])
        self.ra = certify("Test RA", self.ra_key.public_key(), "Test CA", self.ca_key,
                          usage=["digital_signature", "key_encipherment"])
        self.extra = []  # more certificates of GetCACert, DER
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}/scep/test"

    @property
    def fingerprint(self):
        return self.ca.fingerprint(hashes.SHA256()).hex()

    def bag(self):
        certificates = b"".join([*self.extra, self.ra.public_bytes(DER), self.ca.public_bytes(DER)])
        return degenerate(certificates)

    def next_body(self):
        """The answer to GetNextCACert; None: there is no successor."""

    def read(self, method, message):
        """Opens a request, asserting the form that RFC 8894 gives it."""
        parts = der.read_one(der.read_one(message)[1].content).children()
        content = der.read_one(parts[2][1].content).content
        signer = der.read_one(parts[3].content).raw
        info = parts[-1].children()[0].children()
        attributes = {der.dotted(node[0]): node[1].children()[0] for node in info[3].children()}
        digest = scepmsg.name_of_oid(scepmsg.DIGESTS, der.dotted(info[2][0]))
        assert attributes[scepmsg.MESSAGE_DIGEST].content == hashlib.new(digest, content).digest()
        public = identities.load(signer).public_key()
        signed = der.tlv(der.SET, info[3].content)
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(info[5].content, signed, padding.PKCS1v15(), identities.HASHES[digest]())
        assert attributes[scepmsg.TRANSACTION_ID].tag == der.PRINTABLE and attributes[scepmsg.MESSAGE_TYPE].tag == der.PRINTABLE
        cipher, payload = self.decrypt(content)
        return Seen(method, int(attributes[scepmsg.MESSAGE_TYPE].content), attributes[scepmsg.TRANSACTION_ID].content,
                    attributes[scepmsg.SENDER_NONCE].content, digest, cipher, signer, payload)

    def decrypt(self, content):
        _, recipients, encrypted = der.read_one(der.read_one(content)[1].content).children()
        serial = self.ra.serial_number
        info = next(info for info in recipients.children() if info[1][1].raw == der.integer(serial))
        content_key = self.ra_key.decrypt(info[3].content, padding.PKCS1v15())
        cipher = scepmsg.name_of_oid(scepmsg.CIPHERS, der.dotted(encrypted[1][0]))
        decryptor = scepmsg.cipher_of(cipher, content_key, encrypted[1][1].content).decryptor()
        plain = decryptor.update(encrypted[2].content) + decryptor.finalize()
        return cipher, plain[:-plain[-1]]

    def issue(self, csr):
        request = x509.load_der_x509_csr(csr)
        assert request.is_signature_valid
        certificate = certify(request.subject, request.public_key(), "Test CA", self.ca_key)
        return certificate.public_bytes(DER)

    def reply(self, seen, answer):
        content = answer.content
        if content is None and answer.status == scepmsg.SUCCESS:
            inside = answer.certificates if answer.certificates is not None else [self.issue(self.csr_of(seen))]
            content = scepmsg.Envelope([seen.signer], cipher=seen.cipher).build(degenerate(b"".join(inside)))
        values = {scepmsg.CONTENT_TYPE: der.oid(scepmsg.ID_DATA),
                  scepmsg.MESSAGE_DIGEST: der.octets(hashlib.new(seen.digest, content or b"").digest()),
                  scepmsg.MESSAGE_TYPE: der.text("3"), scepmsg.PKI_STATUS: der.text(str(int(answer.status))),
                  scepmsg.TRANSACTION_ID: der.tlv(der.PRINTABLE, seen.transaction_id),
                  scepmsg.RECIPIENT_NONCE: der.octets(seen.sender_nonce), scepmsg.SENDER_NONCE: der.octets(os.urandom(16))}
        if answer.fail_info is not None:
            values[scepmsg.FAIL_INFO] = der.text(str(int(answer.fail_info)))
        if answer.fail_text is not None:
            values[scepmsg.FAIL_INFO_TEXT] = der.text(answer.fail_text, der.UTF8)
        sets = {identifier: der.set_of(value) for identifier, value in values.items()} | answer.bend
        attributes = b"".join(sorted(der.seq(der.oid(identifier), value) for identifier, value in sets.items() if value))
        return self.sign(attributes, content, seen.digest, answer.signer or (self.ra_key, self.ra.public_bytes(DER)),
                         answer.embed)

    def sign(self, attributes, content, digest, signer, embed):
        key, certificate = signer
        serial, issuer, _ = scepmsg.certificate_fields(certificate)
        algorithm = der.seq(der.oid(scepmsg.DIGESTS[digest]), der.null())
        info = der.seq(der.integer(1), der.seq(issuer, serial), algorithm, der.tlv(0xA0, attributes),
                       der.seq(der.oid(scepmsg.RSA_ENCRYPTION), der.null()),
                       der.octets(identities.sign(key, der.tlv(der.SET, attributes), digest)))
        inner = der.tlv(0xA0, der.octets(content)) if content is not None else b""
        data = der.seq(der.integer(1), der.set_of(algorithm), der.seq(der.oid(scepmsg.ID_DATA), inner),
                       der.tlv(0xA0, certificate) if embed else b"", der.set_of(info))
        return der.seq(der.oid(scepmsg.SIGNED_DATA), der.tlv(0xA0, data))

    def csr_of(self, seen):
        """A poll gets what its first request asked for."""
        first = next(other for other in self.seen if other.transaction_id == seen.transaction_id and other.message_type != 20)
        return first.payload

    def pki_operation(self, method, message):
        try:
            seen = self.read(method, message)
        except StopIteration:  # encrypted to somebody else
            return 400, b""
        self.seen.append(seen)
        answer = self.decide(seen)
        return answer.http_status, self.reply(seen, answer)

    def handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def send(self, status, kind, body):
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                server.targets.append(self.path)
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query.replace("+", "%2B"))
                operation = query["operation"][0]
                if operation == "GetCACaps":
                    self.send(200 if server.capabilities is not None else 404, server.capabilities_type, (server.capabilities or "").encode())
                elif operation == "GetCACert":
                    self.send(200, server.ca_type, server.bag())
                elif operation == "GetNextCACert":
                    body = server.next_body()
                    self.send(404 if body is None else 200, "application/x-x509-next-ca-cert", body or b"")
                else:
                    message = base64.b64decode(query["message"][0], validate=True)
                    self.send(*self.answered(server.pki_operation("GET", message)))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/x-pki-message"
                self.send(*self.answered(server.pki_operation("POST", body)))

            @staticmethod
            def answered(pair):
                return pair[0], "application/x-pki-message", pair[1]

            def log_message(self, *arguments):
                pass

        return Handler


def degenerate(certificates):
    data = der.seq(der.integer(1), der.tlv(der.SET), der.seq(der.oid(scepmsg.ID_DATA)), der.tlv(0xA0, certificates),
                   der.tlv(der.SET))
    return der.seq(der.oid(scepmsg.SIGNED_DATA), der.tlv(0xA0, data))
