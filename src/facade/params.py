"""params.yaml as frozen objects, validated before a stage starts. params.yaml says what each parameter means.

The defaults are the values of the repository's params.yaml.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from facade.errors import FacadeError

Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# Simulated cameras and conditions, besides `plain`; join several with +.
DOMAINS = ("fisheye", "motion_blur", "low_resolution", "grey", "low_light")


class Section(BaseModel):
    """A section of params.yaml: unknown keys are rejected, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


class Demo(Section):
    """The demo photographs, which are rendered."""

    seed: Seed = 0
    train: Positive = 200
    golden: Positive = 100
    size: Annotated[int, Field(ge=64, le=4096)] = 192


class Domain(Section):
    """Simulated cameras and conditions, and the range of strength of each."""

    train: tuple[str, ...] = ()
    golden: tuple[str, ...] = ()
    field_of_view: tuple[Annotated[float, Field(ge=10, le=170)], Annotated[float, Field(ge=10, le=170)]] = (100, 140)
    electrons: tuple[Annotated[float, Field(gt=0, le=1e5)], Annotated[float, Field(gt=0, le=1e5)]] = (40, 200)
    shake: tuple[Annotated[float, Field(gt=0, le=25)], Annotated[float, Field(gt=0, le=25)]] = (2, 6)
    shrink: tuple[Annotated[float, Field(ge=1, le=32)], Annotated[float, Field(ge=1, le=32)]] = (2, 4)

    @model_validator(mode="after")
    def _sound(self) -> "Domain":
        for name in (*self.train, *self.golden):
            parts = name.split("+")
            if name != "plain" and not (set(parts) <= set(DOMAINS) and len(set(parts)) == len(parts)):
                names = ", ".join(DOMAINS)
                raise ValueError(f"unknown domain {name!r}; choose plain, {names}, or several joined by +")
        for name in ("field_of_view", "electrons", "shake", "shrink"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} [{low:g}, {high:g}] is reversed; put the smaller number first")
        return self


class Ingest(Section):
    """How a data set is imported."""

    path: Path = Path("data/demo")
    store: Literal["files", "shards"] = "files"
    golden_lock: str = "8fe6fde7720d486f"
    golden_share: Annotated[float, Field(gt=0, lt=100)] = 20
    categories: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    label_orientation: Literal["infer", "upright", "stored"] = "infer"
    min_face: Annotated[float, Field(ge=0)] = 8
    max_unreadable: Percent = 1
    max_megapixels: Annotated[float, Field(gt=0, le=178)] = 100  # Pillow's own limit
    duplicate_distance: Annotated[int, Field(ge=0, le=32)] = 4
    landmarks: Literal["labels", "facexlib"] = "labels"
    landmark_weights: Path | None = None
    misses: bool = True
    misses_repeat: Annotated[int, Field(ge=1, le=100)] = 1
    domain: Domain = Domain()


class Codec(Section):
    """JPEG settings."""

    quality: Annotated[int, Field(ge=1, le=100)] = 95
    subsampling: Literal[444, 420] = 444


class Blur(Section):
    """How faces are blurred, pixelated or blanked."""

    method: Literal["gaussian", "pixelate", "solid"] = "gaussian"
    sigma: Annotated[float, Field(gt=0, le=100)] = 10
    cells: Annotated[int, Field(ge=1, le=64)] = 6
    shape: Literal["ellipse", "box"] = "ellipse"
    widen: Percent = 15
    feather: Percent = 4
    sigma_jitter: Annotated[float, Field(ge=1, le=8)] = 1
    decoys: Annotated[int, Field(ge=0, le=8)] = 0


class Diffusion(Section):
    """The diffusion model that paints faces."""

    model: Annotated[str, Field(min_length=1)] = "stable-diffusion-v1-5/stable-diffusion-inpainting"
    prompt: str = "photo of {who}, {view}"
    steps: Positive = 30
    guidance: Annotated[float, Field(ge=1)] = 7.5
    strength: Annotated[float, Field(gt=0, le=1)] = 1
    size: Annotated[int, Field(ge=64, multiple_of=8)] = 512
    batch: Positive = 4

    @model_validator(mode="after")
    def _sound(self) -> "Diffusion":
        try:
            self.prompt.format(who="", view="")
        except (LookupError, ValueError, AttributeError):
            raise ValueError(
                f"prompt {self.prompt!r} has an unknown placeholder; the known ones are {{who}} and {{view}}"
            ) from None
        if int(self.steps * self.strength) < 1:
            raise ValueError(f"steps {self.steps} times strength {self.strength} is less than one step; raise either")
        return self


