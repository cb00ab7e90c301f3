"""What every pytest suite shares: the helpers of tests/support, and the fixtures of the gateway."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
