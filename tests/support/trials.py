"""How often chance is tried: a part each time, as many as one likes by ``TRIALS=100 pytest …``."""

import os
from typing import Final

TRIALS: Final = int(os.environ.get("TRIALS", "25"))
