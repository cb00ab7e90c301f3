"""Certificates for a Redis that speaks TLS: a CA, a server, a client, and a CA that has issued neither."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(subject, key, issuer=None, issuer_key=None, names=()):
    """A certificate, of a CA when it has no issuer, valid whatever time a stepped clock shows."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer.subject if issuer else name)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(datetime.datetime(2015, 1, 1)).not_valid_after(datetime.datetime(2049, 1, 1))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


def make(folder):
    """PEM files by what they are for: ca, server_certificate, server_key, certificate and key of the client, other_ca."""
    folder.mkdir()
    keys = {owner: ec.generate_private_key(ec.SECP256R1()) for owner in ("ca", "server", "client", "other")}
    ca = certificate("CA of a test's Redis", keys["ca"])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificates = {
        "ca": ca, "server_certificate": certificate("redis", keys["server"], ca, keys["ca"], names),
        "certificate": certificate("gateway", keys["client"], ca, keys["ca"]), "other_ca": certificate("Another CA", keys["other"])}
    files = {}
    for name, made in certificates.items():
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    for name, owner in (("server_key", "server"), ("key", "client")):
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(keys[owner].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                          serialization.NoEncryption()))
        files[name].chmod(0o600)
    return files
