"""Sources of synthetic faces: procedural heads, a folder of pictures, or a diffusion model."""
