"""FLUX.1 schnell of diffusers behind the queue, or by hand. It needs a GPU of 24 GB.

    pip install clipia-queue torch diffusers transformers accelerate sentencepiece protobuf
    python flux.py --prompt "a red fox in snow" --seed 7 --out foxes

Behind the queue it is an executor of `models.toml`. The weights are loaded once, before the first job:

    [[executor]]
    name = "gpu"
    command = ["/srv/models/venv/bin/python", "/srv/models/flux.py"]
    warm = true
    devices = ["0"]
"""

import sys

from clipia_queue.worker import Job, serve

try:
    import torch
    from diffusers import FluxPipeline
except ImportError as error:
    sys.exit(f"{error}: pip install torch diffusers transformers accelerate sentencepiece protobuf")

pipe = FluxPipeline.from_pretrained("black-forest-labs/FLUX.1-schnell", torch_dtype=torch.bfloat16)
pipe.enable_model_cpu_offload()


def make(job: Job) -> object:
    return pipe(
        job.input["prompt"],
        num_inference_steps=job.input.get("steps", 4),
        guidance_scale=0.0,
        max_sequence_length=256,
        generator=torch.Generator().manual_seed(job.seed),  # a seed that was drawn is in the output
        callback_on_step_end=job.step(),  # progress, and the end of a canceled request
    ).images


serve(make)
