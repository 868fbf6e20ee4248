"""One picture: submit it, wait with a progress bar, save it.

CLIPIA_KEY=clipia_live_… python quickstart.py
"""

from clipia_queue import Clipia

with Clipia() as clipia:
    fox = clipia.submit("nano-banana-2", {"prompt": "a red fox in snow"})
    print(fox.request_id, "costs", fox.cost, "credits")
    picture = fox.wait(progress=True).raise_for_status()
    for path in picture.download("out"):
        print(path)
