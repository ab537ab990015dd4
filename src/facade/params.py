"""params.yaml as frozen objects, checked before any stage works. What each parameter means stands in params.yaml."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from facade.errors import FacadeError

Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# What a photograph can be made to look like, besides `plain`; several are joined by +.
DOMAINS = ("fisheye", "motion_blur", "low_resolution", "grey", "low_light")


class Section(BaseModel):
    """A section of params.yaml: unknown names are refused, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Demo(Section):
    """The photographs that come with Facade."""

    seed: Seed
    train: Positive
    golden: Positive
    size: Annotated[int, Field(ge=64, le=4096)]


class Domain(Section):
    """Cameras that photographs are made to look like, and how strong each is, from least to most."""

    train: tuple[str, ...]
    golden: tuple[str, ...]
    field_of_view: tuple[Annotated[float, Field(ge=10, le=170)], Annotated[float, Field(ge=10, le=170)]]
    electrons: tuple[Annotated[float, Field(gt=0, le=1e5)], Annotated[float, Field(gt=0, le=1e5)]]
    shake: tuple[Annotated[float, Field(gt=0, le=25)], Annotated[float, Field(gt=0, le=25)]]
    shrink: tuple[Annotated[float, Field(ge=1, le=32)], Annotated[float, Field(ge=1, le=32)]]

    @model_validator(mode="after")
    def _sound(self) -> "Domain":
        for name in (*self.train, *self.golden):
            parts = name.split("+")
            if name != "plain" and not (set(parts) <= set(DOMAINS) and len(set(parts)) == len(parts)):
                there = ", ".join(DOMAINS)
                raise ValueError(f"{name!r} is no domain; there are plain, {there}, and several joined by +")
        for name in ("field_of_view", "electrons", "shake", "shrink"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name} [{least:g}, {most:g}] falls; give the smaller number first")
        return self


class Ingest(Section):
    """Which photographs are taken in."""

    path: Path
    store: Literal["files", "shards"]
    golden_lock: str
    golden_share: Annotated[float, Field(gt=0, lt=100)]
    min_face: Annotated[float, Field(ge=0)]
    max_bad: Percent
    max_megapixels: Annotated[float, Field(gt=0, le=178)]  # Pillow itself refuses more
    duplicate_distance: Annotated[int, Field(ge=0, le=32)]
    landmarks: Literal["labels", "facexlib"]
    landmark_weights: Path | None
    misses: bool
    misses_repeat: Annotated[int, Field(ge=1, le=100)]
    domain: Domain


class Codec(Section):
    """JPEG settings."""

    quality: Annotated[int, Field(ge=1, le=100)]
    subsampling: Literal[444, 420]


class Blur(Section):
    """How faces are blurred."""

    method: Literal["gaussian", "pixelate", "solid"]
    sigma: Annotated[float, Field(gt=0, le=100)]
    cells: Annotated[int, Field(ge=1, le=64)]
    shape: Literal["ellipse", "box"]
    widen: Percent
    feather: Percent
    vary: Annotated[float, Field(ge=1, le=8)] = 1
    decoys: Annotated[int, Field(ge=0, le=8)] = 0


class Diffusion(Section):
    """Which diffusion model paints faces, and how."""

    model: Annotated[str, Field(min_length=1)]
    prompt: str
    steps: Positive
    guidance: Annotated[float, Field(ge=1)]
    strength: Annotated[float, Field(gt=0, le=1)]
    size: Annotated[int, Field(ge=64, multiple_of=8)]
    batch: Positive

    @model_validator(mode="after")
    def _sound(self) -> "Diffusion":
        try:
            self.prompt.format(who="", view="")
        except (LookupError, ValueError, AttributeError):
            raise ValueError(
                f"prompt {self.prompt!r} has braces around something else than {{who}} and {{view}}"
            ) from None
        if int(self.steps * self.strength) < 1:
            raise ValueError(f"{self.steps} steps at strength {self.strength} are less than one; raise either")
        return self


class Synthesize(Section):
    """How faces are replaced."""

    source: Literal["procedural", "bank", "diffusion"]
    key: Annotated[str, Field(min_length=1)]
    bank: Path
    bank_weights: Path | None
    bank_recognition: Path | None
    keep: tuple[Literal["pose", "light", "tone"], ...]
    cover: Literal["face", "head"]
    parsing_weights: Path | None
    feather: Percent
    diffusion: Diffusion


