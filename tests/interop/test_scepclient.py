"""micromdm's scepclient (2.1.0 in Debian 12): sends DES and SHA-1 whatever is advertised, base64 transactionIDs with '/', '+' and '='.
The default alias must refuse it; an alias that opted in must serve it."""


def enrol(client, alias, challenge, check=True):
    return client.run("scepclient", "-server-url", client.gateway.url(alias), "-private-key", "key.pem", "-certificate", "device.pem",
                      "-challenge", challenge, "-cn", "mars", "-organization", "maker", "-ou", "unit", "-country", "CH", "-debug",
                      check=check)


def test_is_refused_by_default(client):
    before = len(client.gateway.audit())
    done = enrol(client, "demo", client.gateway.challenge("demo"), check=False)
    assert done.returncode != 0 and not (client.folder / "device.pem").exists()
    assert b"badAlg" in done.stdout + done.stderr
    refused = [line for line in client.gateway.audit()[before:] if line["event"] == "message.refused"]
    assert len(refused) == 1 and refused[0]["details"]["error"] == "ALGORITHM_REFUSED", refused


def test_is_served_when_asked_for(client):
    enrol(client, "legacy", client.gateway.challenge("legacy"))
    client.assert_enrolled("legacy", (client.folder / "device.pem").read_bytes(), (client.folder / "key.pem").read_bytes(),
                           "CN=mars,OU=unit,O=maker,C=CH")
    obsolete = client.gateway.audit("algorithm.obsolete")
    assert obsolete and all(line["alias"] == "legacy" for line in obsolete)


def test_obsolete_alias_does_not_claim_the_standard(client):
    words = client.gateway.get("legacy", "GetCACaps").body.decode().split()
    assert "SCEPStandard" not in words and "AES" in words
