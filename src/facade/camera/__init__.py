"""Camera simulation: photographs as another camera would take them, with a mapping for boxes and landmarks."""
