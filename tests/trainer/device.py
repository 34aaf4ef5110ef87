"""What the trainers of the tests compute on: a GPU where there is one."""

import torch

CPU = torch.device("cpu")
DEVICE = torch.accelerator.current_accelerator(check_available=True) or CPU

EXACT = 1e-5 if DEVICE == CPU else 1e-4
"""How far a loss may be from the same formula on the CPU, as a part of it: other kernels add up in another order."""
