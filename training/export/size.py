"""How large a file is."""

import zlib
from pathlib import Path


def file_sizes(path: Path) -> dict[str, int]:
    """Measure a file in bytes, as it is and deflated, as in a ZIP archive or an app's package."""
    content = path.read_bytes()
    return {"bytes": len(content), "bytes_zipped": len(zlib.compress(content, 9))}
