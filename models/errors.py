"""Named errors. Each carries the stable ``code`` that the API and the command lines show."""


class VisavisError(Exception):
    """Base of every error a user can cause or mend; ``code`` is stable, the text for people."""

    code = "internal"


class PortraitError(VisavisError):
    """A picture that cannot become a portrait."""

    code = "bad_portrait"


class NotAnImageError(PortraitError):
    """The bytes are no picture in an accepted format, or a damaged one."""

    code = "not_an_image"


class ImageTooLargeError(PortraitError):
    """More bytes or pixels than accepted."""

    code = "too_large"


class NoFaceError(PortraitError):
    """No face was found."""

    code = "no_face"


class SeveralFacesError(PortraitError):
    """More than one face, none of them clearly the portrait's."""

    code = "several_faces"


class FaceTooSmallError(PortraitError):
    """The face has too few pixels to be animated."""

    code = "face_too_small"


class SoundError(VisavisError):
    """Sound that cannot be decoded, or in a form that is not accepted."""

    code = "bad_audio"


class VideoError(VisavisError):
    """A video file that cannot be decoded, or has more than is accepted."""

    code = "bad_video"


class WeightsError(VisavisError):
    """A model file is missing, damaged or of another kind."""

    code = "bad_weights"


class MissingWeightsError(WeightsError):
    """A file of the manifest is not there; the text names the command that brings it."""

    code = "missing_weights"


class ChecksumError(WeightsError):
    """A file is there but its bytes are not the manifest's."""

    code = "checksum_mismatch"


class EngineMismatchError(WeightsError):
    """A motion checkpoint made for another engine."""

    code = "engine_mismatch"


class ConfigError(VisavisError):
    """A setting is unknown or out of its range."""

    code = "bad_config"


class TemplateError(VisavisError):
    """A motion template that is damaged, of another kind, or holds values that are no motion."""

    code = "bad_template"


class UnsafeTemplateError(TemplateError):
    """A motion template that asks for more than numbers; nothing of it was run."""

    code = "unsafe_template"
