"""The marks that tie a test to the lines of the catalogues."""


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(*ids): the lines of requirements.txt that this test holds")
    config.addinivalue_line("markers", "quirk(*ids): the lines of quirks.txt that this test holds")
