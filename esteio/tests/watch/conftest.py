"""What the tests of this folder share with those of alerts is imported by its plain name, in every import mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "alert"))
