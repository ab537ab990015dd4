"""Treat the faces that another program left as they were, so that its photographs can pass the audit."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from facade.anonymize.blur_faces import BlurFaces
from facade.anonymize.external import ReadTreated
from facade.anonymize.treat import Treated, recoded
from facade.audit.coverage import classify_faces
from facade.dataset import Photograph
from facade.params import Codec


@dataclass(frozen=True)
class BlurUntreated:
    """The other program's version of each photograph, with every face blurred that the audit finds untreated in it.

    Attributes:
        external: Reads the other program's version.
        blur: Blurs the faces that are left.
        codec: JPEG settings of stored photographs: the audit compares photographs as they are stored.
    """

    external: ReadTreated
    blur: BlurFaces
    codec: Codec

    def __call__(self, image: np.ndarray, photograph: Photograph) -> Treated:
        """The treated photograph, (H, W, 3) uint8, BGR, and how many of its faces were left and are blurred here.

        Raises:
            FacadeError: The other program's version cannot be read, or has another size.
        """
        treated = self.external(image, photograph).pixels
        stored, again = recoded(treated, self.codec), recoded(image, self.codec)
        findings = classify_faces(image, stored, again, photograph.faces)
        left = tuple(face for face, finding in zip(photograph.faces, findings, strict=True) if finding == "untreated")
        if left:
            treated = self.blur(treated, replace(photograph, faces=left)).pixels
        return Treated(treated, Counter(faces=len(photograph.faces), blurred_by_facade=len(left)))
