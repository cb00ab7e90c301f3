"""CAs and RA certificates that the administrator of a gateway brings along as PEM files."""

import datetime

import identities
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
          "crl_sign", "encipher_only", "decipher_only")


class Authority:
    """A key and a certificate, below an issuer or self-signed."""

    def __init__(self, name, usage, issuer=None, ca=False, kind="rsa", days=30):
        self.issuer, self.key = issuer, identities.key(kind, number=name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        above = issuer or self
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.certificate.subject if issuer else subject)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca, None), critical=True)
                   .add_extension(x509.KeyUsage(**{name: name in usage for name in USAGES}), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False))
        self.certificate = builder.sign(above.key, hashes.SHA256())

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder, name):
        """name.pem and name-key.pem; their paths."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return str(certificate), str(key)


def root(name="Root"):
    return Authority(name, ("key_cert_sign", "crl_sign"), ca=True)


def below(issuer, name="Issuing CA", kind="rsa"):
    return Authority(name, ("key_cert_sign", "crl_sign"), issuer, ca=True, kind=kind)