# What a pseudonym can take from the person and the photograph.
Attribute = Literal["pose", "light", "tone", "sharpness", "grain"]


class Synthesize(Section):
    """How faces are replaced by pseudonyms."""

    source: Literal["procedural", "bank", "diffusion"] = "procedural"
    key: Annotated[str, Field(min_length=1)] = "demo"
    bank: Path = Path("banks")
    bank_weights: Path | None = None
    bank_recognition: Path | None = None
    keep: tuple[Attribute, ...] = ()
    coarse: tuple[Literal["pose", "light", "tone"], ...] = ()
    cover: Literal["face", "head"] = "face"
    parsing_weights: Path | None = None
    feather: Percent = 1.8
    diffusion: Diffusion = Diffusion()

    @model_validator(mode="after")
    def _coarse_is_kept(self) -> "Synthesize":
        if drawn := sorted(set(self.coarse) - set(self.keep)):
            raise ValueError(f"coarse has {', '.join(drawn)}, which keep lacks; add it there or remove it here")
        return self


def _as_list(value: Any) -> Any:
    """None, a single value or a list of values as a list."""
    if value is None:
        return ()
    return (value,) if isinstance(value, (str, Path)) else value


class Audit(Section):
    """Privacy audit: attacks, and limits above which training is refused."""

    detector: Literal["publisher"] | Path | None = None
    min_score: Annotated[float, Field(gt=0, lt=1)] = 0.8
    treat_unlabelled: bool = False
    recognition: Annotated[tuple[Path, ...], BeforeValidator(_as_list)] = ()
    identities: Annotated[int, Field(ge=4)] = 200
    min_face_height: Annotated[float, Field(ge=8)] = 40
    max_faces: Annotated[int, Field(ge=2)] = 2000
    max_untreated: Annotated[int, Field(ge=0)] = 0
    max_unlabelled: Annotated[int, Field(ge=0)] = 0
    max_reid: Percent = 5
    max_learned: Percent = 5
    max_parrot: Percent = 25
    require: tuple[Literal["unlabelled", "reidentification"], ...] = ("unlabelled", "reidentification")

    @model_validator(mode="after")
    def _has_detector(self) -> "Audit":
        if self.treat_unlabelled and self.detector is None:
            raise ValueError("treat_unlabelled is true, but detector is null; name a detector")
        return self


# The arms that stages of their own make, and treatments of controls, whose faces stay as they are.
ANONYMIZED = ("blur", "pseudo")
MAIN_ARMS = ("raw", *ANONYMIZED)
CONTROLS = frozenset({"recode", "decoy", "drop"})


def stage_of(verb: str, arm: str) -> str:
    """The stage of an arm, as `dvc repro` takes it: `audit@blur`, `train-raw`, `detect-arm@mild`."""
    if arm not in MAIN_ARMS:
        return f"{verb}-arm@{arm}"
    return f"train-{arm}" if verb == "train" else f"{verb}@{arm}"


class ExtraArm(Section):
    """An arm besides raw, blur and pseudo.

    Attributes:
        treatment: How its photographs are made; external: another program has treated them.
        photographs: `data/train`; for external, the folder that the other program wrote. DVC depends on it.
        settings: Parameters that differ from the section `blur` (blur, decoy) or `synthesize` (pseudo); of drop and
            external, their own (`DropSettings`, `ExternalSettings`).
    """

    treatment: Literal["blur", "pseudo", "external", "recode", "decoy", "drop"]
    photographs: Path
    settings: dict[str, Any] = {}

    @property
    def is_control(self) -> bool:
        """Whether its faces are as they were."""
        return self.treatment in CONTROLS


class DropSettings(Section):
    """Settings of the control `drop`."""

    share: Annotated[float, Field(gt=0, lt=100)] = 50


