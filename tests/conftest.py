"""What every pytest suite shares: the helpers of tests/support, and the gateway as fixtures."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

from gateway import Gateway  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(*ids): the lines of conformance/requirements.txt that a test holds")
    config.addinivalue_line("markers", "quirk(*ids): the lines of conformance/quirks.txt that a test holds")


ONE_TIME = {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}}
OPEN = {"backend": "ca", "challenge": {"type": "none"}}
ALIASES = {
    "demo": ONE_TIME,
    "open": OPEN,
    "other": ONE_TIME | {"tenant": "other"},
    "static": {"backend": "ca", "challenge": {"type": "static", "secret": {"value": "the shared canary of one alias"},
                                              "failure_limit": 0}},
    "modern": OPEN | {"algorithms": {"ciphers": ["aes128", "aes192", "aes256"],
                                     "digests": ["sha224", "sha256", "sha384", "sha512"]}},
    "legacy": OPEN | {"compat": {"obsolete_algorithms": ["des", "md5"]}},
    "silent": OPEN | {"compat": {"fail_info_text": False}},
    "postonly": OPEN | {"compat": {"get_pki_operation": False}},
    "extra": OPEN | {"paths": ["/cgi-bin/pkiclient.exe", "/certsrv/mscep/mscep.dll"]},
    "strict": OPEN | {"policy": {"subject": {"CN": {"required": True, "patterns": ["[a-z]+[0-9]*"]}, "OU": {"forbidden": True}},
                                 "other_subject_fields": False, "san": {"dns": {"patterns": ["[a-z.]+\\.example"]}}}},
    "direct": OPEN | {"ra": {"from": "ca"}, "backend": "direct"},
}
BACKENDS = {"ca": {"type": "local_ca", "key_type": "rsa-2048"},
            "direct": {"type": "local_ca", "key_type": "rsa-2048", "answers_scep": True}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for a whole file of tests, with an alias for every taste."""
    gateway = Gateway(tmp_path_factory.mktemp("shared"), ALIASES, backends=BACKENDS)
    gateway.secrets.add("the shared canary of one alias")
    gateway.start()
    yield gateway
    gateway.close()


@pytest.fixture
def gateways(tmp_path):
    """Makes gateways of a test's own; all are closed, and looked at, when it ends."""
    made = []

    def make(aliases=None, **settings):
        folder = tmp_path / f"g{len(made)}"
        folder.mkdir()
        made.append(Gateway(folder, aliases, **settings))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def gateway(gateways):
    """A running gateway of the test's own, with the alias demo."""
    return gateways({"demo": ONE_TIME}).start()
