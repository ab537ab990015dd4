"""What a photograph would look like from another camera; boxes and landmarks go with its pixels."""