class ExternalSettings(Section):
    """Settings of photographs that another program has treated.

    Attributes:
        untreated: What happens to faces that it left as they were: the audit fails, or `blur` treats them.
    """

    untreated: Literal["fail", "blur"] = "fail"


# The treatments whose settings are no parameters of a section.
OWN_SETTINGS: dict[str, type[Section]] = {"drop": DropSettings, "external": ExternalSettings}


class Arms(Section):
    """Which arms run besides blur and pseudo."""

    raw: bool = True
    extra: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")], ExtraArm] = {}

    @model_validator(mode="after")
    def _sound(self) -> "Arms":
        for name, arm in self.extra.items():
            if name in (*MAIN_ARMS, "references", "attacker", "start", "train", "golden", "patches", "misses", "demo"):
                raise ValueError(f"extra.{name}: the name is taken; choose another")
            if arm.is_control and not self.raw:
                raise ValueError(f"extra.{name} is a control, and compared with raw, which is off; switch raw on")
            if arm.treatment != "external" and arm.photographs != Path("data/train"):
                raise ValueError(f"extra.{name}: {arm.treatment} is made of data/train; set photographs to that")
            if arm.settings and arm.treatment == "recode":
                raise ValueError(f"extra.{name}: recode has no settings")
        return self


class Patches(Section):
    """Patches on the background of golden photographs."""

    sigma: Annotated[float, Field(gt=0, le=100)] = 10


class Detector(Section):
    """Architecture of the detector."""

    backbone: str = "mobilenetv4_conv_small_050"
    weights: Literal["drawn"] | Path | None = "drawn"
    strides: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=5)] = (8, 16, 32)
    channels: Positive = 48
    convs: Positive = 1

    @model_validator(mode="after")
    def _strides_double(self) -> "Detector":
        if any(after != 2 * before for before, after in zip(self.strides, self.strides[1:], strict=False)):
            raise ValueError(f"strides {list(self.strides)} must each be twice the previous one, as in [8, 16, 32]")
        return self


class Pretrain(Section):
    """Pretraining of the shared initial weights on rendered photographs."""

    photographs: Positive = 200
    seed: Seed = 1
    size: Annotated[int, Field(ge=64, le=4096)] = 192
    face_height: tuple[Annotated[float, Field(ge=2)], Annotated[float, Field(ge=2)]] = (10, 72)
    epochs: Positive = 8

    @model_validator(mode="after")
    def _sound(self) -> "Pretrain":
        low, high = self.face_height
        if low > high:
            raise ValueError(f"face_height [{low:g}, {high:g}] is reversed; put the smaller height first")
        return self


