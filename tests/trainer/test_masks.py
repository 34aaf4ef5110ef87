"""Pictures and their masks: the same names, the same sizes, the same cuts."""

from pathlib import Path

from PIL import Image

from domain.config.buckets import Geometry
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from trainer.data.captions import read_caption_rules
from trainer.data.masks import with_masks
from trainer.data.pictures import read_picture
from trainer.data.samples import read_samples


def save(path: Path, size: tuple[int, int], *, mode: str = "RGB") -> None:
    """White where it is bright, so that a picture and its mask can be told to be cut alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.linear_gradient("L").resize(size).transpose(Image.Transpose.ROTATE_90).resize(size)
    image.convert(mode).save(path)


def test_masks_are_found_by_name_and_cut_as_their_pictures(tmp_path: Path) -> None:
    pictures, masks = tmp_path / "pictures", tmp_path / "masks"
    save(pictures / "a.png", (200, 100))
    save(masks / "a.webp.png", (1, 1))
    save(masks / "a.bmp", (200, 100), mode="L")
    save(pictures / "deep" / "caf\u00e9.png", (90, 300))
    save(masks / "deep" / "cafe\u0301.png", (90, 300), mode="L")
    save(pictures / "alone.png", (64, 64))
    save(pictures / "other.png", (64, 64))
    save(masks / "other.png", (64, 65))
    save(pictures / "z.png", (64, 64))
    (masks / "z.png").write_bytes(b"nonsense")
    dataset = DatasetConfig(id="ink", instance_data_dir=str(pictures))
    found = read_samples(
        dataset,
        number=0,
        geometry=Geometry(resolution=64, alignment=8, crop_style="random"),
        captions=read_caption_rules(dataset, TrainingConfig(model_family="sd1x")),
        seed=1,
    )
    paired = with_masks(found, DatasetConfig(id="masks", instance_data_dir=str(masks), dataset_type="conditioning"))
    assert [str(sample.mask) for sample in paired.samples] == [str(masks / "a.bmp"), str(masks / "deep/cafe\u0301.png")]
    for sample in paired.samples:
        assert sample.mask is not None
        picture, mask = (read_picture(each, sample.placement) for each in (sample.picture, sample.mask))
        assert picture.tobytes() == mask.tobytes()
    *named, unreadable = paired.left_out
    assert named == [
        f"{pictures}/alone.png has no mask of its name in dataset 'masks'",
        f"{pictures}/other.png is 64×64 and its mask {masks}/other.png is 64×65; make them the same size",
    ]
    assert unreadable.startswith(f"{pictures}/z.png has no mask: {masks}/z.png cannot be read as a picture: ")
