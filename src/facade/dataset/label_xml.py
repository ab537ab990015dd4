"""Reading label files in XML, which may come from anybody."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from facade.errors import FacadeError


def read_label_xml(path: Path) -> Element:
    """The root element of a label file in XML.

    Raises:
        FacadeError: The file cannot be read, is no XML, or has entities or a document type.
    """
    try:
        # Entities and external references are refused before anything is expanded.
        return fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise FacadeError(f"{path} cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FacadeError(f"{path} is not a valid XML label file ({reason}). Fix or remove the file.") from None
