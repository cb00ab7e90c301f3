#!/usr/bin/python3
"""Makes the seeds of the fuzz targets open, envelope and pwri that odd clients would send.

    /usr/bin/python3 -B tests/data/scep/make_odd.py

They are for the RA of tests/data, and what test_m_odd_messages.py sends to a gateway.
"""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SEEDS = HERE.parent.parent / "fuzz" / "corpus"
sys.path.insert(0, str(HERE.parent.parent / "support"))

import ber  # noqa: E402
import der  # noqa: E402
import identities  # noqa: E402
import scepmsg  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402


def key(name):
    return serialization.load_pem_private_key((HERE.parent / "keys" / f"{name}.pem").read_bytes(), None)


def certificate(name):
    loaded = identities.x509.load_pem_x509_certificate((HERE / f"{name}.pem").read_bytes())
    return loaded.public_bytes(serialization.Encoding.DER)


def main():
    ra, rsa = certificate("ra"), identities.Identity(private=key("client-rsa"), certificate=certificate("device"))
    elliptic = identities.Identity(private=key("client-ec"))
    csr = identities.csr(rsa.key, challenge="fixture-challenge")

    def message(identity=rsa, payload=csr, **bend):
        return scepmsg.Request(identity, [ra], payload, **({"transaction_id": "fixture"} | bend)).build()

    oaep = {"transport": "oaep", "oaep_digest": "sha1", "mgf1_digest": "sha1", "oaep_parameters": der.seq()}
    envelope = scepmsg.Envelope([ra]).build(csr)
    shapes = {shape.replace(" ", "-").replace(",", ""): shape for shape in ber.SHAPES}
    messages = {"windows-oaep": message(envelope=oaep), "oiw-sha1": message(digest="sha1", signature="1.3.14.3.2.29"),
                "t61-id": message(text_tag=der.T61), "update": message(message_type="18"),
                "ec-signer": message(elliptic, identities.csr(elliptic.key, challenge="fixture-challenge"))}
    messages |= {f"ber-{name}": ber.loosen(message(), shape) for name, shape in shapes.items()}
    envelopes = {"windows-oaep": scepmsg.Envelope([ra], **oaep).build(csr)}
    envelopes |= {f"ber-{name}": ber.loosen(envelope, shape, (der.OCTETS, 0x80)) for name, shape in shapes.items()}
    passwords = {cipher: subprocess.run(["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", f"-{cipher}", "-pwri_password",
                                         "fixture"], input=b"content", capture_output=True, check=True).stdout
                 for cipher in ("aes128", "aes256", "des3")}
    for target, files in (("open", messages), ("envelope", envelopes), ("pwri", passwords | {"transport": envelope})):
        folder = SEEDS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / f"{name}.der").write_bytes(content)


if __name__ == "__main__":
    main()
