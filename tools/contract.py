"""Write what callers may rely on as documents: `make openapi`. A test compares both with the code."""

import json
import tempfile
from pathlib import Path
from typing import Any

from cylinder_api.app import create_app
from cylinder_api.catalogue import markdown
from cylinder_api.folder import make_folder
from cylinder_api.service import open_service
from cylinder_api.settings import settings_for

DOCS = Path(__file__).parents[1] / "docs"
OPENAPI, PROBLEMS = DOCS / "openapi.json", DOCS / "problems.md"


def main() -> None:
    """Rewrite both documents."""
    OPENAPI.write_text(openapi_text(openapi()), "utf-8")
    PROBLEMS.write_text(markdown(), "utf-8")
    print(f"{OPENAPI.name} and {PROBLEMS.name} say what the code says; look at the difference before you commit it.")


def openapi() -> dict[str, Any]:
    """The document of the service as it is built now."""
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder))
        service = open_service(settings_for(Path(folder), environment={}))
        try:
            return create_app(service).openapi()
        finally:
            service.close()


def openapi_text(document: dict[str, Any]) -> str:
    """As it is kept: indented, so that a change is seen line by line."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    main()
