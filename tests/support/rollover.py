"""A CA that is followed by another: staged in the settings of a gateway, and what GetNextCACert says of it."""

import datetime

import der
import identities
import scepmsg
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

NEXT_CA_TYPE = "application/x-x509-next-ca-cert"
FAR = 10 * 24 * 3600  # seconds


def moment(seconds):
    """RFC 3339, so many seconds from now."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Successor:
    """Its files, made with the gateway's own tool, and the rows that stage it."""

    def __init__(self, gateway, folder=None, *, name="next", options=(), key_type="rsa-2048"):
        folder = folder or gateway.folder
        self.key, self.certificate = str(folder / f"{name}-key.pem"), str(folder / f"{name}.pem")
        gateway.tool("ca", "init", "--key", self.key, "--cert", self.certificate, "--key-type", key_type,
                     "--subject", f"CN=The {name} CA", *options)
        with open(self.certificate, "rb") as file:
            self.der = x509.load_pem_x509_certificate(file.read()).public_bytes(scepmsg.serialization.Encoding.DER)

    def rows(self, when):
        since = when if isinstance(when, str) else moment(when)
        return {"successor": {"certificate": self.certificate, "key": self.key, "from": since}}


def stage(gateway, successor, when, backend="ca"):
    """Writes it into the settings of a gateway, which has to start or to reload then; None takes it out. `when`: a moment, or
    seconds from now."""
    backends = dict(gateway.settings()["backends"])
    rows = {name: value for name, value in backends[backend].items() if name != "successor"}
    gateway.overrides["backends"] = backends | {backend: rows | (successor.rows(when) if successor else {})}
    gateway.write_settings()


def capabilities(gateway, alias="demo"):
    return gateway.get(alias, "GetCACaps").body.decode().split()


class Announcement:
    """The answer to GetNextCACert, read down to its bytes."""

    def __init__(self, answer):
        assert answer.status == 200, (answer.status, answer.body)
        assert answer.headers["content-type"] == NEXT_CA_TYPE
        self.body = answer.body
        self.signed = scepmsg.Reply(answer.body)  # one signer, id-data, DER
        self.signed.verify()
        self.outer = self.signed.certificates
        self.inner = scepmsg.degenerate_certificates(self.signed.content)

    @property
    def ca(self):
        return next(one for one in self.inner if identities.is_ca(one))

    @property
    def ra(self):
        """The one to encrypt to: the first, and with CA-as-RA the CA itself."""
        return self.inner[0]


def announced(gateway, alias="demo"):
    return Announcement(gateway.get(alias, "GetNextCACert"))


def is_staged(gateway, alias="demo"):
    return gateway.get(alias, "GetNextCACert").status == 200


def issuer_of(certificate):
    return identities.load(certificate).issuer.rfc4514_string()


def verified_under(certificate, ca):
    """Did this CA sign the certificate?"""
    one, issuer = identities.load(certificate), identities.load(ca)
    if one.issuer != issuer.subject:
        return False
    rule = [padding.PKCS1v15()] if isinstance(issuer.public_key(), rsa.RSAPublicKey) else []
    rule += [one.signature_hash_algorithm] if rule else [ec.ECDSA(one.signature_hash_algorithm)]
    try:
        issuer.public_key().verify(one.signature, one.tbs_certificate_bytes, *rule)
    except InvalidSignature:
        return False
    return True


def switched(gateway):
    return any(line["event"] == "ca.switched" for line in gateway.log_lines())


def without_signer_info(body):
    """The same SignedData with nobody's signature."""
    outer = der.read_one(body)
    parts = [node.raw for node in der.read_one(outer[1].content).children()]
    return der.seq(outer[0].raw, der.tlv(0xA0, der.seq(*parts[:-1], der.tlv(der.SET))))
