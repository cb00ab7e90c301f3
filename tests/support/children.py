"""Processes that end with the test run, however it ends."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

# The kernel kills such a child when the thread that started it ends: this one lives as long as the process.
starter = ThreadPoolExecutor(1)


def start(command, **options):
    """subprocess.Popen of a command that is killed when this process is gone."""
    return starter.submit(subprocess.Popen, ["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL,
                          **options).result()
