"""Keep a driving video's motion as a template file."""

from dataclasses import dataclass
from pathlib import Path

from liveportrait.animate.animation import Progress, Steps
from liveportrait.animate.job import PICTURE_SUFFIXES, TEMPLATE_SUFFIXES, VIDEO_SUFFIXES, Quality
from liveportrait.animate.neural_driver import Driver, driver_template
from liveportrait.animation.template import save_template
from liveportrait.neural.engine import networks_of
from liveportrait.runtime.decoder import load_decoder
from models.device import DevicePolicy
from models.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TemplateJob:
    """One template. Raises ConfigError for files that are not there or of another kind."""

    driver: Driver
    out: Path  # .pkl or .safetensors
    quality: Quality = "quality"
    animal: bool = False  # the animals' motion extractor
    seeded_weights: bool = False

    def __post_init__(self) -> None:
        accepted = PICTURE_SUFFIXES | VIDEO_SUFFIXES
        if self.driver.path.suffix.lower() not in accepted:
            raise ConfigError(
                f"driving is {self.driver.path}; accepted: files {', '.join(sorted(accepted))}"
            )
        if not self.driver.path.is_file():
            raise ConfigError(f"there is no driving file {self.driver.path}")
        if self.out.suffix.lower() not in TEMPLATE_SUFFIXES:
            raise ConfigError(f"out is {self.out}; accepted: .pkl, .safetensors")
        if not self.out.absolute().parent.is_dir():
            raise ConfigError(f"there is no folder {self.out.parent} to write {self.out.name} to")


def write_template(job: TemplateJob, progress: Progress | None = None) -> int:
    """Write the template; its number of frames. Raises as ``animate`` does."""
    networks = networks_of(job.driver.weights, seeded=job.seeded_weights, animal=job.animal)
    decoder = load_decoder(networks, DevicePolicy.for_this_machine(), job.quality)
    template = driver_template(job.driver, decoder, Steps(progress or (lambda *_: None)))
    save_template(template, job.out)
    return len(template)
