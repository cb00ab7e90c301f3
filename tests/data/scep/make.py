#!/usr/bin/python3
"""Makes the seeds of the fuzz targets open, envelope and csr with asn1crypto and cryptography. The unit test open_fixtures reads them too.

    /usr/bin/python3 tests/data/scep/make.py

Only ra.pem and device.pem are kept from one run to the next: the messages name and hold them.
"""
import datetime
import hashlib
import ipaddress
import pathlib
import secrets

from asn1crypto import algos, cms, core, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).resolve().parent
SEEDS = HERE.parent.parent / "fuzz" / "corpus"
TYPE, NONCE, TRANSACTION = ("2.16.840.1.113733.1.9." + last for last in ("2", "5", "7"))
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
CIPHERS = {"aes128_cbc": (algorithms.AES, 16, 16), "aes192_cbc": (algorithms.AES, 24, 16), "aes256_cbc": (algorithms.AES, 32, 16),
           "tripledes_3key": (algorithms.TripleDES, 24, 8)}


def key(name):
    return serialization.load_pem_private_key((HERE.parent / "keys" / f"{name}.pem").read_bytes(), None)


def certificate(name, private):
    path = HERE / f"{name}.pem"
    if not path.exists():
        subject = pyca.Name([pyca.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime(2026, 1, 1)
        made = (pyca.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(private.public_key())
                .serial_number(pyca.random_serial_number()).not_valid_before(now)
                .not_valid_after(now + datetime.timedelta(days=36500))
                .add_extension(pyca.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
                .sign(private, hashes.SHA256()))
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return pyca.load_pem_x509_certificate(path.read_bytes())


def native(made):
    return x509.Certificate.load(made.public_bytes(serialization.Encoding.DER))


RA_KEY, DEVICE_KEY, EC_KEY = key("ra-rsa"), key("client-rsa"), key("client-ec")
RA, DEVICE = certificate("ra", RA_KEY), certificate("device", DEVICE_KEY)


def request(private=DEVICE_KEY, digest="sha256", challenge="fixture-challenge", sans=True):
    builder = pyca.CertificateSigningRequestBuilder().subject_name(pyca.Name([
        pyca.NameAttribute(NameOID.COUNTRY_NAME, "AT"), pyca.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
        pyca.NameAttribute(NameOID.COMMON_NAME, "device-17")]))
    if challenge:
        builder = builder.add_attribute(pyca.oid.AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    if sans:
        builder = builder.add_extension(pyca.SubjectAlternativeName([
            pyca.DNSName("device-17.example"), pyca.RFC822Name("device@example"), pyca.IPAddress(ipaddress.ip_address("192.0.2.17")),
            pyca.UniformResourceIdentifier("urn:example:17"),
            pyca.OtherName(pyca.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), core.UTF8String("device@ad.example").dump())]), False)
    return builder.sign(private, HASHES[digest]()).public_bytes(serialization.Encoding.DER)


def envelope(content, cipher="aes128_cbc", oaep=None, by_key_id=None):
    algorithm, key_size, block = CIPHERS[cipher]
    content_key, iv = secrets.token_bytes(key_size), secrets.token_bytes(block)
    pad = block - len(content) % block
    encryptor = Cipher(algorithm(content_key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(content + bytes([pad]) * pad) + encryptor.finalize()
    if oaep:
        scheme = padding.OAEP(padding.MGF1(HASHES[oaep]()), HASHES[oaep](), None)
        transport = {"algorithm": "rsaes_oaep", "parameters": {
            "hash_algorithm": {"algorithm": oaep},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": oaep}}}}
    else:
        scheme, transport = padding.PKCS1v15(), {"algorithm": "rsaes_pkcs1v15"}
    ra = native(RA)
    if by_key_id:
        identifier = ra.key_identifier if by_key_id == "plain" else core.OctetString(ra.key_identifier).dump()
        rid, version = cms.RecipientIdentifier("subject_key_identifier", core.OctetString(identifier)), "v2"
    else:
        rid, version = cms.RecipientIdentifier("issuer_and_serial_number", {"issuer": ra.issuer, "serial_number": ra.serial_number}), "v0"
    return cms.ContentInfo({"content_type": "enveloped_data", "content": {
        "version": "v0",
        "recipient_infos": [cms.RecipientInfo("ktri", {
            "version": version, "rid": rid, "key_encryption_algorithm": transport,
            "encrypted_key": RA_KEY.public_key().encrypt(content_key, scheme)})],
        "encrypted_content_info": {"content_type": "data",
                                   "content_encryption_algorithm": {"algorithm": cipher, "parameters": iv},
                                   "encrypted_content": ciphertext}}}).dump()


def length(count):
    if count < 128:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def tagged(tag, body):
    return bytes([tag]) + length(len(body)) + body


def scep_attributes(content, kind, digest, transaction, nonce):
    values = (("1.2.840.113549.1.9.3", core.ObjectIdentifier("1.2.840.113549.1.7.1")),
              ("1.2.840.113549.1.9.4", core.OctetString(hashlib.new(digest, content).digest())),
              (TYPE, core.PrintableString(str(kind))), (TRANSACTION, core.PrintableString(transaction)),
              (NONCE, core.OctetString(nonce)))
    return b"".join(sorted(tagged(0x30, core.ObjectIdentifier(oid).dump() + tagged(0x31, value.dump())) for oid, value in values))


def message(content, kind=19, digest="sha256", transaction="fixture", nonce=b"0123456789abcdef", pss=False):
    attributes = scep_attributes(content, kind, digest, transaction, nonce)
    scheme = padding.PSS(padding.MGF1(HASHES[digest]()), 32) if pss else padding.PKCS1v15()
    signature = DEVICE_KEY.sign(tagged(0x31, attributes), scheme, HASHES[digest]())
    if pss:
        algorithm = algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": {
            "hash_algorithm": {"algorithm": digest}, "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
            "salt_length": 32}})
    else:
        algorithm = algos.SignedDigestAlgorithm({"algorithm": f"{digest}_rsa"})
    device = native(DEVICE)
    signer = tagged(0x30, core.Integer(1).dump()
                    + cms.IssuerAndSerialNumber({"issuer": device.issuer, "serial_number": device.serial_number}).dump()
                    + algos.DigestAlgorithm({"algorithm": digest}).dump() + tagged(0xA0, attributes) + algorithm.dump()
                    + core.OctetString(signature).dump())
    data = tagged(0x30, core.Integer(1).dump() + tagged(0x31, algos.DigestAlgorithm({"algorithm": digest}).dump())
                  + tagged(0x30, core.ObjectIdentifier("1.2.840.113549.1.7.1").dump() + tagged(0xA0, core.OctetString(content).dump()))
                  + tagged(0xA0, device.dump()) + tagged(0x31, signer))
    return tagged(0x30, core.ObjectIdentifier("1.2.840.113549.1.7.2").dump() + tagged(0xA0, data))


def names(text):
    return x509.Name.build({"common_name": text}).dump()


def main():
    requests = {"rsa": request(), "ec": request(EC_KEY), "bare": request(challenge=None, sans=False), "sha512": request(digest="sha512")}
    poll = tagged(0x30, names("CA") + names("device-17"))
    serial = tagged(0x30, names("CA") + core.Integer(0x1234567890).dump())
    envelopes = {"aes128": envelope(requests["rsa"]), "aes256": envelope(requests["rsa"], "aes256_cbc"),
                 "des3": envelope(requests["rsa"], "tripledes_3key"), "oaep": envelope(requests["rsa"], oaep="sha1"),
                 "oaep256": envelope(requests["rsa"], "aes256_cbc", oaep="sha256"), "ec": envelope(requests["ec"]),
                 "key-id": envelope(requests["rsa"], by_key_id="plain"), "wrapped-key-id": envelope(requests["rsa"], by_key_id="wrapped"),
                 "poll": envelope(poll), "serial": envelope(serial)}
    decimal = str(int.from_bytes(hashlib.sha256(b"decimal").digest(), "big"))
    messages = {"aes128-sha256": message(envelopes["aes128"]), "aes256-sha512": message(envelopes["aes256"], digest="sha512"),
                "des3-sha1": message(envelopes["des3"], digest="sha1", nonce=b"8 octets"), "oaep": message(envelopes["oaep"]),
                "oaep256": message(envelopes["oaep256"]), "pss": message(envelopes["aes128"], pss=True),
                "ec-csr": message(envelopes["ec"], transaction=decimal), "key-id": message(envelopes["key-id"]),
                "wrapped-key-id": message(envelopes["wrapped-key-id"], transaction="GAPiVnDq7vBtDQ+KZ/0vTV9LX2c="),
                "renewal": message(envelopes["aes128"], 17), "poll": message(envelopes["poll"], 20),
                "get-cert": message(envelopes["serial"], 21), "get-crl": message(envelopes["serial"], 22)}
    for target, files in (("open", messages), ("envelope", envelopes), ("csr", requests)):
        folder = SEEDS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / f"{name}.der").write_bytes(content)


if __name__ == "__main__":
    main()
