"""What the options of devices come to."""

import pytest

from domain.config.training import TrainingConfig
from trainer.devices import clear_cache_if_due, start_accelerator


@pytest.mark.parametrize(("written", "expected"), [(None, False), (False, False), (True, True)])
def test_processes_look_for_unused_weights_where_that_is_asked_for(written: bool | None, expected: bool) -> None:
    accelerator = start_accelerator(TrainingConfig(model_family="sdxl", find_unused_parameters=written))
    assert accelerator.ddp_handler.find_unused_parameters is expected


@pytest.mark.parametrize(("interval", "cleared"), [(None, []), (0, []), (2, [2, 4])])
def test_memory_is_given_back_every_so_many_steps(
    interval: int | None, cleared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainingConfig(model_family="sdxl", accelerator_cache_clear_interval=interval)
    seen = []
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    for step in range(1, 6):
        monkeypatch.setattr("torch.accelerator.empty_cache", lambda step=step: seen.append(step))
        clear_cache_if_due(step, config)
    assert seen == cleared
