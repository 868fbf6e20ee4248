"""Pictures that outlive the program: kill it at any moment and start it again, and it resumes.

Each picture is submitted, and charged, once.

    CLIPIA_KEY=clipia_live_… python resume.py pictures.json
"""

import json
import sys
import uuid
from pathlib import Path

from clipia_queue import Clipia

PROMPTS = ["a red fox in snow", "a lighthouse in a storm", "waves at dusk"]

file = Path(sys.argv[1] if len(sys.argv) > 1 else "pictures.json")


def save(pictures: list[dict[str, str]]) -> None:
    """Writes a new file and renames it, so that the file is whole even if the program is killed."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(pictures, indent=2))
    new.replace(file)


if not file.exists():
    # Chosen before the submits, so that a submit that was killed before its response can be found.
    save([{"prompt": prompt, "idempotency_key": str(uuid.uuid4())} for prompt in PROMPTS])
pictures: list[dict[str, str]] = json.loads(file.read_text())

with Clipia() as clipia:
    for picture in pictures:
        if "request_id" not in picture:
            job = clipia.submit(
                "nano-banana-2", {"prompt": picture["prompt"]}, idempotency_key=picture["idempotency_key"]
            )
            picture["request_id"] = job.request_id
            save(pictures)
    for result in clipia.wait_all([picture["request_id"] for picture in pictures]):
        print(result.request_id, result.status)
