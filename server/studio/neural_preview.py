"""The liveportrait engine behind the sliders: official amounts, seconds a picture on a CPU."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.studio.own_ratios import OwnRatios
from server.studio.preview import KEPT_PORTRAITS, PreviewPicture, PreviewRequest, encode_jpeg


@dataclass(frozen=True, slots=True)
class _Source:
    features: Any
    info: Any  # KeypointInfo of one frame
    landmarks: Any  # [1, 203, 2]


class NeuralPreview:
    """Raises MissingWeightsError without the official weights."""

    def __init__(self) -> None:
        from liveportrait.networks.official import load_networks
        from liveportrait.runtime.decoder import load_decoder
        from liveportrait.source.faces import choose_analyser
        from models.device import DevicePolicy
        from models.weights import WEIGHTS_DIR

        self._decoder = load_decoder(
            load_networks(WEIGHTS_DIR), DevicePolicy.for_this_machine(), "fast"
        )
        self._analyser = choose_analyser(WEIGHTS_DIR)
        self._sources: OrderedDict[tuple[Path, int], _Source] = OrderedDict()

    def picture(self, request: PreviewRequest) -> PreviewPicture:
        """Raises PortraitError."""
        from liveportrait.animation.sliders import SliderSettings, retarget_sliders, source_ratios

        source = self._source(request.portrait)
        own = OwnRatios(*source_ratios(source.landmarks))
        settings = request.settings or SliderSettings()
        x_d = retarget_sliders(source.info, source.landmarks, settings, self._decoder.retargeters)
        frames = self._decoder.decode([source.features], source.info.keypoints(), x_d)
        return PreviewPicture(encode_jpeg(frames[0]), own)

    def _source(self, path: Path) -> _Source:
        from liveportrait.source.crop import HUMAN_SOURCE, crop_image
        from models.images import decode_image

        key = (path, path.stat().st_mtime_ns)
        if key not in self._sources:
            image = decode_image(path.read_bytes())
            face = self._analyser.find_one(image)
            crop = crop_image(image, face.crop_points, HUMAN_SOURCE)
            crops = crop.image_256[None]
            self._sources[key] = _Source(
                self._decoder.features(crops),
                self._decoder.motion(crops),
                face.ratio_points[None],
            )
            if len(self._sources) > KEPT_PORTRAITS:
                self._sources.popitem(last=False)
        self._sources.move_to_end(key)
        return self._sources[key]
