"""What the tests of this folder share is imported by its plain name, in every import mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