class Audit(Section):
    """Who is still there, and when training does not begin."""

    detector: Literal["publisher"] | Path | None
    sure: Annotated[float, Field(gt=0, lt=1)]
    treat_unlabelled: bool
    recognition: Path | None
    people: Annotated[int, Field(ge=4)]
    least: Annotated[float, Field(ge=8)]
    most: Annotated[int, Field(ge=2)]
    max_untreated: Annotated[int, Field(ge=0)]
    max_unlabelled: Annotated[int, Field(ge=0)]
    max_reid: Percent
    max_parrot: Percent
    require: tuple[Literal["unlabelled", "reidentification"], ...]

    @model_validator(mode="after")
    def _looked_for(self) -> "Audit":
        if self.treat_unlabelled and self.detector is None:
            raise ValueError("treat_unlabelled is true, and there is no detector that looks for such faces; name one")
        return self


class Arms(Section):
    """Which arms there are besides the two anonymized ones."""

    raw: bool
    recode: bool
    decoy: bool
    drop: bool
    drop_share: Annotated[float, Field(gt=0, lt=100)]

    @model_validator(mode="after")
    def _controls_have_a_control(self) -> "Arms":
        if not self.raw and (self.recode or self.decoy or self.drop):
            raise ValueError("recode, decoy and drop are compared with raw, which is off; switch it on, or them off")
        return self


class Patches(Section):
    """What is put on golden photographs where no face is."""

    sigma: Annotated[float, Field(gt=0, le=100)]


class Detector(Section):
    """What is trained."""

    backbone: str
    weights: Literal["drawn"] | Path | None
    strides: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)]
    channels: Positive
    convs: Positive

    @model_validator(mode="after")
    def _strides_double(self) -> "Detector":
        if any(after != 2 * before for before, after in zip(self.strides, self.strides[1:], strict=False)):
            raise ValueError(f"strides {list(self.strides)} do not double from one to the next, as in [8, 16, 32]")
        return self


class Pretrain(Section):
    """Drawn photographs that the shared start is trained on, and for how long."""

    photographs: Positive
    seed: Seed
    size: Annotated[int, Field(ge=64, le=4096)]
    face_height: tuple[Annotated[float, Field(ge=2)], Annotated[float, Field(ge=2)]]
    epochs: Positive

    @model_validator(mode="after")
    def _sound(self) -> "Pretrain":
        least, most = self.face_height
        if least > most:
            raise ValueError(f"face_height [{least:g}, {most:g}] falls; give the smaller height first")
        return self


class Train(Section):
    """How it is trained."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    epochs: Positive
    batch: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    crop: Annotated[int, Field(ge=64, multiple_of=32)]
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    face_crops: Percent = 0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0
    val_interval: Annotated[int, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda"]
    devices: Positive | None
    precision: Literal["float32", "bfloat16"]
    threads: Positive

    @model_validator(mode="after")
    def _sound(self) -> "Train":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} holds a seed twice; two equal runs tell no more than one")
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} falls; give the smaller factor first")
        return self


class Detect(Section):
    """How faces are detected."""

    size: Annotated[int, Field(ge=64)]
    score: Annotated[float, Field(ge=0, lt=1)]
    nms: Annotated[float, Field(gt=0, le=1)]
    most: Positive


class Evaluate(Section):
    """How detections are scored."""

    calibration: Annotated[float, Field(ge=0, le=50)]
    wider_ground_truth: Path | None
    references: tuple[Path, ...] = ()
    iou: Annotated[float, Field(gt=0, lt=1)]
    metric: Literal["AP50", "AP"]
    margin: Annotated[float, Field(gt=0, lt=1)]
    further_margins: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    relative_margins: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = ()
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    draws: Annotated[int, Field(ge=100, le=100_000)]
    resample: Literal["photographs", "events"]

    @model_validator(mode="after")
    def _looks_rise(self) -> "Evaluate":
        if any(after <= before for before, after in pairwise(self.looks)):
            raise ValueError(
                f"looks {list(self.looks)} do not rise; name each number of seeds once, the smallest first"
            )
        return self


class Report(Section):
    """What figures may show."""

    show_raw: bool


class Engine(Section):
    """What work is spread over. Results do not depend on it."""

    name: Literal["local", "ray"]
    address: str | None


class Params(Section):
    """All of params.yaml."""

    demo: Demo
    ingest: Ingest
    codec: Codec
    blur: Blur
    synthesize: Synthesize
    audit: Audit
    arms: Arms
    patches: Patches
    detector: Detector
    pretrain: Pretrain
    train: Train
    detect: Detect
    evaluate: Evaluate
    report: Report
    engine: Engine


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        FacadeError: The file is missing, is no YAML, or holds a value that cannot be. The sentence names each.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Params.model_validate(values)
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. Run this from the top folder of the repository.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FacadeError(f"{path} is not readable as YAML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise FacadeError(f"{path} holds values that cannot be: {faults}. Correct them and run again.") from None
