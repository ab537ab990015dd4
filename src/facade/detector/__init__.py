"""The detector under study: mmdet's GFL on a timm backbone; training and detecting."""