class Train(Section):
    """Training of the detector."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2, 3)
    epochs: Positive = 10
    batch: Positive = 4
    learning_rate: Annotated[float, Field(gt=0)] = 0.004
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    crop: Annotated[int, Field(ge=64, multiple_of=32)] = 160
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.8, 1.25)
    face_crops: Percent = 60
    face_sizes: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    min_visible: Percent = 0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    val_interval: Annotated[int, Field(ge=0)] = 5
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive | None = None
    runs_per_gpu: Positive = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: Positive = 1

    @model_validator(mode="after")
    def _sound(self) -> "Train":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} has a duplicate; two identical runs add no information")
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} is reversed; put the smaller factor first")
        if self.face_sizes is not None and self.face_sizes[0] > self.face_sizes[1]:
            raise ValueError(f"face_sizes {list(self.face_sizes)} is reversed; put the smaller size first")
        return self


class Detect(Section):
    """Inference of the detector."""

    size: Annotated[int, Field(ge=64)] = 192
    min_score: Annotated[float, Field(ge=0, lt=1)] = 0.01
    nms: Annotated[float, Field(gt=0, le=1)] = 0.6
    max_detections: Positive = 500


class Evaluate(Section):
    """Scoring and statistical comparison."""

    calibration: Annotated[float, Field(ge=0, le=50)] = 15
    wider_ground_truth: Path | None = None
    references: tuple[Path, ...] = ()
    iou: Annotated[float, Field(gt=0, lt=1)] = 0.5
    metric: Literal["AP50", "AP"] = "AP50"
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.03
    further_margins: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.02, 0.01)
    relative_margins: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = (5,)
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    resample: Literal["photographs", "events"] = "photographs"

    @model_validator(mode="after")
    def _looks_increase(self) -> "Evaluate":
        if any(after <= before for before, after in pairwise(self.looks)):
            raise ValueError(
                f"looks {list(self.looks)} must increase; name each number of seeds once, the smallest first"
            )
        return self


class Report(Section):
    """What the report may show."""

    show_raw: bool = False


class Engine(Section):
    """Where work runs. Results do not depend on it."""

    name: Literal["local", "ray"] = "local"
    address: str | None = None


class Params(Section):
    """All of params.yaml."""

    demo: Demo = Demo()
    ingest: Ingest = Ingest()
    codec: Codec = Codec()
    blur: Blur = Blur()
    synthesize: Synthesize = Synthesize()
    audit: Audit = Audit()
    arms: Arms = Arms()
    patches: Patches = Patches()
    detector: Detector = Detector()
    pretrain: Pretrain = Pretrain()
    train: Train = Train()
    detect: Detect = Detect()
    evaluate: Evaluate = Evaluate()
    report: Report = Report()
    engine: Engine = Engine()

    @model_validator(mode="after")
    def _settings_of_arms_are_sound(self) -> "Params":
        for name in self.arms.extra:
            self.for_arm(name)
        return self

    @property
    def arm_names(self) -> list[str]:
        """All arms that run, in the order in which they are shown."""
        return [arm for arm in MAIN_ARMS if arm != "raw" or self.arms.raw] + list(self.arms.extra)

    @property
    def anonymized_arms(self) -> list[str]:
        """The arms whose faces are treated."""
        return [arm for arm in self.arm_names if arm != "raw" and not self.is_control(arm)]

    def treatment_of(self, arm: str) -> str:
        """How an arm's photographs are made: raw, or a treatment of `ExtraArm`."""
        return self.arms.extra[arm].treatment if arm in self.arms.extra else arm

    def is_control(self, arm: str) -> bool:
        """Whether an arm besides raw shows faces as they were."""
        return self.treatment_of(arm) in CONTROLS

    def for_arm(self, arm: str) -> "Params":
        """The parameters with the settings of an extra arm in their sections.

        Raises:
            ValueError: There is no such parameter, or its value is invalid.
        """
        settings = self.arms.extra[arm].settings if arm in self.arms.extra else {}
        if not settings:
            return self
        treatment = self.arms.extra[arm].treatment
        try:
            if treatment in OWN_SETTINGS:
                OWN_SETTINGS[treatment].model_validate(settings)
                return self
            section = "synthesize" if treatment == "pseudo" else "blur"
            own: Section = getattr(self, section)
            return self.model_copy(update={section: type(own).model_validate(own.model_dump() | settings)})
        except ValidationError as error:
            fault = error.errors()[0]
            raise ValueError(f"arms.extra.{arm}.settings.{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml. It must name every parameter: DVC tracks no value that the file lacks.

    Raises:
        FacadeError: The file is missing, is not YAML, lacks a parameter, or has an invalid value. The message
            names each.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        params = Params.model_validate(values)
    except FileNotFoundError:
        raise FacadeError(f"{path} is missing. Run this from the top folder of the repository.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FacadeError(f"{path} is not valid YAML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise FacadeError(f"{path} has invalid values: {faults}. Correct them and run again.") from None
    if missing := _missing(params):
        raise FacadeError(f"{path} lacks {', '.join(missing)}. Add what is missing and run again.")
    return params


def load_or_default(path: Path = Path("params.yaml")) -> Params:
    """`load`, or the defaults where there is no such file: for use outside a checkout.

    Raises:
        FacadeError: As `load`, for a file that exists.
    """
    return load(path) if path.exists() else Params()


def _missing(section: Section, prefix: str = "") -> list[str]:
    """Names of the parameters that a file did not set, as in `blur.sigma`."""
    names = []
    for name in type(section).model_fields:
        if name not in section.model_fields_set:
            names.append(prefix + name)
        elif isinstance(value := getattr(section, name), Section):
            names += _missing(value, f"{prefix}{name}.")
    return names
