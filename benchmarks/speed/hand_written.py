"""PyTorch as a good hand writes it: pictures as uint8 in memory, Adam, autocast, channels last, compiled or not."""

import contextlib
import sys

import torch

from benchmarks.speed.contestant import serve
from benchmarks.speed.torch_networks import VAE
from benchmarks.speed.workloads import WORKLOADS


def flops_of_a_step(model: VAE, x: torch.Tensor) -> float:
    """Operations of one picture's training step, forward and backward; a multiplication with its addition counts 2."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model.loss(x.float() / 255).backward()
    model.zero_grad()
    return counter.get_total_flops() / len(x)


def main(workload_name: str, options: str) -> None:
    """`options`: words among "bfloat16", "channels-last" and "compiled", with commas."""
    workload, chosen = WORKLOADS[workload_name], set(options.split(","))
    layout = torch.channels_last if "channels-last" in chosen else torch.contiguous_format
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images = (
        torch.from_numpy(workload.pictures()).permute(0, 3, 1, 2).contiguous(memory_format=layout).to(device)
    )
    model = VAE(workload).to(device, memory_format=layout)
    flops = flops_of_a_step(model, images[:2])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    loss_of, posterior_of, decode = model.loss, model.posterior, model.decode
    if "compiled" in chosen:
        loss_of, posterior_of, decode = (torch.compile(each) for each in (loss_of, posterior_of, decode))

    def precise() -> contextlib.AbstractContextManager[None]:
        return torch.autocast(device, torch.bfloat16, enabled="bfloat16" in chosen)

    def train(num: int) -> None:
        order = torch.randperm(len(images), device=device).repeat(
            -(-num * workload.batch_size // len(images))
        )
        for i in range(num):
            x = images[order[i * workload.batch_size : (i + 1) * workload.batch_size]].float() / 255
            with precise():
                loss = loss_of(x)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    def batch(i: int) -> torch.Tensor:
        start = i * workload.batch_size % len(images)
        return images[start : start + workload.batch_size].float() / 255

    @torch.inference_mode()
    def forward(num: int) -> None:
        for i in range(num):
            with precise():
                decode(posterior_of(batch(i))[0]).cpu().numpy()

    @torch.inference_mode()
    def embed(num: int) -> None:
        for i in range(num):
            with precise():
                mean, log_variance = posterior_of(batch(i))
            mean.cpu().numpy(), torch.exp(0.5 * log_variance).cpu().numpy()

    weights = sum(p.numel() for p in model.parameters())
    serve({"train": train, "forward": forward, "embed": embed}, {"weights": weights, "flops": flops})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
